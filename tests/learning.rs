//! A tiny model of every head learns a language of a few sentences.

mod common;

use std::path::Path;

use common::toy::{run, setup, trainer};
use hmtl::train::{Event, RunConfig, Split, Trainer};
use hmtl::{Cancel, Document, DocumentBuilder, Error};
use serde_json::{Value, json};
use tch::{Device, Tensor};

fn largest(tensor: &Tensor) -> f64 {
    f64::try_from(tensor.abs().max()).unwrap()
}

#[test]
fn every_head_learns_with_raw_and_with_averaged_weights() {
    common::one_thread();
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
    common::one_thread();
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
    common::one_thread();
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
    common::one_thread();
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
    assert!(error.contains("(batch: document doc-") && error.contains(" sentence"), "{error}");
    for (name, tensor) in trainer.weights() {
        let same = tensor.isclose(&before[&name], 0.0, 0.0, true).all();
        assert!(bool::try_from(same).unwrap(), "{name} changed");
    }
}

#[test]
fn a_cancelled_run_goes_on_where_it_stopped() {
    common::one_thread();
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

/// Tasks that cannot get better: `ner` and `emd` are out of patience after three epochs, the others
/// after five.
fn hopeless(dir: &Path) -> Value {
    let mut config = run(dir);
    config["training"]["epochs"] = json!(50);
    config["training"]["steps_per_epoch"] = json!(6);
    config["training"]["sampling"] = json!({"type": "round_robin"});
    config["training"]["optimizer"]["learning_rate"] = json!(1e-9);
    for (task, training) in config["training"]["tasks"].as_object_mut().unwrap() {
        training["patience"] = json!(if ["ner", "emd"].contains(&task.as_str()) { 2 } else { 4 });
    }
    config
}

#[test]
fn training_stops_when_all_any_or_enough_tasks_are_out_of_patience() {
    common::one_thread();
    let dir = tempfile::tempdir().unwrap();
    for (when, last) in [
        (json!({"type": "all"}), 5),
        (json!({"type": "any"}), 3),
        (json!({"type": "vote", "share": 0.5}), 5),
        (json!({"type": "vote", "share": 0.5, "weights": {"ner": 3.0}}), 3),
    ] {
        let mut config = hopeless(dir.path());
        config["training"]["stopping"] = json!({"when": when});
        let mut trainer = trainer(&config);
        let mut epochs = 0;
        let mut on_event = |event: &Event, _: &Trainer| {
            if let Event::Epoch { tasks, .. } = event {
                epochs += 1;
                let out = tasks.values().filter(|t| t.out_of_patience).count();
                assert_eq!(out, [0, 0, 2, 2, 6][epochs - 1]);
            }
            Ok(())
        };
        trainer.train(&mut on_event, &Cancel::new()).unwrap();
        assert_eq!(epochs, last, "{when}");
        assert_eq!(trainer.info()["finished"], "patience");
    }
}

#[test]
fn a_task_out_of_patience_rests_or_goes_on() {
    common::one_thread();
    let dir = tempfile::tempdir().unwrap();
    for (exhausted, rests) in [("rest", true), ("train", false)] {
        let mut config = hopeless(dir.path());
        config["training"]["stopping"] = json!({"exhausted": exhausted});
        let mut trainer = trainer(&config);
        let mut on_event = |event: &Event, _: &Trainer| {
            if let Event::Epoch { epoch, tasks, .. } = event {
                assert_eq!(tasks["ner"].steps == 0, rests && *epoch > 3, "epoch {epoch}");
                assert!(tasks["coref"].steps > 0);
            }
            Ok(())
        };
        trainer.train(&mut on_event, &Cancel::new()).unwrap();
    }
}

/// How far one plain step of `ner`, at a rate that is not clipped, moves a tensor.
fn moved(change: impl Fn(&mut Value)) -> Tensor {
    let dir = tempfile::tempdir().unwrap();
    let mut config = run(dir.path());
    let training = &mut config["training"];
    training["optimizer"] = json!({"type": "sgd", "learning_rate": 1e-3});
    training["sampling"] = json!({"type": "sequential"});
    for limit in ["gradient_norm", "gradient_value", "schedule"] {
        training.as_object_mut().unwrap().shift_remove(limit);
    }
    change(&mut config);
    let mut trainer = trainer(&config);
    let name = "tasks.ner.start";
    let before = trainer.weights()[name].copy();
    assert_eq!(trainer.step().unwrap().task, "ner");
    &trainer.weights()[name] - before
}

#[test]
fn the_weight_of_a_task_is_a_factor_of_its_loss() {
    common::one_thread();
    let of = |weight: f64| moved(|c| c["training"]["tasks"]["ner"]["weight"] = json!(weight));
    let (once, twice) = (of(1.0), of(2.0));
    assert!(largest(&once) > 0.0);
    assert!(largest(&(once * 2.0 - &twice)) < 1e-3 * largest(&twice));
}

#[test]
fn accumulated_gradients_are_averaged() {
    common::one_thread();
    let of = |accumulate: usize| {
        moved(|config| {
            config["model"]["embedding"]["words"]["dropout"] = json!(0.0);
            config["training"]["accumulate"] = json!(accumulate);
            // One document is one batch: every draw is the same.
            config["training"]["tasks"]["ner"]["train"][0]["slice"] = json!([0, 1]);
        })
    };
    let (once, thrice) = (of(1), of(3));
    assert!(largest(&once) > 0.0);
    assert!(largest(&(&once - thrice)) < 1e-3 * largest(&once));
}

#[test]
fn data_that_cannot_train_is_refused_by_name() {
    common::one_thread();
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
    // What is named must hold something, be it dev data only.
    std::fs::write(dir.path().join("empty.jsonl"), "").unwrap();
    for split in ["train", "dev"] {
        let mut config = run(dir.path());
        config["training"]["tasks"]["emd"][split][0]["path"] =
            json!(dir.path().join("empty.jsonl"));
        let config = RunConfig::from_json(&config.to_string()).unwrap();
        let error = Trainer::new(config, Device::Cpu).unwrap_err().to_string();
        let named = format!("task `emd`: the {split} data has no documents");
        assert!(error.contains(&named) && error.contains("empty.jsonl"), "{error}");
    }
}

#[test]
fn relations_learn_from_texts_that_state_none() {
    let dir = tempfile::tempdir().unwrap();
    let config = run(dir.path());
    let examples = |layers: &[&str]| {
        let mut build =
            DocumentBuilder::new(Document::from_sentences(&[vec!["Anna", "left", "."]]));
        layers.iter().for_each(|layer| build.layer(layer));
        let mut setup = setup(&config);
        setup.add("relation", Split::Train, &[build.finish()]).unwrap();
        setup.build().unwrap().info()["tasks"]["relation"]["examples"].as_u64().unwrap()
    };
    // Names were looked for, and there are not two that could be related; or the model finds its own.
    let [none, own] = [examples(&["ner", "relation"]), examples(&["relation"])];
    assert_eq!(own, none + 1);
}

#[test]
fn training_data_can_be_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let with = |split: &str, repeat: usize| {
        let mut config = run(dir.path());
        config["training"]["tasks"]["ner"][split][0]["repeat"] = json!(repeat);
        RunConfig::from_json(&config.to_string())
    };
    let examples = |repeat| {
        let info = Trainer::new(with("train", repeat).unwrap(), Device::Cpu).unwrap().info();
        ["ner", "coref"].map(|task| info["tasks"][task]["examples"].as_u64().unwrap())
    };
    let (once, thrice) = (examples(1), examples(3));
    assert_eq!(thrice, [3 * once[0], once[1]]);
    let refused = |split, repeat| with(split, repeat).unwrap_err().to_string();
    for wrong in [0, 1001, usize::MAX] {
        assert!(refused("train", wrong).contains("task `ner`: repeat is 1 to 1000"));
    }
    assert!(refused("dev", 2).contains("task `ner`: repeat is for training data"));
}

