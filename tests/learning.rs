//! A tiny model of every head learns a language of a few sentences.

mod common;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hmtl::data::{Format, write};
use hmtl::train::{Event, RunConfig, Trainer};
use hmtl::{Cancel, Document, DocumentBuilder, Error, Span};
use serde_json::{Value, json};
use tch::{Device, Tensor};

/// LibTorch draws dropout and first weights from one generator for the whole process, so that two
/// runs at once would not be reproducible.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    common::one_thread();
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const FIRST: [&str; 6] = ["Anna", "Boris", "Clara", "David", "Edith", "Felix"];
const LAST: [&str; 5] = ["Berg", "Castro", "Dunn", "Evans", "Fox"];
const ORG: [&str; 4] = ["Orbit", "Nordlicht", "Tessera", "Quill"];

/// A person, an employer who was or was not left, and a pronoun; the company's office is a mention
/// within a mention.
fn document(n: usize) -> Document {
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
fn run(dir: &Path) -> Value {
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
                    "max_sentences": 1, "lexical": true, "aliases": true,
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
            "seed": 7, "epochs": 12, "sampling": "uniform",
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

fn trainer(config: &Value) -> Trainer {
    let config = RunConfig::from_json(&config.to_string()).unwrap();
    Trainer::new(config, Device::Cpu).unwrap()
}

fn largest(tensor: &Tensor) -> f64 {
    f64::try_from(tensor.abs().max()).unwrap()
}

#[test]
fn every_head_learns_with_raw_and_with_averaged_weights() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    for average in [Value::Null, json!(0.95)] {
        let mut config = run(dir.path());
        config["training"]["average"] = average;
        let mut trainer = trainer(&config);
        let mut last = None;
        let mut on_event = |event: &Event, _: &Trainer| {
            if let Event::Epoch { tasks, .. } = event {
                last = Some(tasks.clone());
            }
            Ok(())
        };
        trainer.train(&mut on_event, &Cancel::new()).unwrap();
        let tasks = last.unwrap();
        assert_eq!(tasks.len(), 6);
        for (task, epoch) in &tasks {
            let score = epoch.score.unwrap();
            assert!(score > 0.9, "{task} {score}: {}", epoch.details);
        }
    }
}

#[test]
fn a_seed_decides_the_losses() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let mut config = run(dir.path());
    config["training"]["average"] = json!(0.9);
    let losses = |config: &Value| -> Vec<(String, f64)> {
        let mut trainer = trainer(config);
        let step = |_| trainer.step().map(|s| (s.task, s.loss)).unwrap();
        (0..20).map(step).collect()
    };
    let first = losses(&config);
    assert_eq!(first, losses(&config));
    config["training"]["seed"] = json!(8);
    assert_ne!(first, losses(&config));
}

#[test]
fn a_task_moves_its_own_head_and_what_lies_below() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let mut trainer = trainer(&run(dir.path()));
    // All tasks have momentum first.
    for _ in 0..40 {
        trainer.step().unwrap();
    }
    let before = trainer.weights();
    let task = trainer.step().unwrap().task;
    for (name, tensor) in trainer.weights() {
        let moved = largest(&(&tensor - &before[&name])) > 0.0;
        let other = name.starts_with("tasks.") && !name.starts_with(&format!("tasks.{task}."));
        assert!(!(moved && other), "{task} moved {name}");
    }
}

#[test]
fn a_loss_that_is_not_finite_names_its_batch_and_keeps_the_weights() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let mut config = run(dir.path());
    config["training"]["optimizer"]["learning_rate"] = json!(1e30);
    let mut trainer = trainer(&config);
    let (error, before) = (0..100)
        .find_map(|_| {
            let before = trainer.weights();
            trainer.step().err().map(|e| (e.to_string(), before))
        })
        .expect("such a learning rate must diverge");
    assert!(error.contains("not finite") && error.contains("task `"), "{error}");
    assert!(error.contains("documents "), "{error}");
    for (name, tensor) in trainer.weights() {
        let same = tensor.isclose(&before[&name], 0.0, 0.0, true).all();
        assert!(bool::try_from(same).unwrap(), "{name} changed");
    }
}

#[test]
fn a_cancelled_run_goes_on_where_it_stopped() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let mut config = run(dir.path());
    config["training"]["epochs"] = json!(2);
    config["training"]["steps_per_epoch"] = json!(4);
    let whole = {
        let mut trainer = trainer(&config);
        trainer.train(&mut |_, _| Ok(()), &Cancel::new()).unwrap();
        trainer.weights()
    };
    let mut trainer = trainer(&config);
    let cancel = Cancel::new();
    let mut on_event = |event: &Event, _: &Trainer| {
        if matches!(event, Event::Step { step: 3, epoch: 1, .. }) {
            cancel.trigger();
        }
        Ok(())
    };
    let stopped = trainer.train(&mut on_event, &cancel);
    assert!(matches!(stopped, Err(Error::Cancelled)));
    trainer.train(&mut |_, _| Ok(()), &Cancel::new()).unwrap();
    for (name, tensor) in trainer.weights() {
        assert_eq!(largest(&(tensor - &whole[&name])), 0.0, "{name}");
    }
}

#[test]
fn training_stops_when_all_tasks_are_out_of_patience() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let mut config = run(dir.path());
    config["training"]["epochs"] = json!(50);
    config["training"]["steps_per_epoch"] = json!(1);
    config["training"]["optimizer"]["learning_rate"] = json!(1e-9);
    for task in ["ner", "emd", "tokens", "relation", "ranking", "coref"] {
        config["training"]["tasks"][task]["patience"] = json!(2);
    }
    let mut trainer = trainer(&config);
    let mut epochs = 0;
    let mut on_event = |event: &Event, _: &Trainer| {
        if let Event::Epoch { tasks, .. } = event {
            epochs += 1;
            assert_eq!(tasks.values().all(|t| t.out_of_patience), epochs == 3);
        }
        Ok(())
    };
    trainer.train(&mut on_event, &Cancel::new()).unwrap();
    assert_eq!(epochs, 3);
}

#[test]
fn data_that_cannot_train_is_refused_by_name() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let refused = |change: fn(&mut Value), named: &str| {
        let mut config = run(dir.path());
        change(&mut config["training"]["tasks"]);
        let config = RunConfig::from_json(&config.to_string()).unwrap();
        let error = Trainer::new(config, Device::Cpu).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    };
    refused(|t| t["ner"]["train"][0]["include"] = json!(["no such document"]), "`ner`");
    refused(|t| t["emd"]["min_label_count"] = json!(1000), "`emd`");
    refused(|t| t["coref"]["dev"][0]["path"] = json!("missing.jsonl"), "missing.jsonl");
    refused(|t| t["ner"]["train"][0]["slice"] = json!([90, 99]), "90..99");
}
