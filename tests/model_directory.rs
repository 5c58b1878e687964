//! The model directory: what was saved loads, and what is damaged is refused by name.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use hmtl::config::ModelConfig;
use hmtl::model::{AnnotateOptions, Card, LoadOptions, Parts, Precision};
use hmtl::{Error, Model};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

struct Damaged {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl Damaged {
    fn new() -> Self {
        let dir = common::tiny_model();
        let path = dir.path().join("model");
        Self { _dir: dir, path }
    }

    /// Changes a file and leaves the manifest as it is.
    fn alter(&self, name: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
        let file = self.path.join(name);
        fs::write(&file, change(fs::read(&file).unwrap())).unwrap();
    }

    /// Changes a file and its hash, as whoever makes a wrong model would.
    fn replace(&self, name: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
        self.alter(name, change);
        let bytes = fs::read(self.path.join(name)).unwrap();
        let hash: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
        self.json("manifest.json", |manifest| manifest["sha256"][name] = json!(hash));
    }

    fn json(&self, name: &str, change: impl FnOnce(&mut Value)) {
        self.alter(name, |bytes| {
            let mut value = serde_json::from_slice(&bytes).unwrap();
            change(&mut value);
            serde_json::to_vec(&value).unwrap()
        });
    }

    fn config(&self, change: impl FnOnce(&mut Value)) {
        self.replace("config.json", |bytes| {
            let mut value = serde_json::from_slice(&bytes).unwrap();
            change(&mut value);
            serde_json::to_vec(&value).unwrap()
        });
    }

    /// Changes tensors: name to type, shape and bytes.
    fn tensors(&self, change: impl FnOnce(&mut BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>)) {
        self.replace("weights.safetensors", |bytes| {
            let file = SafeTensors::deserialize(&bytes).unwrap();
            let mut tensors = file
                .tensors()
                .into_iter()
                .map(|(n, t)| (n, (t.dtype(), t.shape().to_vec(), t.data().to_vec())))
                .collect();
            change(&mut tensors);
            let views = tensors.iter().map(|(n, (dtype, shape, data))| {
                (n, TensorView::new(*dtype, shape.clone(), data).unwrap())
            });
            safetensors::serialize(views, None).unwrap()
        });
    }

    /// Asserts that loading fails, with a message of one line that names these.
    fn refused(&self, names: &[&str]) {
        let error = Model::load(&self.path, &LoadOptions::default()).unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "{error:?}");
        let message = error.to_string();
        assert!(!message.contains('\n'), "{message}");
        for name in names {
            assert!(message.contains(name), "no {name:?} in: {message}");
        }
    }
}

const FILES: [&str; 7] = [
    "manifest.json",
    "config.json",
    "vocabulary/words.txt",
    "vocabulary/chars.txt",
    "vocabulary/labels.json",
    "weights.safetensors",
    "card.json",
];

const TENSOR: &str = "tasks.ner.";

fn first_tensor(tensors: &BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>) -> String {
    tensors.keys().find(|n| n.starts_with(TENSOR)).unwrap().clone()
}

#[test]
fn what_was_saved_loads_and_annotates() {
    let model = Damaged::new();
    let loaded = Model::load(&model.path, &LoadOptions::default()).unwrap();
    let words = vec![vec!["Maria", "sold", "it", "."]];
    let doc = loaded.annotate_tokens(&words, &AnnotateOptions::default()).unwrap();
    assert_eq!(doc.tasks, ["ner", "emd", "relation", "coref"]);
    let info = loaded.info().unwrap();
    assert_eq!(info["tasks"]["ner"]["labels"], json!(["PER", "ORG", "LOC"]));
    assert_eq!(info["tasks"]["coref"]["kind"], "coreference");
    assert_eq!(info["card"]["name"], "tiny");
    assert_eq!(info["vocabulary"]["words"], 10);
}

#[test]
fn a_part_of_the_tasks_can_be_loaded_and_gives_the_same() {
    let model = Damaged::new();
    let words = vec![vec!["Maria", "Keller", "founded", "Nordlicht", "."]];
    let tasks = Some(vec!["relation".to_owned()]);
    let whole = Model::load(&model.path, &LoadOptions::default()).unwrap();
    let options = LoadOptions { tasks: tasks.clone(), ..LoadOptions::default() };
    let part = Model::load(&model.path, &options).unwrap();
    assert_eq!(part.tasks(), ["relation"]);
    assert!(!part.config().unwrap().encoders.contains_key("top"));
    let masked = AnnotateOptions { tasks, ..AnnotateOptions::default() };
    assert_eq!(
        part.annotate_tokens(&words, &AnnotateOptions::default()).unwrap(),
        whole.annotate_tokens(&words, &masked).unwrap()
    );
    let unknown = LoadOptions { tasks: Some(vec!["pos".into()]), ..LoadOptions::default() };
    let error = Model::load(&model.path, &unknown).unwrap_err().to_string();
    assert_eq!(error, "the model has no task `pos`, only ner, emd, relation, coref");
}

#[test]
fn a_missing_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let error = Model::load(&dir.path().join("none"), &LoadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("none"), "{error}");
    assert!(Model::load(dir.path(), &LoadOptions::default()).is_err());
}

#[test]
fn a_missing_file_is_refused() {
    for name in FILES {
        let model = Damaged::new();
        fs::remove_file(model.path.join(name)).unwrap();
        model.refused(&[name, "missing"]);
    }
}

#[test]
fn an_altered_file_is_refused() {
    for name in &FILES[1..] {
        let model = Damaged::new();
        model.alter(name, |mut bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            bytes
        });
        model.refused(&[name, "altered"]);
    }
}

