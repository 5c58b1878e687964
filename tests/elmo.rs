//! ELMo against the 2018 research code and against what scripts/elmo_fixture.py stored.
#![allow(clippy::print_stderr)] // the largest differences are worth reading

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use hmtl::config::{ElmoConfig, ModelConfig};
use hmtl::embed::{Elmo, elmo};
use hmtl::feature::{ELMO_FILL, ElmoBatch, Vocabularies};
use hmtl::model::Network;
use hmtl::params::Params;
use hmtl::train::RunConfig;
use indexmap::IndexMap;
use serde_json::{Value, json};
use tch::{Device, Tensor};

const TOLERANCE: f64 = 1e-5;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn fixture() -> PathBuf {
    root().join("tests/data/elmo")
}

/// A model of the ELMo in `dir` with its weights.
fn network(dir: &Path, mut context: Value) -> (Network, Params) {
    context["type"] = json!("elmo");
    let elmo = Some(elmo::options(dir).unwrap());
    let vocab = Vocabularies { elmo, ..Vocabularies::default() };
    let (network, mut params) = common::context_network(&context, vocab);
    params.assign(&elmo::weights(dir).unwrap()).unwrap();
    (network, params)
}

/// The layers of some sentences, boundaries included: (B, L + 2, width) each.
fn states(dir: &Path, params: &mut Params, batch: &ElmoBatch) -> Vec<Tensor> {
    let _guard = tch::no_grad_guard();
    let config = ElmoConfig { trainable: false, dropout: 0.0 };
    let elmo = Elmo::new(&config, &elmo::options(dir).unwrap(), params).unwrap();
    elmo.states(batch).unwrap()
}

/// (B, L, width), without dropout.
fn embedded<S: AsRef<str>>(network: &Network, sentences: &[Vec<S>]) -> Tensor {
    let _guard = tch::no_grad_guard();
    network.graph().embed(&network.batch(sentences).unwrap()).unwrap()
}

