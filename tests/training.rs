//! Runs that stop, go on, forget and remember.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::toy::{dev_score, document, resumed, run, setup, steps, trainer};
use hmtl::train::{Event, RunConfig, Setup, Split, Trainer};
use hmtl::{Cancel, Document, DocumentBuilder, Span};
use serde_json::{Value, json};
use tch::Tensor;

fn assert_equal(a: &BTreeMap<String, Tensor>, b: &BTreeMap<String, Tensor>) {
    assert_eq!(a.len(), b.len());
    for (name, tensor) in a {
        assert_eq!(f64::try_from((tensor - &b[name]).abs().max()).unwrap(), 0.0, "{name}");
    }
}

/// The toy run with everything that has a state: averages, plateaus, anchors, patience, groups of
/// batches, an optimizer for each task.
fn stateful(dir: &Path) -> Value {
    let mut config = run(dir);
    let training = &mut config["training"];
    training["epochs"] = json!(3);
    training["steps_per_epoch"] = json!(9);
    training["average"] = json!(0.9);
    training["accumulate"] = json!(2);
    training["schedule"] = json!({"type": "plateau", "patience": 0, "warmup": 4});
    training["optimizer"] = json!({"learning_rate": 0.01, "per_task": true, "weight_decay": 0.01});
    training["tasks"]["ner"]["successive"] = json!(0.1);
    training["tasks"]["ner"]["patience"] = json!(1);
    config
}

#[test]
fn a_run_that_was_saved_and_resumed_is_the_run_that_was_not() {
    let dir = tempfile::tempdir().unwrap();
    for sampling in ["proportional", "round_robin", "sequential"] {
        let mut config = stateful(dir.path());
        config["training"]["sampling"] = json!({"type": sampling});
        if sampling == "sequential" {
            config["training"]["steps_per_epoch"].take();
        }
        let checkpoint = dir.path().join("checkpoint");
        let mut whole = trainer(&config);
        let mut parts = trainer(&config);
        let mut events = 0;
        // Every few events the run goes through the disk: within and between epochs, and between
        // two evaluations.
        loop {
            let (a, b) =
                (whole.advance(&Cancel::new()).unwrap(), parts.advance(&Cancel::new()).unwrap());
            match (&a, &b) {
                (
                    Some(Event::Step { task, loss, .. }),
                    Some(Event::Step { task: t, loss: l, .. }),
                ) => {
                    assert_eq!((task, loss), (t, l));
                }
                (Some(Event::Epoch { mean, .. }), Some(Event::Epoch { mean: m, .. })) => {
                    assert_eq!(mean, m);
                }
                _ => assert_eq!(a.is_none(), b.is_none()),
            }
            if b.is_none() {
                break;
            }
            events += 1;
            if events % 7 == 0 {
                parts.save(&checkpoint).unwrap();
                drop(parts);
                parts = resumed(&checkpoint);
            }
        }
        assert!(events > 30, "{events}");
        assert_equal(&whole.weights(), &parts.weights());
        assert_eq!(whole.info(), parts.info());
        let best = |t: &Trainer| t.best_model(Some("emd")).unwrap().unwrap();
        assert_equal(&best(&whole).tensors, &best(&parts).tensors);
    }
}

#[test]
fn another_description_or_other_data_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let config = run(dir.path());
    let checkpoint = dir.path().join("checkpoint");
    trainer(&config).save(&checkpoint).unwrap();
    let mut other = config.clone();
    other["training"]["optimizer"]["learning_rate"] = json!(0.5);
    let other = RunConfig::from_json(&other.to_string()).unwrap();
    let setup = Setup::resume(&checkpoint, None).unwrap();
    let error = setup.expect(&other).unwrap_err().to_string();
    assert!(error.contains("training.optimizer.learning_rate = 0.01, not 0.5"), "{error}");
    assert!(setup.expect(&RunConfig::from_json(&config.to_string()).unwrap()).is_ok());

    let dev = dir.path().join("dev.jsonl");
    let lines = fs::read_to_string(&dev).unwrap();
    fs::write(&dev, lines.lines().skip(1).map(|l| format!("{l}\n")).collect::<String>()).unwrap();
    let error = Setup::resume(&checkpoint, None).unwrap().build().unwrap_err().to_string();
    assert!(error.contains("the dev data of task `ner`"), "{error}");
    assert!(error.contains("5 documents, not 6"), "{error}");
    fs::write(&dev, lines.replace("Anna", "Anja")).unwrap();
    let error = Setup::resume(&checkpoint, None).unwrap().build().unwrap_err().to_string();
    assert!(error.contains("dev data of task"), "{error}");
}

