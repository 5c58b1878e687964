//! Models whose embedders and encoders compute in bfloat16: nearly the same is found,
//! and nothing is lost when such a model is saved.

mod common;

use std::collections::HashMap;
use std::path::Path;

use hmtl::model::{AnnotateOptions, Compute, LoadOptions, Precision};
use hmtl::{Cancel, Document, Model, Span};

fn load(dir: &Path, compute: Compute) -> Model {
    let options = LoadOptions { compute, plain: true, ..LoadOptions::default() };
    Model::load(dir, &options).unwrap()
}

fn default_model() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default")
}

/// Labels of mentions with their scores.
fn found(docs: &[Document]) -> HashMap<(usize, Span, String, String), f32> {
    let mut found = HashMap::new();
    for (d, doc) in docs.iter().enumerate() {
        for mention in &doc.mentions {
            let span = Span::new(mention.first_token, mention.last_token);
            for (task, label) in &mention.labels {
                let key = (d, span, task.clone(), label.label.clone());
                found.insert(key, label.score.unwrap());
            }
        }
    }
    found
}

#[test]
fn nearly_the_same_is_found_in_half_the_precision() {
    common::one_thread();
    let texts = [include_str!("../examples/demo.txt"), include_str!("../LICENSE-APACHE")];
    let docs = texts.map(hmtl::text::tokenize);
    let annotate = |compute| {
        let model = load(&default_model(), compute);
        model.annotate_documents(&docs, &AnnotateOptions::default(), &Cancel::new()).unwrap()
    };
    let (half, float) = (annotate(Compute::Bf16), annotate(Compute::Float32));
    let (half, float) = (found(&half), found(&float));
    let both: Vec<f32> =
        float.iter().filter_map(|(key, score)| Some((score - half.get(key)?).abs())).collect();
    let most = float.len().max(half.len());
    println!("{} of {most} labels are the same", both.len());
    assert!(both.len() * 100 >= most * 95, "{} of {most}", both.len());
    let mean = both.iter().sum::<f32>() / both.len() as f32;
    println!("scores differ by {mean} on average");
    // It does compute in another precision, and that costs little.
    assert!(mean > 1e-5 && mean < 0.02, "{mean}");
}

#[test]
fn every_kind_of_layer_computes_in_it() {
    let dir = common::tiny_model();
    let model = load(&dir.path().join("model"), Compute::Bf16);
    let text = include_str!("../examples/demo.txt");
    let doc = model.annotate(text, &AnnotateOptions::default()).unwrap();
    assert!(!doc.mentions.is_empty());
    let scores = doc.mentions.iter().flat_map(|m| m.labels.values()).filter_map(|l| l.score);
    assert!(scores.into_iter().all(f32::is_finite));
}

#[test]
fn a_model_that_is_saved_is_not_rounded() {
    let own = common::tiny_model();
    let own = own.path().join("model");
    let dir = tempfile::tempdir().unwrap();
    let saved = dir.path().join("saved");
    load(&own, Compute::Bf16).save(&saved, Precision::Float32).unwrap();
    let weights = |dir: &Path| std::fs::read(dir.join("weights.safetensors")).unwrap();
    assert_eq!(weights(&own), weights(&saved));
}
