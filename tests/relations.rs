//! What a run learns about relations beside its weights.

mod common;

use common::toy::{document, run};
use hmtl::train::{RunConfig, Setup, Split, Trainer};
use hmtl::{Document, DocumentBuilder};
use serde_json::{Value, json};
use tch::Device;

fn setup(config: &Value) -> Setup {
    common::one_thread();
    Setup::new(RunConfig::from_json(&config.to_string()).unwrap(), Device::Cpu).unwrap()
}

/// The toy run with only the tasks of relations between mentions.
fn toy(dir: &std::path::Path) -> Value {
    let mut config = run(dir);
    for part in ["model", "training"] {
        let all = config[part]["tasks"].as_object_mut().unwrap();
        all.retain(|name, _| ["ner", "relation"].contains(&name.as_str()));
    }
    config
}

/// A toy document whose relation goes the other way, under another name.
fn employs(n: usize) -> Document {
    let doc = document(n);
    let mut build = DocumentBuilder::new(doc.clone());
    for (span, label) in doc.labelled("ner") {
        build.label(span, "ner", &label.label, None);
    }
    let ends = [doc.relations[0].tail, doc.relations[0].head].map(|m| doc.mentions[m].span());
    build.relation("relation", "employs", ends[0], ends[1], None);
    build.finish()
}

/// How often a label was seen with the types of its head and its tail.
fn seen(trainer: &Trainer, label: &str) -> Vec<(String, String, f64)> {
    let counts = &trainer.weights()["tasks.relation.seen"];
    let (types, labels) = (trainer.vocab().labels("ner"), trainer.vocab().labels("relation"));
    let label = labels.iter().position(|l| l == label).unwrap() as i64;
    let pairs = (0..types.len()).flat_map(|h| (0..types.len()).map(move |t| (h, t)));
    let counted = pairs.map(|(h, t)| {
        let count = counts.double_value(&[h as i64, t as i64, label]);
        (types[h].clone(), types[t].clone(), count)
    });
    counted.filter(|(_, _, count)| *count > 0.0).collect()
}

#[test]
fn types_that_were_seen_are_kept_in_checkpoint_and_model_and_grow_with_new_data() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = toy(dir.path());
    config["model"]["tasks"]["relation"]["constrain"] = json!({"min_count": 2});
    let mut trainer = setup(&config).build().unwrap();
    let once = |head: &str, tail: &str, count| vec![(head.to_owned(), tail.to_owned(), count)];
    assert_eq!(seen(&trainer, "works_for"), once("PER", "ORG", 12.0));
    for _ in 0..10 {
        trainer.step().unwrap();
    }
    let checkpoint = dir.path().join("checkpoint");
    trainer.save(&checkpoint).unwrap();
    let trainer = Setup::resume(&checkpoint, None).unwrap().build().unwrap();
    assert_eq!(seen(&trainer, "works_for"), once("PER", "ORG", 12.0));

    let start = dir.path().join("start");
    trainer.model().unwrap().save(&start, Default::default()).unwrap();
    let config = json!({
        "format": 1, "start": start, "model": {},
        "training": {"epochs": 1, "tasks": {"relation": {"batch_size": 4}}},
    });
    let mut setup = setup(&config);
    let new: Vec<Document> = (0..6).map(employs).chain([document(0)]).collect();
    setup.add("relation", Split::Train, &new).unwrap();
    let trainer = setup.build().unwrap();
    assert_eq!(seen(&trainer, "employs"), once("ORG", "PER", 6.0));
    assert_eq!(seen(&trainer, "works_for"), once("PER", "ORG", 13.0));
    assert_eq!(seen(&trainer, "worked_for"), once("PER", "ORG", 12.0));
}
