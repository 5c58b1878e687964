//! Models that read contextual vectors: trained, saved, resumed and loaded like all others.

mod common;

use std::fs;
use std::path::Path;

use common::toy::{resumed, run, steps, trainer};
use hmtl::model::{AnnotateOptions, Compute, LoadOptions, Precision};
use hmtl::{Document, Model};
use serde_json::{Value, json};

/// Trains the toy run with a context embedder from a folder that is then gone, and takes it
/// through a checkpoint and a model directory. What of `moved` and `stays` is not so is named.
fn comes_back(context: &Value, files: &[&str], data: &str, moved: &[&str], stays: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = run(dir.path());
    let kind = context["type"].as_str().unwrap();
    let source = dir.path().join(kind);
    fs::create_dir(&source).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(data);
    for file in files {
        fs::copy(folder.join(file), source.join(file)).unwrap();
    }
    config["vocabulary"] = json!({kind: source});
    config["model"]["embedding"] = json!({"context": context});
    if kind == "transformer" {
        config["training"]["freeze"] = json!(["embedding.context.embeddings"]);
        config["training"]["optimizer"]["groups"] =
            json!([{"parameters": ["embedding.context"], "learning_rate": 0.001}]);
    }
    let mut whole = trainer(&config);
    let before = whole.model().unwrap().tensors;
    steps(&mut whole, 6);
    let checkpoint = dir.path().join("checkpoint");
    whole.save(&checkpoint).unwrap();
    fs::remove_dir_all(&source).unwrap();
    let mut again = resumed(&checkpoint);
    assert_eq!(steps(&mut again, 3), steps(&mut whole, 3));
    let after = whole.model().unwrap().tensors;
    let has_moved = |name: &&&str| {
        let name = format!("embedding.context.{name}");
        f64::try_from((&before[&name] - &after[&name]).abs().max()).unwrap() > 0.0
    };
    assert_eq!(moved.iter().filter(has_moved).count(), moved.len(), "{moved:?}");
    assert_eq!(stays.iter().find(has_moved), None);
    let model = dir.path().join("model");
    whole.model().unwrap().save(&model, Precision::Float32).unwrap();
    let annotate = |model: &Model| {
        model.annotate("Anna Berg joined Orbit Labs.", &AnnotateOptions::default()).unwrap()
    };
    let kept = Model::new(whole.model().unwrap()).unwrap();
    let loaded = Model::load(&model, &Default::default()).unwrap();
    assert_eq!(annotate(&kept), annotate(&loaded));
    let options = LoadOptions { compute: Compute::Bf16, ..LoadOptions::default() };
    let half = annotate(&Model::load(&model, &options).unwrap());
    let scores = |doc: &Document| -> Vec<f32> {
        doc.mentions.iter().flat_map(|m| m.labels.values()).filter_map(|l| l.score).collect()
    };
    let (half, whole) = (scores(&half), scores(&annotate(&loaded)));
    let apart = half.iter().zip(&whole).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // Six steps teach little: where nothing is found, all layers have run in that precision nonetheless.
    assert!(half.len() == whole.len() && apart < 0.1, "{half:?} {whole:?}");
    assert!(whole.is_empty() || apart > 0.0, "{whole:?}");
    let altered = files.iter().find(|f| f.ends_with(".json") && **f != "config.json").unwrap();
    fs::write(model.join(kind).join(altered), "{}").unwrap();
    let error = Model::load(&model, &Default::default()).unwrap_err().to_string();
    assert!(error.contains(&format!("{altered}: was altered")), "{error}");
}

#[test]
fn a_transformer_trains_and_comes_back_from_its_directory() {
    comes_back(
        &json!({"type": "transformer", "mix": true}),
        &["config.json", "tokenizer.json", "model.safetensors"],
        "transformer/bert",
        &["encoder.layer.0.attention.self.query.weight", "mix.weights"],
        &["embeddings.word_embeddings.weight"],
    );
}

#[test]
fn an_elmo_comes_back_and_only_its_mix_is_learned() {
    comes_back(
        &json!({"type": "elmo", "dropout": 0.1}),
        &["options.json", "weights.hdf5"],
        "elmo",
        &["mix.weights"],
        &["forward.layer0.weight"],
    );
}
