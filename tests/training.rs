//! Runs that stop, go on, start from a model, forget and remember.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::toy::{document, run};
use hmtl::model::{AnnotateOptions, Precision};
use hmtl::train::{Event, RunConfig, Setup, Split, Trainer};
use hmtl::{Cancel, Document, DocumentBuilder, Model, Span};
use serde_json::{Value, json};
use tch::{Device, Tensor};

fn setup(config: &Value) -> Setup {
    common::one_thread();
    Setup::new(RunConfig::from_json(&config.to_string()).unwrap(), Device::Cpu).unwrap()
}

fn trainer(config: &Value) -> Trainer {
    setup(config).build().unwrap()
}

fn resumed(dir: &Path) -> Trainer {
    Setup::resume(dir, None).unwrap().build().unwrap()
}

fn steps(trainer: &mut Trainer, count: usize) -> Vec<(String, f64)> {
    (0..count).map(|_| trainer.step().map(|s| (s.task, s.loss)).unwrap()).collect()
}

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

/// Trains the toy tasks `ner` and `emd` and writes the model to `dir/start`.
fn start(dir: &Path) -> Value {
    let mut config = run(dir);
    for part in ["model", "training"] {
        let all = config[part]["tasks"].as_object_mut().unwrap();
        all.retain(|name, _| ["ner", "emd"].contains(&name.as_str()));
    }
    config["model"]["encoders"].as_object_mut().unwrap().shift_remove("top");
    let mut trainer = trainer(&config);
    trainer.train(&mut |_, _| Ok(()), &Cancel::new()).unwrap();
    trainer.model().unwrap().save(&dir.join("start"), Default::default()).unwrap();
    config
}

/// A sentence with a label and words that the start does not know.
fn gadget(n: usize) -> Document {
    let (name, gadget) = (["Gina", "Hugo"][n % 2], ["Zorb", "Quux", "Blip"][n % 3]);
    let doc = Document::from_sentences(&[vec![name, "bought", "a", gadget, "."]]);
    let mut build = DocumentBuilder::new(doc);
    build.label(Span::new(0, 1), "ner", "PER", None);
    build.label(Span::new(3, 4), "ner", "GADGET", None);
    build.finish()
}

/// A document of the old language with the new label.
fn office(n: usize) -> Document {
    let doc = document(n);
    let names: Vec<(Span, String)> =
        doc.labelled("ner").map(|(span, label)| (span, label.label.clone())).collect();
    let mut build = DocumentBuilder::new(doc);
    names.iter().for_each(|(span, label)| assert!(build.label(*span, "ner", label, None)));
    build.label(Span::new(9, 10), "ner", "GADGET", None);
    build.finish()
}

fn dev_score(trainer: &mut Trainer, task: &str) -> f64 {
    trainer.evaluate(task, Split::Dev, &Cancel::new()).unwrap().unwrap().score
}

#[test]
fn a_model_learns_new_labels_and_words_and_rehearses_what_it_knew() {
    let dir = tempfile::tempdir().unwrap();
    let first = start(dir.path());
    let config = json!({
        "format": 1,
        "start": dir.path().join("start"),
        "model": {"tasks": {"ner": {"dropout": 0.1}}},
        "training": {
            "epochs": 20, "seed": 3, "optimizer": {"learning_rate": 0.01},
            "tasks": {
                "ner": {"batch_size": 4},
                "emd": {"batch_size": 4, "rehearse": true, "dev": first["training"]["tasks"]["emd"]["dev"]},
            },
        },
    });
    let own: Vec<Document> = (0..12).map(gadget).chain((0..12).map(office)).collect();
    let mut setup = setup(&config);
    setup.add("ner", Split::Train, &own).unwrap();
    setup.add("ner", Split::Dev, &own).unwrap();
    let mut trainer = setup.build().unwrap();
    assert_eq!(trainer.vocab().labels("ner"), ["ORG", "PER", "GADGET"]);
    assert!(trainer.vocab().words.contains("zorb") && trainer.vocab().words.contains("anna"));
    let (ner, emd) = (dev_score(&mut trainer, "ner"), dev_score(&mut trainer, "emd"));
    assert!(emd > 0.9, "the start was taken up: {emd}");
    steps(&mut trainer, 60);
    let (new, old) = (dev_score(&mut trainer, "ner"), dev_score(&mut trainer, "emd"));
    assert!(new > 0.9 && new > ner, "{ner} to {new}");
    assert!(old > 0.8, "{emd} to {old}");
    assert!(trainer.model().unwrap().card.scores.is_empty(), "scores of other weights");
    // The new model is a model.
    let path = dir.path().join("tuned");
    trainer.model().unwrap().save(&path, Default::default()).unwrap();
    assert!(Model::load(&path, &Default::default()).is_ok());
}

