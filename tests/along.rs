//! Tasks that learn along with another: one encoding of a text for all of them.

mod common;

use std::path::Path;

use common::toy::{document, resumed, run, setup, trainer};
use hmtl::data::{Format, write};
use hmtl::feature::Example;
use hmtl::train::{Event, RunConfig, Split, Trainer};
use hmtl::{Cancel, Document};
use serde_json::{Value, json};
use tch::{Device, Tensor};

/// The toy run in which coreference takes all along that reads sentence by sentence.
fn together(dir: &Path) -> Value {
    let mut config = run(dir);
    config["training"]["tasks"]["coref"]["along"] = json!(["ner", "emd", "tokens", "relation"]);
    config["training"]["sampling"] = json!({"type": "proportional"});
    config
}

fn batches(trainer: &Trainer, task: &str) -> u64 {
    trainer.info()["tasks"][task]["batches"].as_u64().unwrap()
}

#[test]
fn all_tasks_learn_in_the_steps_of_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = together(dir.path());
    config["training"]["epochs"] = json!(30);
    let mut trainer = trainer(&config);
    for task in ["ner", "emd", "tokens", "relation"] {
        assert_eq!(batches(&trainer, task), 0, "{task}");
    }
    let mut last = None;
    let mut on_event = |event: &Event, _: &Trainer| {
        match event {
            Event::Step { task, along, .. } => {
                assert!(["coref", "ranking"].contains(&task.as_str()), "{task}");
                assert_eq!(along.len(), if task == "coref" { 4 } else { 0 });
            }
            Event::Epoch { tasks, .. } => last = Some(tasks.clone()),
            _ => {}
        }
        Ok(())
    };
    trainer.train(&mut on_event, &Cancel::new()).unwrap();
    for (task, epoch) in last.unwrap() {
        let score = epoch.score.unwrap();
        assert!(score > 0.9, "{task} {score}: {}", epoch.details);
        assert!(epoch.steps > 0 && epoch.loss.is_some_and(f64::is_finite), "{task}");
    }
}

/// The toy run without dropout: losses are then functions of the weights.
fn plain(dir: &Path) -> Value {
    let mut config = run(dir);
    config["model"]["embedding"]["words"]["dropout"] = json!(0.0);
    config
}

fn value(loss: &Tensor) -> f64 {
    f64::try_from(loss).unwrap()
}

#[test]
fn losses_together_are_those_of_each_alone() {
    let dir = tempfile::tempdir().unwrap();
    let trainer = trainer(&plain(dir.path()));
    let network = trainer.network();
    let docs: Vec<Document> = (0..20).map(document).collect();
    let examples: Vec<Example> = docs.iter().map(Example::whole).collect();
    let tasks = ["coref", "ner", "emd", "tokens", "relation"];
    // A task learns from some of the documents only.
    let own = |task: &str, d: usize| task == "coref" || task == "emd" || d.is_multiple_of(3);
    let gold: Vec<Vec<Option<&Document>>> = tasks
        .iter()
        .map(|task| docs.iter().enumerate().map(|(d, doc)| own(task, d).then_some(doc)).collect())
        .collect();
    let wanted: Vec<_> = tasks.iter().zip(&gold).map(|(task, docs)| (*task, &docs[..])).collect();
    let losses = network.losses(&examples, &wanted).unwrap();
    for (task, loss) in tasks.iter().zip(losses) {
        let some = examples.iter().enumerate().filter(|(d, _)| own(task, *d));
        let some: Vec<Example> = some.map(|(_, e)| e.clone()).collect();
        let alone = network.loss(task, &some).unwrap();
        let (together, alone) = (value(&loss.unwrap()), value(&alone));
        assert!((together - alone).abs() < 1e-4 * alone.abs(), "{task}: {together}, {alone}");
    }
    let none = vec![None; docs.len()];
    let all: Vec<Option<&Document>> = docs.iter().map(Some).collect();
    let losses = network.losses(&examples, &[("coref", &all), ("ner", &none)]).unwrap();
    assert!(losses[0].is_some() && losses[1].is_none());
}

