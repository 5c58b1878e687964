//! What a run learns about relations beside its weights.

mod common;

use common::toy::{document, run, setup};
use hmtl::model::AnnotateOptions;
use hmtl::train::{RunConfig, Setup, Split, Trainer};
use hmtl::{Cancel, Document, DocumentBuilder, Span};
use serde_json::{Value, json};

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

/// A person who joins a company, twice in one sentence, and the company's name twice.
fn repeated(n: usize) -> Document {
    let (first, org) = (["Anna", "Boris", "Clara"][n % 3], ["Orbit", "Quill"][n % 2]);
    let half = [first, "joined", org];
    let words: Vec<&str> = half.iter().chain(&[","]).chain(&half).chain(&["."]).copied().collect();
    let mut build = DocumentBuilder::new(Document::from_sentences(&[words]));
    let spans = [0, 2, 4, 6].map(|at| Span::new(at, at + 1));
    for (span, label) in spans.into_iter().zip(["PER", "ORG", "PER", "ORG"]) {
        build.label(span, "ner", label, None);
    }
    build.relation("relation", "works_for", spans[0], spans[1], None);
    build.relation("relation", "works_for", spans[2], spans[3], None);
    build.cluster(vec![spans[0], spans[2]]);
    build.cluster(vec![spans[1], spans[3]]);
    build.finish()
}

#[test]
fn relations_between_mentions_are_each_learned_and_stated() {
    let dir = tempfile::tempdir().unwrap();
    let learned = |between: &str| {
        let mut config = toy(dir.path());
        config["model"]["tasks"]["relation"]["between"] = json!(between);
        config["training"]["epochs"] = json!(16);
        for task in ["ner", "relation"] {
            for split in ["train", "dev"] {
                config["training"]["tasks"][task][split] = json!([]);
            }
        }
        let mut setup = setup(&config);
        let docs: Vec<Document> = (0..24).map(repeated).collect();
        for task in ["ner", "relation"] {
            setup.add(task, Split::Train, &docs).unwrap();
            setup.add(task, Split::Dev, &docs[..6]).unwrap();
        }
        let mut trainer = setup.build().unwrap();
        trainer.train(&mut |_, _| Ok(()), &Cancel::new()).unwrap();
        let options = AnnotateOptions::default();
        let found = trainer.network().annotate(&docs[..1], &options, &Cancel::new()).unwrap();
        let span = |m: usize| found[0].mentions[m].first_token;
        let stated = found[0].relations.iter().map(|r| (span(r.head), span(r.tail)));
        let mut stated: Vec<(usize, usize)> = stated.collect();
        stated.sort_unstable();
        stated
    };
    assert_eq!(learned("mentions"), [(0, 2), (4, 6)]);
    assert_eq!(learned("entities").len(), 1);
    let mut config = toy(dir.path());
    config["model"]["tasks"]["relation"]["between"] = json!("words");
    let error = RunConfig::from_json(&config.to_string()).unwrap_err().to_string();
    assert!(error.contains("words") && error.contains("mentions"), "{error}");
}