#[test]
fn a_task_is_added_to_a_model_on_any_encoder() {
    let dir = tempfile::tempdir().unwrap();
    start(dir.path());
    let config = json!({
        "format": 1,
        "start": dir.path().join("start"),
        "model": {
            "encoders": {"own": {"type": "lstm", "inputs": ["embedding", "low"], "hidden": 8, "layers": 1}},
            "tasks": {"gadgets": {"type": "crf_tagger", "on": "own", "layer": "ner"}},
        },
        "training": {
            "epochs": 20, "freeze": ["embedding", "encoders.low", "tasks.ner", "tasks.emd"],

            "optimizer": {"learning_rate": 0.02},
            "tasks": {"gadgets": {"batch_size": 4}},
        },
    });
    let gadgets: Vec<Document> = (0..12).map(gadget).collect();
    let mut setup = setup(&config);
    setup.add("gadgets", Split::Train, &gadgets).unwrap();
    setup.add("gadgets", Split::Dev, &gadgets).unwrap();
    let mut trainer = setup.build().unwrap();
    steps(&mut trainer, 60);
    assert!(dev_score(&mut trainer, "gadgets") > 0.9);
    // What was frozen keeps its scores.
    let card = trainer.model().unwrap().card;
    assert!(card.scores["ner"]["dev"].is_number() && !card.scores.contains_key("gadgets"));
    assert!(card.recipe["start"]["recipe"]["training"].is_object());
    let model = Model::new(trainer.model().unwrap()).unwrap();
    assert_eq!(model.tasks(), ["ner", "emd", "gadgets"]);
    let old = Model::load(&dir.path().join("start"), &Default::default()).unwrap();
    let docs: Vec<Document> = (24..30).map(document).collect();
    let tasks = Some(vec!["ner".to_owned(), "emd".to_owned()]);
    let options = AnnotateOptions { tasks, ..Default::default() };
    let annotate = |m: &Model| m.annotate_documents(&docs, &options, &Cancel::new()).unwrap();
    let spans = |docs: Vec<Document>| -> Vec<Vec<Span>> {
        docs.iter().map(|d| d.mentions.iter().map(hmtl::Mention::span).collect()).collect()
    };
    assert_eq!(spans(annotate(&model)), spans(annotate(&old)));
}

#[test]
fn what_is_fresh_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    start(dir.path());
    let weights = |fresh: &[&str]| {
        let mut config = json!({
            "format": 1,
            "start": dir.path().join("start"),
            "training": {"epochs": 1, "fresh": fresh, "tasks": {"ner": {"batch_size": 4}}},
        });
        config["training"]["seed"] = json!(9);
        let mut setup = setup(&config);
        setup.add("ner", Split::Train, &[office(0)]).unwrap();
        setup.build().unwrap().weights()
    };
    let (old, new) = (weights(&[]), weights(&["tasks.emd"]));
    for (name, tensor) in &old {
        let same = tensor.size() == new[name].size()
            && f64::try_from((tensor - &new[name]).abs().max()).unwrap() == 0.0;
        assert!(same != name.starts_with("tasks.emd."), "{name}");
    }
}

#[test]
fn a_start_that_does_not_fit_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    start(dir.path());
    let refused = |change: Value, named: &str| {
        let mut config = json!({
            "format": 1,
            "start": dir.path().join("start"),
            "model": {},
            "training": {"epochs": 1, "tasks": {"ner": {"batch_size": 4}}},
        });
        for (key, value) in change.as_object().unwrap() {
            config[key] = value.clone();
        }
        let error = match RunConfig::from_json(&config.to_string()) {
            Err(error) => error,
            Ok(config) => {
                let mut setup = Setup::new(config, Device::Cpu).unwrap();
                setup.add("ner", Split::Train, &[gadget(0)]).unwrap();
                setup.build().unwrap_err()
            }
        };
        let error = error.to_string();
        assert!(error.contains(named) && !error.contains('\n'), "{error}");
    };
    refused(json!({"start": dir.path().join("none")}), "none");
    refused(json!({"model": {"encoders": {"low": {"hidden": 32}}}}), "encoders.low");
    refused(json!({"model": {"task": {}}}), "task");
}