#[test]
fn letters_are_those_that_the_data_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let of = |upper: f64| {
        let mut config = run(dir.path());
        for (_, task) in config["training"]["tasks"].as_object_mut().unwrap() {
            task["train"][0]["recase"] = json!({"upper": upper});
        }
        RunConfig::from_json(&config.to_string())
    };
    let small_letters = |config: RunConfig| {
        let trainer = Trainer::new(config, Device::Cpu).unwrap();
        let chars: Vec<&str> = trainer.vocab().chars.names().collect();
        assert!(chars.iter().any(|c| c.chars().all(char::is_uppercase)), "{chars:?}");
        chars.iter().filter(|c| c.chars().all(|c| c.is_ascii_lowercase())).count()
    };
    assert!(small_letters(of(0.0).unwrap()) > 5);
    assert_eq!(small_letters(of(1.0).unwrap()), 0);
    let error = of(1.5).unwrap_err().to_string();
    assert!(error.contains("task `ner`: recase: shares are 0 to 1"), "{error}");
}

#[test]
fn datelines_are_those_that_the_data_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let of = |share: f64| {
        let mut config = run(dir.path());
        let labels = json!({"ner": ["TOWN", "DAY", "AGENCY"]});
        config["training"]["tasks"]["ner"]["train"][0]["datelines"] =
            json!({"share": share, "labels": labels});
        RunConfig::from_json(&config.to_string())
    };
    let learned = |share: f64| {
        let trainer = Trainer::new(of(share).unwrap(), Device::Cpu).unwrap();
        let labels = trainer.vocab().labels("ner").to_vec();
        ["TOWN", "DAY", "AGENCY"].map(|label| labels.iter().any(|l| l == label))
    };
    assert_eq!(learned(0.0), [false; 3]);
    assert_eq!(learned(1.0), [true; 3]);
    let error = of(1.5).unwrap_err().to_string();
    assert!(error.contains("task `ner`: datelines: share is 0 to 1"), "{error}");
}