#[test]
fn a_damaged_checkpoint_is_refused_and_a_foreign_folder_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = dir.path().join("checkpoint");
    let run = trainer(&run(dir.path()));
    run.save(&checkpoint).unwrap();
    let refused = |part: &str| {
        let error = Setup::resume(&checkpoint, None).unwrap_err().to_string();
        assert!(error.contains(part) && !error.contains('\n'), "{error}");
    };
    for file in ["state.json", "state.safetensors"] {
        let path = checkpoint.join(file);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        refused("was altered");
        fs::remove_file(&path).unwrap();
        refused(file);
        fs::write(&path, bytes).unwrap();
    }
    let manifest = checkpoint.join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"checkpoint_format\": 1", "\"checkpoint_format\": 9"))
        .unwrap();
    refused("format 9 is newer");
    let error = run.save(dir.path()).unwrap_err().to_string();
    assert!(error.contains("left alone"), "{error}");
    assert!(dir.path().join("train.jsonl").exists());
}

#[test]
fn data_is_added_in_memory_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = run(dir.path());
    let tasks = config["training"]["tasks"].as_object_mut().unwrap();
    for task in tasks.values_mut() {
        task["train"].take();
        task.as_object_mut().unwrap().retain(|_, v| !v.is_null());
        task["dev"] = json!([]);
    }
    let error = setup(&config).build().unwrap_err().to_string();
    assert!(error.contains("task `ner` has no training data"), "{error}");
    let docs: Vec<Document> = (0..12).map(document).collect();
    let filled = |docs: &[Document]| {
        let mut setup = setup(&config);
        for task in ["ner", "emd", "tokens", "relation", "ranking", "coref"] {
            setup.add(task, Split::Train, docs).unwrap();
            setup.add(task, Split::Test, &docs[..1]).unwrap();
        }
        setup
    };
    assert!(setup(&config).add("pos", Split::Dev, &docs).is_err());
    let error =
        filled(&[Document::from_sentences(&[vec!["w"]])][..]).build().unwrap_err().to_string();
    assert!(error.contains("has no layer `ner`"), "{error}");
    let mut trainer = filled(&docs).build().unwrap();
    steps(&mut trainer, 3);
    let cancel = Cancel::new();
    assert!(trainer.evaluate("ner", Split::Test, &cancel).unwrap().is_some());
    assert!(trainer.evaluate("ner", Split::Dev, &cancel).unwrap().is_none());
    assert!(trainer.best_model(None).unwrap().is_none());
}

#[test]
fn the_best_epoch_is_kept_and_the_test_set_scored_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = run(dir.path());
    config["training"]["epochs"] = json!(4);
    let dev = config["training"]["tasks"]["ner"]["dev"].clone();
    config["training"]["tasks"]["ner"]["test"] = dev;
    // The last epochs undo what the first ones learned.
    config["training"]["optimizer"] = json!({"type": "sgd", "learning_rate": 0.3});
    config["training"]["gradient_norm"] = json!(1.0);
    let mut trainer = trainer(&config);
    let steps = trainer.steps_per_epoch();
    let mut means = Vec::new();
    let mut end = None;
    let mut on_event = |event: &Event, _: &Trainer| {
        match event {
            Event::Epoch { mean, .. } => means.push(mean.unwrap()),
            Event::Finished { .. } => end = Some(serde_json::to_value(event).unwrap()),
            _ => {}
        }
        Ok(())
    };
    trainer.train(&mut on_event, &Cancel::new()).unwrap();
    let best = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let epoch = means.iter().position(|m| *m == best).unwrap() + 1;
    let end = end.unwrap();
    assert_eq!((&end["epochs"], &end["steps"]), (&json!(4), &json!(4 * steps)));
    assert_eq!(end["best_epoch"], epoch);
    assert_eq!(trainer.info()["best_mean"], best);
    assert_equal(&trainer.weights(), &trainer.best_model(None).unwrap().unwrap().tensors);
    // The test set is the dev set: the best weights score as they did.
    let card = trainer.model().unwrap().card;
    assert_eq!(card.recipe["epoch"], epoch);
    let dev = (end["test"]["ner"]["score"].as_f64().unwrap() * 1e4).round() / 1e4;
    assert_eq!(card.scores["ner"]["dev"], dev);
    assert!(trainer.advance(&Cancel::new()).unwrap().is_none());
    assert!(trainer.step().unwrap_err().to_string().contains("has ended"));
}