fn difference(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    f64::try_from((a - b).abs().max()).unwrap()
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn matrix(value: &Value) -> Tensor {
    let rows: Vec<Vec<f32>> = serde_json::from_value(value.clone()).unwrap();
    Tensor::from_slice2(&rows)
}

/// The characters of one sequence without its boundaries, (L, 50).
fn characters(batch: &ElmoBatch, row: i64, length: i64) -> Tensor {
    let widened = batch.spellings.iter().map(|piece| {
        let (words, width) = piece.size2().unwrap();
        let fill = Tensor::full([words, 50 - width], ELMO_FILL, (tch::Kind::Int64, Device::Cpu));
        Tensor::cat(&[piece, &fill], 1)
    });
    let all = Tensor::cat(&widened.collect::<Vec<_>>(), 0);
    all.index_select(0, &batch.rows.get(row).narrow(0, 1, length))
}

#[test]
fn characters_layers_and_mix_equal_the_research_code() {
    let Some(dir) = common::shared("hmtl_reference/elmo") else { return };
    let sentences: Vec<Vec<String>> =
        serde_json::from_value(read(&dir.join("sentences.json"))).unwrap();
    let expected: BTreeMap<String, Tensor> =
        Tensor::read_safetensors(dir.join("expected.safetensors")).unwrap().into_iter().collect();
    let (network, mut params) = network(&dir, json!({}));
    let batch = network.batch(&sentences).unwrap();
    let batch = batch.elmo.as_ref().unwrap();
    let mixed = embedded(&network, &sentences);
    let layers = states(&dir, &mut params, batch);
    assert_eq!(layers.len(), 3);
    for (row, sentence) in sentences.iter().enumerate() {
        let (row, length) = (row as i64, sentence.len() as i64);
        let theirs = expected["character_ids"].get(row).narrow(0, 0, length);
        assert_eq!(characters(batch, row, length), theirs);
    }
    let mut worst = 0_f64;
    let mut check = |name: &str, ours: &Tensor, around: i64| {
        let theirs = &expected[name];
        let mut own = 0_f64;
        for (row, sentence) in sentences.iter().enumerate() {
            let rows = |t: &Tensor| t.get(row as i64).narrow(0, 0, sentence.len() as i64 + around);
            own = own.max(difference(&rows(ours), &rows(theirs)));
        }
        eprintln!("{name}: {own:.1e}");
        worst = worst.max(own);
    };
    for (at, layer) in layers.iter().enumerate() {
        check(&format!("layer{at}_with_boundaries"), layer, 2);
    }
    check("elmo", &mixed, 0);
    assert!(worst < TOLERANCE, "{worst}");
}

#[test]
fn layers_and_mix_equal_the_formulas_in_a_batch_and_alone() {
    let dir = fixture();
    let expected = read(&dir.join("expected.json"));
    let expected = expected.as_array().unwrap();
    let words = |s: &Value| serde_json::from_value::<Vec<String>>(s["words"].clone()).unwrap();
    let sentences: Vec<Vec<String>> = expected.iter().map(words).collect();
    let (network, mut params) = network(&dir, json!({}));
    let mut worst = 0_f64;
    let mut check = |batch: &[Vec<String>], row: usize, expected: &Value| {
        let length = batch[row].len() as i64;
        let elmo = network.batch(batch).unwrap().elmo.unwrap();
        let layers = states(&dir, &mut params, &elmo);
        for (ours, theirs) in layers.iter().zip(expected["layers"].as_array().unwrap()) {
            let ours = ours.get(row as i64).narrow(0, 0, length + 2);
            worst = worst.max(difference(&ours, &matrix(theirs)));
        }
        let mixed = embedded(&network, batch).get(row as i64);
        let (own, padding) = (mixed.narrow(0, 0, length), mixed.slice(0, length, None, 1));
        worst = worst.max(difference(&own, &matrix(&expected["mixed"])));
        assert_eq!(f64::try_from(padding.abs().sum(None)).unwrap(), 0.0);
    };
    for (row, expected) in expected.iter().enumerate() {
        check(&sentences, row, expected);
        check(&sentences[row..=row], 0, expected);
    }
    eprintln!("fixture: {worst:.1e}");
    assert!(worst < TOLERANCE, "{worst}");
}

#[test]
fn what_is_frozen_has_no_gradient_and_the_mix_has() {
    for trainable in [false, true] {
        let (network, params) = network(&fixture(), json!({"trainable": trainable}));
        let batch = network.batch(&[vec!["Zoë", "moved"], vec!["He"]]).unwrap();
        network.graph().embed(&batch).unwrap().sum(None).backward();
        let learns = |name: &str| {
            let gradient = params.tensor(&format!("embedding.context.{name}")).unwrap().grad();
            gradient.defined() && f64::try_from(gradient.abs().sum(None)).unwrap() > 0.0
        };
        for name in ["chars.weight", "highway1.gate.weight", "backward.layer1.weight"] {
            assert_eq!(learns(name), trainable, "{name}");
        }
        assert!(learns("mix.weights") && learns("mix.factor"));
    }
}

/// A copy of the fixture with a text of its description replaced.
fn altered(from: &str, to: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let options = fs::read_to_string(fixture().join("options.json")).unwrap();
    let other = options.replacen(from, to, 1);
    assert!(other != options || from == to);
    fs::write(dir.path().join("options.json"), other).unwrap();
    fs::copy(fixture().join("weights.hdf5"), dir.path().join("weights.hdf5")).unwrap();
    dir
}

#[test]
fn a_folder_that_is_no_elmo_is_refused_by_name() {
    let refused = |dir: &Path, file: &str, named: &str| {
        let error = elmo::weights(dir).unwrap_err().to_string();
        let path = dir.join(file).display().to_string();
        assert!(error.contains(&path) && error.contains(named), "{error}");
        assert!(!error.contains('\n'), "{error}");
    };
    let empty = tempfile::tempdir().unwrap();
    refused(empty.path(), "options.json", "");
    fs::copy(fixture().join("options.json"), empty.path().join("options.json")).unwrap();
    refused(empty.path(), "weights.hdf5", "");
    for (from, to, file, named) in [
        ("\"tanh\"", "\"gelu\"", "options.json", "gelu"),
        ("\"projection_dim\": 3", "\"projection_dim\": -3", "options.json", "projection_dim"),
        ("\"projection_dim\": 3", "\"projection_dim\": 4", "weights.hdf5", "CNN_proj/W_proj"),
        ("\"dim\": 5", "\"dim\": 6", "weights.hdf5", "W_0"),
        ("\"n_layers\": 2", "\"n_layers\": 3", "weights.hdf5", "Cell2"),
        ("\"n_highway\": 2", "\"n_highway\": 3", "weights.hdf5", "CNN_high_2"),
    ] {
        refused(altered(from, to).path(), file, named);
    }
}

#[test]
fn broken_weights_are_an_error_or_other_numbers() {
    let dir = altered("", "");
    let path = dir.path().join("weights.hdf5");
    let whole = fs::read(&path).unwrap();
    for kept in [0, 1, 100, 1000, whole.len() / 2, whole.len() - 1000] {
        fs::write(&path, &whole[..kept]).unwrap();
        let error = elmo::weights(dir.path()).unwrap_err().to_string();
        assert!(error.contains("weights.hdf5") && !error.contains('\n'), "{error}");
    }
    for at in (0..whole.len()).step_by(37) {
        let mut other = whole.clone();
        other[at] ^= 0xff;
        fs::write(&path, &other).unwrap();
        if let Err(error) = elmo::weights(dir.path()) {
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
}

#[test]
fn a_context_without_its_description_is_refused() {
    let config: ModelConfig = serde_json::from_value(json!({
        "format": 1,
        "embedding": {"context": {"type": "elmo"}},
        "encoders": {"low": {"type": "lstm", "inputs": ["embedding"], "hidden": 4, "layers": 1}},
        "tasks": {"ner": {"type": "crf_tagger", "on": "low"}},
    }))
    .unwrap();
    let labels = IndexMap::from([("ner".to_owned(), vec!["PER".to_owned()])]);
    let vocab = Vocabularies { labels, ..Vocabularies::default() };
    let error = Network::new(&config, &vocab, &mut Params::random(Device::Cpu)).unwrap_err();
    assert!(error.to_string().contains("vocabulary.elmo"), "{error}");
}

#[test]
fn the_configuration_of_2018_with_elmo_differs_from_that_without_in_elmo_alone() {
    let config = |name: &str| RunConfig::read(&root().join("configs").join(name)).unwrap();
    let (mut with, without) = (config("hmtl_2018_elmo.json"), config("hmtl_2018.json"));
    assert!(with.model.embedding.context.take().is_some());
    assert!(with.vocabulary.elmo.take().is_some());
    with.card = without.card.clone();
    assert_eq!(with, without);
}