#[test]
fn a_truncated_file_is_refused() {
    let model = Damaged::new();
    model.alter("weights.safetensors", |mut bytes| {
        bytes.truncate(bytes.len() / 2);
        bytes
    });
    model.refused(&["weights.safetensors"]);
    let model = Damaged::new();
    model.replace("weights.safetensors", |mut bytes| {
        bytes.truncate(bytes.len() / 2);
        bytes
    });
    model.refused(&["weights.safetensors"]);
    let model = Damaged::new();
    model.alter("manifest.json", |mut bytes| {
        bytes.truncate(bytes.len() / 2);
        bytes
    });
    model.refused(&["manifest.json", "line"]);
}

#[test]
fn a_file_without_a_hash_is_refused() {
    let model = Damaged::new();
    model.json("manifest.json", |m| drop(m["sha256"].as_object_mut().unwrap().remove("card.json")));
    model.refused(&["manifest.json", "card.json"]);
}

#[test]
fn a_newer_format_is_refused() {
    let model = Damaged::new();
    model.json("manifest.json", |m| m["format"] = json!(2));
    model.refused(&["manifest.json", "format 2 is newer"]);
    let model = Damaged::new();
    model.config(|c| c["format"] = json!(2));
    model.refused(&["config.json", "format 2 is newer"]);
}

#[test]
fn a_wrong_config_is_refused() {
    let model = Damaged::new();
    model.config(|c| c["tasks"]["ner"]["on"] = json!("nowhere"));
    model.refused(&["config.json", "ner", "nowhere"]);
    let model = Damaged::new();
    model.config(|c| c["encodres"] = json!({}));
    model.refused(&["config.json", "encodres"]);
    let model = Damaged::new();
    model.config(|c| c["encoders"]["low"]["hidden"] = json!(9));
    model.refused(&["weights.safetensors", "shape"]);
}

#[test]
fn wrong_tensors_are_refused() {
    let model = Damaged::new();
    model.tensors(|t| {
        let name = first_tensor(t);
        t.remove(&name);
    });
    model.refused(&["weights.safetensors", TENSOR, "missing"]);
    let model = Damaged::new();
    model.tensors(|t| drop(t.insert("extra".into(), (Dtype::F32, vec![1], vec![0; 4]))));
    model.refused(&["weights.safetensors", "extra"]);
    let model = Damaged::new();
    model.tensors(|t| drop(t.insert("words.scale".into(), (Dtype::F32, vec![1], vec![0; 4]))));
    model.refused(&["weights.safetensors", "words.scale"]);
    let model = Damaged::new();
    model.tensors(|t| {
        let name = first_tensor(t);
        t.get_mut(&name).unwrap().1.insert(0, 1);
    });
    model.refused(&["weights.safetensors", TENSOR, "shape"]);
    let model = Damaged::new();
    model.tensors(|t| {
        let name = first_tensor(t);
        t.get_mut(&name).unwrap().0 = Dtype::I32;
    });
    model.refused(&["weights.safetensors", TENSOR, "I32"]);
    let model = Damaged::new();
    model.tensors(|t| {
        let name = first_tensor(t);
        t.get_mut(&name).unwrap().2[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    model.refused(&["weights.safetensors", TENSOR, "finite"]);
    let model = Damaged::new();
    model.replace("weights.safetensors", |_| b"not tensors at all".to_vec());
    model.refused(&["weights.safetensors"]);
}

#[test]
fn wrong_vocabularies_are_refused() {
    let model = Damaged::new();
    model.replace("vocabulary/words.txt", |mut bytes| {
        bytes.extend(b"maria\n");
        bytes
    });
    model.refused(&["words.txt", "maria"]);
    let model = Damaged::new();
    model.replace("vocabulary/words.txt", |mut bytes| {
        bytes.extend(b"another\n");
        bytes
    });
    model.refused(&["weights.safetensors", "shape"]);
    let model = Damaged::new();
    model.replace("vocabulary/chars.txt", |mut bytes| {
        bytes[0] = 0xff;
        bytes
    });
    model.refused(&["chars.txt", "UTF-8"]);
    let model = Damaged::new();
    model.replace("vocabulary/labels.json", |_| br#"{"ner": ["PER", "PER", "LOC"]}"#.to_vec());
    model.refused(&["labels.json", "ner", "PER"]);
    let model = Damaged::new();
    model.replace("vocabulary/labels.json", |_| br#"{"pos": ["NOUN"]}"#.to_vec());
    model.refused(&["labels.json", "pos"]);
}

fn save_at(dir: &Path, name: &str) -> hmtl::Result<()> {
    let config = ModelConfig::from_json(common::TINY).unwrap();
    let card = Card { name: name.into(), ..Card::default() };
    let vocab = common::tiny_vocabularies();
    Parts { config, vocab, card, tensors: BTreeMap::new() }.save(dir, Precision::Float32)
}

#[test]
fn saving_replaces_a_model_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model");
    save_at(&path, "first").unwrap();
    save_at(&path, "second").unwrap();
    let card = fs::read_to_string(path.join("card.json")).unwrap();
    assert!(card.contains("second"), "{card}");
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["model"]);

    let site = dir.path().join("site");
    fs::create_dir(&site).unwrap();
    fs::write(site.join("manifest.json"), r#"{"name": "a web site"}"#).unwrap();
    let error = save_at(&site, "third").unwrap_err().to_string();
    assert!(error.contains("site") && error.contains("left alone"), "{error}");
    assert!(site.join("manifest.json").exists());
}