#[test]
fn a_step_follows_the_weighted_sum_of_the_losses() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = plain(dir.path());
    for part in ["model", "training"] {
        let tasks = config[part]["tasks"].as_object_mut().unwrap();
        tasks.retain(|task, _| ["emd", "coref"].contains(&task.as_str()));
    }
    config["training"]["tasks"]["coref"]["along"] = json!(["emd"]);
    config["training"]["optimizer"] = json!({"type": "sgd", "learning_rate": 0.1});
    config["training"]["schedule"] = json!({"type": "constant"});
    for limit in ["gradient_norm", "gradient_value"] {
        config["training"][limit].take();
    }
    // How far the first step moves the head of a task.
    let mut moved = |weight: f64| {
        config["training"]["tasks"]["emd"]["weight"] = json!(weight);
        let mut trainer = trainer(&config);
        let before = trainer.weights();
        trainer.step().unwrap();
        let after = trainer.weights();
        ["tasks.emd.", "tasks.coref."].map(|head| {
            let own = after.iter().filter(|(name, _)| name.starts_with(head));
            let squared = |(name, tensor): (&String, &Tensor)| {
                value(&(tensor - &before[name]).square().sum(tch::Kind::Float))
            };
            own.map(squared).sum::<f64>().sqrt()
        })
    };
    let ([emd, coref], [heavier, same]) = (moved(0.5), moved(1.0));
    assert!(emd > 0.0 && coref > 0.0);
    assert!((heavier / emd - 2.0).abs() < 1e-3, "{emd} {heavier}");
    assert!((same / coref - 1.0).abs() < 1e-3, "{coref} {same}");
}

#[test]
fn each_task_keeps_what_the_other_does_not_have() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = run(dir.path());
    let more: Vec<Document> = (100..104).map(document).collect();
    write(Format::Jsonl, &more, &dir.path().join("more.jsonl")).unwrap();
    let more = json!({"format": "jsonl", "path": dir.path().join("more.jsonl")});
    let tasks = &mut config["training"]["tasks"];
    tasks["ner"]["train"].as_array_mut().unwrap().push(more);
    tasks["ner"]["batch_size"] = json!(1);
    // Other names for its labels make it no other document.
    tasks["ner"]["train"][0]["rename"] = json!({"PER": "PERSON"});
    tasks["coref"]["along"] = json!(["ner"]);
    let mut trainer = trainer(&config);
    // Four documents of two sentences, by itself.
    assert_eq!(batches(&trainer, "ner"), 8);
    assert!(trainer.vocab().labels("ner").iter().any(|l| l == "PERSON"));
    let steps: Vec<_> = (0..200).map(|_| trainer.step().unwrap()).collect();
    let with_ner = |task: &str| {
        steps.iter().filter(move |s| s.task == task).all(|s| s.along.contains_key("ner"))
    };
    assert!(with_ner("coref") && !with_ner("relation"));
    assert!(steps.iter().any(|s| s.task == "ner"));
}

#[test]
fn documents_given_in_memory_are_learned_together_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = run(dir.path());
    for task in ["ner", "coref"] {
        config["training"]["tasks"][task]["train"] = json!([]);
    }
    config["training"]["tasks"]["coref"]["along"] = json!(["ner"]);
    let mut setup = setup(&config);
    let docs: Vec<Document> = (0..6).map(document).collect();
    setup.add("coref", Split::Train, &docs).unwrap();
    setup.add("ner", Split::Train, &docs[..4]).unwrap();
    let trainer = setup.build().unwrap();
    assert_eq!(batches(&trainer, "ner"), 0);
    assert_eq!(batches(&trainer, "coref"), 3);
}

#[test]
fn a_saved_run_goes_on_alike() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = together(dir.path());
    config["training"]["accumulate"] = json!(2);
    let mut whole = trainer(&config);
    (0..5).for_each(|_| drop(whole.step().unwrap()));
    whole.save(&dir.path().join("checkpoint")).unwrap();
    let mut resumed = resumed(&dir.path().join("checkpoint"));
    for _ in 0..5 {
        let (a, b) = (whole.step().unwrap(), resumed.step().unwrap());
        assert_eq!((a.task, a.loss, a.along), (b.task, b.loss, b.along));
    }
    assert_eq!(whole.info(), resumed.info());
}

#[test]
fn what_cannot_learn_together_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |task: &str, along: &[&str], part: &str| {
        let mut config = together(dir.path());
        config["training"]["tasks"][task]["along"] = json!(along);
        let error = match RunConfig::from_json(&config.to_string()) {
            Err(error) => error.to_string(),
            Ok(config) => Trainer::new(config, Device::Cpu).unwrap_err().to_string(),
        };
        assert!(error.contains(part) && error.contains(task), "{error}");
        assert!(!error.contains('\n'), "{error}");
    };
    refused("coref", &["nerr"], "`nerr`, which is not in training.tasks");
    refused("coref", &["coref"], "itself");
    refused("ranking", &["coref"], "takes others along");
    refused("ranking", &["ner"], "only one of the two reads whole documents");
    refused("emd", &["relation"], "reads documents, as this task does not");
    let more: Vec<Document> = (100..102).map(document).collect();
    write(Format::Jsonl, &more, &dir.path().join("more.jsonl")).unwrap();
    let mut config = together(dir.path());
    config["training"]["tasks"]["ner"]["train"][0]["path"] = json!(dir.path().join("more.jsonl"));
    let error = setup(&config).build().unwrap_err().to_string();
    assert!(error.contains("`coref` takes `ner` along, and they have no training"), "{error}");
}
