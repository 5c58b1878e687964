//! What several test programs need.
#![allow(dead_code)] // each program uses a part
#![allow(clippy::print_stderr)] // a skipped test must say so

pub mod toy;

use std::path::PathBuf;

use hmtl::config::ModelConfig;
use hmtl::feature::{Vocab, Vocabularies};
use hmtl::model::{Card, Network, Parts, Precision};
use hmtl::params::Params;
use serde_json::{Value, json};
use tch::Device;

/// Keeps LibTorch to the calling thread: a pool that spins while another program holds a core
/// makes small tensors tens of times slower.
pub fn one_thread() {
    tch::set_num_threads(1);
}

/// The folder of corpora and references beside the project, or `None`, saying so loudly.
pub fn shared(part: &str) -> Option<PathBuf> {
    let root = std::env::var_os("HMTL_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let path = root.join("data").join(part);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: needs {part} in the shared data folder, which is not here");
    None
}

/// A model of every kind of task with random weights, in a folder that goes when this is dropped.
pub fn tiny_model() -> tempfile::TempDir {
    one_thread();
    tch::manual_seed(7);
    let config = ModelConfig::from_json(TINY).unwrap();
    let vocab = tiny_vocabularies();
    let mut params = Params::random(Device::Cpu);
    Network::new(&config, &vocab, &mut params).unwrap();
    let card = Card { name: "tiny".into(), language: "en".into(), ..Card::default() };
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("model");
    Parts { config, vocab, card, tensors: params.snapshot() }
        .save(&target, Precision::Float32)
        .unwrap();
    dir
}

/// A model of nothing but a context embedder, as `context` has it, and a small task.
pub fn context_network(context: &Value, vocab: Vocabularies) -> (Network, Params) {
    one_thread();
    let config = json!({
        "format": 1,
        "embedding": {"context": context},
        "encoders": {"low": {"type": "lstm", "inputs": ["embedding"], "hidden": 4, "layers": 1}},
        "tasks": {"ner": {"type": "crf_tagger", "on": "low"}},
    });
    let labels = [("ner".to_owned(), vec!["PER".to_owned()])].into();
    let mut params = Params::random(Device::Cpu);
    let config = ModelConfig::from_json(&config.to_string()).unwrap();
    let network = Network::new(&config, &Vocabularies { labels, ..vocab }, &mut params).unwrap();
    (network, params)
}

pub fn tiny_vocabularies() -> Vocabularies {
    let names = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    Vocabularies {
        words: Vocab::new(names("maria keller founded nordlicht she sold the company in ."))
            .unwrap(),
        chars: Vocab::new(('a'..='z').chain('A'..='Z').map(String::from)).unwrap(),
        labels: [
            ("ner".to_owned(), names("PER ORG LOC")),
            ("emd".to_owned(), names("person place")),
            ("relation".to_owned(), names("founder_of seller_of")),
        ]
        .into(),
        pieces: None,
        elmo: None,
    }
}

pub const TINY: &str = r#"{
  "format": 1,
  "embedding": {"chars": {"type": "cnn", "size": 6, "filters": 8, "widths": [3]}, "words": {"type": "table", "size": 10}},
  "encoders": {
    "low": {"type": "lstm", "inputs": ["embedding"], "hidden": 8, "layers": 1},
    "mid": {"type": "lstm", "inputs": ["embedding", "low"], "hidden": 8, "layers": 1},
    "top": {"type": "lstm", "inputs": ["embedding", "mid"], "hidden": 8, "layers": 1}
  },
  "tasks": {
    "ner": {"type": "crf_tagger", "on": "low"},
    "emd": {"type": "biaffine", "on": "mid", "hidden": 8, "max_width": 6, "none_score": -0.01},
    "relation": {"type": "mention_pairs", "on": "mid", "arguments": "emd", "hidden": 8, "max_sentences": 1,
                 "reader_hidden": 6, "word_match": 3},
    "coref": {"type": "mention_ranking", "on": "top", "max_span_width": 4, "spans_per_word": 0.4,
              "max_antecedents": 20, "hidden": 12, "feature_size": 4, "projection": 12, "coarse_distance": true,
              "singletons": true}
  }
}"#;
