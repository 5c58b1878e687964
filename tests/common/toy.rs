//! A language of a few sentences, and a run that learns it with every kind of head.

use std::path::Path;

use hmtl::data::{Format, write};
use hmtl::train::{RunConfig, Setup, Split, Trainer};
use hmtl::{Cancel, Document, DocumentBuilder, Span};
use serde_json::{Value, json};
use tch::Device;

const FIRST: [&str; 6] = ["Anna", "Boris", "Clara", "David", "Edith", "Felix"];
const LAST: [&str; 5] = ["Berg", "Castro", "Dunn", "Evans", "Fox"];
const ORG: [&str; 4] = ["Orbit", "Nordlicht", "Tessera", "Quill"];

/// A person, an employer who was or was not left, and a pronoun; the company's office is a mention
/// within a mention.
pub fn document(n: usize) -> Document {
    let verb = if n.is_multiple_of(2) { "joined" } else { "left" };
    let (first, last, org) = (FIRST[n % 6], LAST[n % 5], ORG[n % 4]);
    let sentences = [
        vec![first, last, verb, org, "Labs", "."],
        vec!["She", "saw", "the", "office", "of", org, "Labs", "."],
    ];
    let mut doc = Document::from_sentences(&sentences);
    doc.id = Some(format!("doc-{n}"));
    let mut build = DocumentBuilder::new(doc);
    let (person, company) = (Span::new(0, 2), Span::new(3, 5));
    let (pronoun, office, again) = (Span::new(6, 7), Span::new(8, 13), Span::new(11, 13));
    for layer in ["ner", "emd"] {
        build.label(person, layer, "PER", None);
        build.label(company, layer, "ORG", None);
        build.label(again, layer, "ORG", None);
    }
    build.label(office, "emd", "PLACE", None);
    let label = if n.is_multiple_of(2) { "works_for" } else { "worked_for" };
    build.relation("relation", label, person, company, None);
    build.cluster(vec![person, pronoun]);
    build.cluster(vec![company, again]);
    build.layer("coref");
    build.finish()
}

/// Documents in which tasks find nothing: no mentions, one token, an empty sentence.
fn bare(n: usize) -> Document {
    let sentences = if n == 0 { vec![vec!["."]] } else { vec![vec!["saw", "the", "."], vec![]] };
    let mut build = DocumentBuilder::new(Document::from_sentences(&sentences));
    for layer in ["ner", "emd", "relation", "coref"] {
        build.layer(layer);
    }
    build.finish()
}

/// A run over six tasks, one for each head; the data is written to `dir`.
pub fn run(dir: &Path) -> Value {
    let train: Vec<Document> = (0..24).map(document).chain((0..2).map(bare)).collect();
    let dev: Vec<Document> = (24..30).map(document).collect();
    write(Format::Jsonl, &train, &dir.join("train.jsonl")).unwrap();
    write(Format::Jsonl, &dev, &dir.join("dev.jsonl")).unwrap();
    let task = |batch_size: usize| {
        json!({
            "train": [{"format": "jsonl", "path": dir.join("train.jsonl")}],
            "dev": [{"format": "jsonl", "path": dir.join("dev.jsonl")}],
            "batch_size": batch_size,
        })
    };
    json!({
        "format": 1,
        "model": {
            "format": 1,
            "embedding": {
                "chars": {"type": "cnn", "size": 8, "filters": 8, "widths": [3]},
                "words": {"type": "table", "size": 24, "dropout": 0.1},
            },
            "encoders": {
                "low": {"type": "lstm", "inputs": ["embedding"], "hidden": 24, "layers": 1},
                "top": {"type": "lstm", "inputs": ["embedding", "low"], "hidden": 24, "layers": 1},
            },
            "tasks": {
                "ner": {"type": "crf_tagger", "on": "low"},
                "emd": {"type": "biaffine", "on": "low", "hidden": 16},
                "tokens": {
                    "type": "head_selection", "on": "top", "layer": "relation",
                    "arguments": "ner", "hidden": 24,
                },
                "relation": {
                    "type": "mention_pairs", "on": "top", "arguments": "ner", "hidden": 24,
                    "max_sentences": 1,
                },
                "ranking": {
                    "type": "mention_ranking", "on": "top", "layer": "coref",
                    "max_span_width": 5, "spans_per_word": 2.0, "max_antecedents": 30,
                    "hidden": 24, "feature_size": 6, "whole_document": true,
                },
                "coref": {
                    "type": "mention_ranking", "on": "top", "projection": 24,
                    "max_span_width": 5, "spans_per_word": 2.0, "max_antecedents": 30,
                    "hidden": 24, "feature_size": 6,
                },
            },
        },
        "training": {
            "seed": 7, "epochs": 12, "sampling": {"type": "uniform"},
            "optimizer": {"learning_rate": 0.01},
            "schedule": {"type": "linear", "warmup": 5},
            "gradient_norm": 5.0, "gradient_value": 10.0,
            "tasks": {
                "ner": task(8), "emd": task(8), "tokens": task(8),
                "relation": task(4), "ranking": task(2), "coref": task(2),
            },
        },
    })
}

pub fn setup(config: &Value) -> Setup {
    super::one_thread();
    Setup::new(RunConfig::from_json(&config.to_string()).unwrap(), Device::Cpu).unwrap()
}

pub fn trainer(config: &Value) -> Trainer {
    setup(config).build().unwrap()
}

pub fn resumed(dir: &Path) -> Trainer {
    Setup::resume(dir, None).unwrap().build().unwrap()
}

/// The task and the loss of each of some steps.
pub fn steps(trainer: &mut Trainer, count: usize) -> Vec<(String, f64)> {
    (0..count).map(|_| trainer.step().map(|s| (s.task, s.loss)).unwrap()).collect()
}

pub fn dev_score(trainer: &mut Trainer, task: &str) -> f64 {
    trainer.evaluate(task, Split::Dev, &Cancel::new()).unwrap().unwrap().score
}