#[test]
fn frozen_parts_stay_and_unknown_ones_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = run(dir.path());
    config["training"]["freeze"] = json!(["embedding", "encoders.low", "tasks.emd.start"]);
    let mut trainer = trainer(&config);
    let before = trainer.weights();
    steps(&mut trainer, 30);
    for (name, tensor) in trainer.weights() {
        let moved = f64::try_from((&tensor - &before[&name]).abs().max()).unwrap() > 0.0;
        let frozen = ["embedding.", "encoders.low.", "tasks.emd.start."];
        let frozen = frozen.iter().any(|f| name.starts_with(f));
        assert!(!(moved && frozen), "{name} moved");
        assert!(moved || frozen || name.contains("bias"), "{name} stayed");
    }
    let mut refused = |freeze: &[&str], named: &str| {
        config["training"]["freeze"] = json!(freeze);
        let error = setup(&config).build().unwrap_err().to_string();
        assert!(error.contains("training.freeze") && error.contains(named), "{error}");
    };
    refused(&["encoders.lo"], "encoders.lo");
    refused(&["embedding", "encoders.low", "tasks.emd"], "task `emd`");
}

/// A sentence in which nothing can be learned: mentions are anywhere.
fn noise(n: usize) -> Document {
    let doc = document(n);
    let at = n * 7 % (doc.tokens.len() - 1);
    let mut build = DocumentBuilder::new(doc);
    build.label(Span::new(at, at + 1), "emd", ["X", "Y"][n / 3 % 2], None);
    build.finish()
}

/// How much of the dev score of one task is lost while another is trained on noise.
fn forgetting(dir: &Path, strength: f64) -> f64 {
    let mut config = run(dir);
    for part in ["model", "training"] {
        let all = config[part]["tasks"].as_object_mut().unwrap();
        all.retain(|name, _| ["ner", "emd"].contains(&name.as_str()));
    }
    config["model"]["encoders"].as_object_mut().unwrap().shift_remove("top");
    let training = &mut config["training"];
    training["sampling"] = json!({"type": "sequential"});
    training["schedule"] = json!({"type": "constant"});
    training["optimizer"] = json!({"learning_rate": 0.02});
    training["tasks"]["ner"]["batch_size"] = json!(1);
    training["tasks"]["emd"] = json!({"batch_size": 1, "successive": strength});
    let mut setup = setup(&config);
    setup.add("emd", Split::Train, &(0..200).map(noise).collect::<Vec<_>>()).unwrap();
    let mut trainer = setup.build().unwrap();
    let batches =
        |t: &Trainer, task: &str| t.info()["tasks"][task]["batches"].as_u64().unwrap() as usize;
    let (of_ner, of_emd) = (batches(&trainer, "ner"), batches(&trainer, "emd"));
    assert!(steps(&mut trainer, of_ner).iter().all(|(task, _)| task == "ner"));
    let before = dev_score(&mut trainer, "ner");
    assert!(before > 0.9, "{before}");
    assert!(steps(&mut trainer, of_emd).iter().all(|(task, _)| task == "emd"));
    before - dev_score(&mut trainer, "ner")
}

#[test]
fn successive_regularization_forgets_less() {
    let dir = tempfile::tempdir().unwrap();
    let (off, on) = (forgetting(dir.path(), 0.0), forgetting(dir.path(), 1.0));
    assert!(off > 0.1, "nothing was forgotten: {off}");
    assert!(on < 0.5 * off, "{on} of {off}");
}

#[test]
fn tasks_learn_on_a_mix_of_the_levels_below() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = run(dir.path());
    config["model"]["encoders"]["top"] =
        json!({"type": "mix", "inputs": ["embedding", "low"], "size": 24, "gated": true});
    config["training"]["sampling"] = json!({"type": "round_robin"});
    let mut trainer = trainer(&config);
    let losses = steps(&mut trainer, 120);
    for task in ["relation", "coref", "tokens"] {
        let own: Vec<f64> = losses.iter().filter(|(t, _)| t == task).map(|(_, l)| *l).collect();
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        assert!(mean(&own[15..]) < 0.7 * mean(&own[..5]), "{task}: {own:?}");
    }
}