#[test]
fn the_example_goes_on_from_the_model_that_ships() {
    common::one_thread();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/finetune/kitchen.json");
    let mut trainer = Trainer::new(RunConfig::read(&path).unwrap(), Device::Cpu).unwrap();
    assert_eq!(trainer.vocab().labels("kitchen").len(), 3);
    assert!(trainer.vocab().labels("ner").contains(&"PER".to_owned()));
    steps(&mut trainer, 2);
}

/// A transformer is trained, saved, resumed and loaded like all else; what is frozen of it stays.
#[test]
fn a_transformer_trains_and_comes_back_from_its_directory() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = run(dir.path());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/transformer/bert");
    config["vocabulary"] = json!({"transformer": folder});
    config["model"]["embedding"] = json!({"context": {"type": "transformer", "mix": true}});
    config["training"]["freeze"] = json!(["embedding.context.embeddings"]);
    config["training"]["optimizer"]["groups"] =
        json!([{"parameters": ["embedding.context"], "learning_rate": 0.001}]);
    let mut whole = trainer(&config);
    let before = whole.model().unwrap().tensors;
    steps(&mut whole, 6);
    let checkpoint = dir.path().join("checkpoint");
    whole.save(&checkpoint).unwrap();
    let mut again = resumed(&checkpoint);
    assert_eq!(steps(&mut again, 3), steps(&mut whole, 3));
    let after = whole.model().unwrap().tensors;
    let moved =
        |name: &str| f64::try_from((&before[name] - &after[name]).abs().max()).unwrap() > 0.0;
    assert!(moved("embedding.context.encoder.layer.0.attention.self.query.weight"));
    assert!(moved("embedding.context.mix.weights"));
    assert!(!moved("embedding.context.embeddings.word_embeddings.weight"));
    let model = dir.path().join("model");
    whole.model().unwrap().save(&model, Precision::Float32).unwrap();
    let annotate = |model: &Model| {
        model.annotate("Anna Berg joined Orbit Labs.", &AnnotateOptions::default()).unwrap()
    };
    let kept = Model::new(whole.model().unwrap()).unwrap();
    let loaded = Model::load(&model, &Default::default()).unwrap();
    assert_eq!(annotate(&kept), annotate(&loaded));
    fs::write(model.join("transformer/tokenizer.json"), "{}").unwrap();
    let error = Model::load(&model, &Default::default()).unwrap_err().to_string();
    assert!(error.contains("tokenizer.json: was altered"), "{error}");
}

/// An ELMo is saved, resumed and loaded like all else; its mix is learned, the rest stays.
#[test]
fn an_elmo_comes_back_from_the_directory_of_its_model() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = run(dir.path());
    let source = dir.path().join("elmo");
    fs::create_dir(&source).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/elmo");
    for name in ["options.json", "weights.hdf5"] {
        fs::copy(folder.join(name), source.join(name)).unwrap();
    }
    config["vocabulary"] = json!({"elmo": source});
    config["model"]["embedding"]["context"] = json!({"type": "elmo", "dropout": 0.1});
    let mut whole = trainer(&config);
    let before = whole.model().unwrap().tensors;
    steps(&mut whole, 6);
    let checkpoint = dir.path().join("checkpoint");
    whole.save(&checkpoint).unwrap();
    fs::remove_dir_all(&source).unwrap();
    let mut again = resumed(&checkpoint);
    assert_eq!(steps(&mut again, 3), steps(&mut whole, 3));
    let after = whole.model().unwrap().tensors;
    let moved =
        |name: &str| f64::try_from((&before[name] - &after[name]).abs().max()).unwrap() > 0.0;
    assert!(moved("embedding.context.mix.weights"));
    assert!(!moved("embedding.context.forward.layer0.weight"));
    let model = dir.path().join("model");
    whole.model().unwrap().save(&model, Precision::Float32).unwrap();
    let annotate = |model: &Model| {
        model.annotate("Anna Berg joined Orbit Labs.", &AnnotateOptions::default()).unwrap()
    };
    let kept = Model::new(whole.model().unwrap()).unwrap();
    let loaded = Model::load(&model, &Default::default()).unwrap();
    assert_eq!(annotate(&kept), annotate(&loaded));
    fs::write(model.join("elmo/options.json"), "{}").unwrap();
    let error = Model::load(&model, &Default::default()).unwrap_err().to_string();
    assert!(error.contains("options.json: was altered"), "{error}");
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
