//! The transformer against Python's `transformers`, by what scripts/transformer_fixture.py stored.

mod common;

use std::path::{Path, PathBuf};

use hmtl::config::ModelConfig;
use hmtl::embed::pretrained;
use hmtl::feature::Vocabularies;
use hmtl::model::Network;
use hmtl::params::Params;
use serde_json::{Value, json};
use tch::{Device, Tensor};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn fixtures() -> PathBuf {
    root().join("tests/data/transformer")
}

/// A model of the transformer in `dir` with its weights.
fn network(dir: &Path, mut context: Value) -> (Network, Params) {
    context["type"] = json!("transformer");
    let pieces = Some(pretrained::pieces(dir).unwrap());
    let vocab = Vocabularies { pieces, ..Vocabularies::default() };
    let (network, mut params) = common::context_network(&context, vocab);
    params.assign(&pretrained::weights(dir, &params).unwrap()).unwrap();
    (network, params)
}

/// (B, L, width), without dropout.
fn embedded(network: &Network, sentences: &[Vec<&str>]) -> Tensor {
    let _guard = tch::no_grad_guard();
    network.graph().embed(&network.batch(sentences).unwrap()).unwrap()
}

/// Compares the vectors of all sentences, in one padded batch and one by one.
fn agrees(dir: &Path, name: &str, context: Value, key: &str) {
    let text = std::fs::read_to_string(fixtures().join(name).with_extension("json")).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    let columns = expected["columns"].as_u64().unwrap() as usize;
    let (network, _params) = network(dir, context);
    let words =
        |s: &'_ Value| -> Vec<String> { serde_json::from_value(s["words"].clone()).unwrap() };
    let sentences = expected["sentences"].as_array().unwrap();
    let texts: Vec<Vec<String>> = sentences.iter().map(words).collect();
    let texts: Vec<Vec<&str>> =
        texts.iter().map(|t| t.iter().map(String::as_str).collect()).collect();
    let together = embedded(&network, &texts);
    let mut compared = 0;
    for (s, sentence) in sentences.iter().enumerate() {
        let alone = embedded(&network, &texts[s..=s]);
        for (at, word) in sentence["vectors"].as_array().unwrap().iter().enumerate() {
            let Some(word) = word.as_object() else { continue };
            let expected: Vec<f64> = serde_json::from_value(word[key].clone()).unwrap();
            for vectors in [together.get(s as i64), alone.get(0)] {
                let found = Vec::<f32>::try_from(vectors.get(at as i64)).unwrap();
                for (expected, found) in expected.iter().zip(found.iter().step_by(columns)) {
                    let difference = (expected - f64::from(*found)).abs();
                    assert!(difference < 1e-4, "{name}, {:?}: {difference}", texts[s][at]);
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 500, "{compared}");
}

#[test]
fn bert_equals_transformers() {
    let dir = fixtures().join("bert");
    agrees(&dir, "bert", json!({}), "first");
    agrees(&dir, "bert", json!({"pooling": "mean"}), "mean");
    // Equal weights at first.
    agrees(&dir, "bert", json!({"mix": true}), "mixed");
}

#[test]
fn roberta_equals_transformers() {
    let dir = fixtures().join("roberta");
    agrees(&dir, "roberta", json!({}), "first");
    agrees(&dir, "roberta", json!({"pooling": "mean"}), "mean");
}

#[test]
fn modernbert_equals_transformers() {
    let dir = fixtures().join("modernbert");
    agrees(&dir, "modernbert", json!({}), "first");
    agrees(&dir, "modernbert", json!({"pooling": "mean"}), "mean");
    agrees(&dir, "modernbert", json!({"mix": true}), "mixed");
}

#[test]
fn modernbert_s_older_description_says_the_same() {
    let copy = tempfile::tempdir().unwrap();
    let dir = fixtures().join("modernbert");
    for name in ["tokenizer.json", "model.safetensors"] {
        std::fs::copy(dir.join(name), copy.path().join(name)).unwrap();
    }
    let config = std::fs::read_to_string(dir.join("config.json")).unwrap();
    let mut config: Value = serde_json::from_str(&config).unwrap();
    let object = config.as_object_mut().unwrap();
    assert!(object.remove("layer_types").is_some() && object.remove("rope_parameters").is_some());
    object.extend([
        ("global_attn_every_n_layers".to_owned(), json!(3)),
        ("global_rope_theta".to_owned(), json!(160_000.0)),
        ("local_rope_theta".to_owned(), json!(10_000.0)),
    ]);
    std::fs::write(copy.path().join("config.json"), config.to_string()).unwrap();
    agrees(copy.path(), "modernbert", json!({}), "first");
}

#[test]
#[allow(clippy::print_stderr)] // a skipped test must say so
fn minilm_equals_transformers() {
    let dir = root().join(".vectors/minilm");
    if !dir.is_dir() {
        eprintln!("SKIPPED: needs {}; scripts/minilm.py brings it", dir.display());
        return;
    }
    agrees(&dir, "minilm", json!({}), "first");
    agrees(&dir, "minilm", json!({"pooling": "mean"}), "mean");
}

#[test]
fn a_long_sentence_is_read_in_windows() {
    let (network, _params) = network(&fixtures().join("bert"), json!({"window": 16, "overlap": 8}));
    let words: Vec<&str> = ["the", "cat", "sat", "on", "mat", "dog"].repeat(50);
    let vectors = embedded(&network, std::slice::from_ref(&words));
    assert_eq!(vectors.size()[..2], [1, words.len() as i64]);
    assert!(bool::try_from(vectors.isfinite().all()).unwrap());
    // The first window is that of the sentence's beginning alone.
    let beginning = embedded(&network, &[words[..4].to_vec()]);
    let short = embedded(&network, &[words[..3].to_vec()]);
    assert!(!beginning.get(0).narrow(0, 0, 3).allclose(&short.get(0), 1e-5, 1e-5, false));
    let (whole, _params) = network_of_window(64);
    let far = embedded(&whole, &[words[..40].to_vec()]);
    let near = embedded(&network, &[words[..40].to_vec()]);
    assert!(!far.allclose(&near, 1e-5, 1e-5, false), "the window makes no difference");
}

#[test]
fn hundreds_of_windows_are_read_like_one() {
    let (network, _params) = network(&fixtures().join("bert"), json!({"window": 16, "overlap": 8}));
    let words: Vec<&str> = ["the", "cat", "sat", "on", "mat", "dog", "the"].repeat(900);
    // Windows of the same text fall into other groups the second time.
    let twice = embedded(&network, &[words.clone(), words.clone()]);
    assert!(twice.get(0).allclose(&twice.get(1), 1e-5, 1e-5, false));
    let few = embedded(&network, &[words[..100].to_vec()]).get(0).narrow(0, 0, 80);
    assert!(twice.get(0).narrow(0, 0, 80).allclose(&few, 1e-5, 1e-5, false));
}

fn network_of_window(window: usize) -> (Network, Params) {
    network(&fixtures().join("bert"), json!({"window": window}))
}

#[test]
fn what_is_frozen_has_no_gradient_and_the_rest_has() {
    for trainable in [false, true] {
        let (_network, params) =
            network(&fixtures().join("bert"), json!({"trainable": trainable, "mix": true}));
        let learns = |name: &str| params.tensor(name).unwrap().requires_grad();
        assert_eq!(learns("embedding.context.encoder.layer.0.output.dense.weight"), trainable);
        assert!(learns("embedding.context.mix.weights"));
    }
}

#[test]
fn a_folder_that_is_no_transformer_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |message: &str| {
        let error = pretrained::pieces(dir.path()).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    };
    refused("config.json");
    std::fs::copy(fixtures().join("bert/config.json"), dir.path().join("config.json")).unwrap();
    refused("tokenizer.json");
    std::fs::write(dir.path().join("tokenizer.json"), "{}").unwrap();
    refused("tokenizer.json");
    let config = std::fs::read_to_string(dir.path().join("config.json")).unwrap();
    std::fs::copy(fixtures().join("bert/tokenizer.json"), dir.path().join("tokenizer.json"))
        .unwrap();
    let other = config.replace("\"bert\"", "\"deberta\"");
    assert_ne!(other, config);
    std::fs::write(dir.path().join("config.json"), other).unwrap();
    let pieces = pretrained::pieces(dir.path()).unwrap();
    let model: ModelConfig = serde_json::from_value(json!({
        "format": 1,
        "embedding": {"context": {"type": "transformer"}},
        "encoders": {"low": {"type": "lstm", "inputs": ["embedding"], "hidden": 4, "layers": 1}},
        "tasks": {"coref": {"type": "mention_ranking", "on": "low", "max_span_width": 2,
            "spans_per_word": 0.4, "max_antecedents": 5, "hidden": 4, "feature_size": 2}},
    }))
    .unwrap();
    let vocab = Vocabularies { pieces: Some(pieces), ..Vocabularies::default() };
    let error = Network::new(&model, &vocab, &mut Params::random(Device::Cpu)).unwrap_err();
    assert!(error.to_string().contains("deberta"), "{error}");
    let error = Network::new(&model, &Vocabularies::default(), &mut Params::random(Device::Cpu))
        .unwrap_err();
    assert!(error.to_string().contains("vocabulary.transformer"), "{error}");
}
