//! Runs that start from a model.

mod common;

use std::path::Path;

use common::toy::{dev_score, document, run, setup, steps, trainer};
use hmtl::model::AnnotateOptions;
use hmtl::train::{Event, RunConfig, Setup, Split, Trainer};
use hmtl::{Cancel, Document, DocumentBuilder, Model, Span};
use serde_json::{Value, json};
use tch::{Device, Tensor};

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
fn words_and_characters_are_added_to_tables_that_learn() {
    let dir = tempfile::tempdir().unwrap();
    start(dir.path());
    let build = |frozen: &str, min_count: usize| {
        let config = json!({
            "format": 1,
            "start": dir.path().join("start"),
            "vocabulary": {"min_count": min_count},
            "training": {"epochs": 1, "freeze": [frozen], "tasks": {"ner": {"batch_size": 4}}},
        });
        let mut setup = setup(&config);
        setup.add("ner", Split::Train, &(0..6).map(gadget).collect::<Vec<_>>()).unwrap();
        setup.build().unwrap()
    };
    for (frozen, min_count, word, char) in [
        ("tasks.emd", 1, true, true),
        // Rare words stay unknown, so that the model goes on learning what to make of these.
        ("tasks.emd", 1000, false, true),
        ("embedding.words", 1, false, true),
        ("embedding.chars.weight", 1, true, false),
        ("embedding", 1, false, false),
    ] {
        let trainer = build(frozen, min_count);
        let vocab = trainer.vocab();
        assert_eq!(
            (vocab.words.contains("zorb"), vocab.chars.contains("Z")),
            (word, char),
            "{frozen}"
        );
        assert!(vocab.words.contains("anna") && vocab.chars.contains("a"));
    }
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
fn several_starts_are_averaged_and_a_run_without_epochs_keeps_their_mean() {
    let dir = tempfile::tempdir().unwrap();
    let first = start(dir.path());
    let path = |name: &str| dir.path().join(name);
    for (name, seed) in [("one", 1), ("two", 2), ("three", 3)] {
        let config = json!({
            "format": 1,
            "start": path("start"),
            "training": {"epochs": 1, "seed": seed, "tasks": {"ner": {"batch_size": 4}}},
        });
        let mut setup = setup(&config);
        setup.add("ner", Split::Train, &(0..8).map(document).collect::<Vec<_>>()).unwrap();
        let mut trainer = setup.build().unwrap();
        steps(&mut trainer, 2);
        trainer.model().unwrap().save(&path(name), Default::default()).unwrap();
    }
    let weights = |names: &[&str]| {
        let starts: Vec<_> = names.iter().map(|name| path(name)).collect();
        let config = json!({
            "format": 1,
            "start": starts,
            "training": {"epochs": 0, "tasks": {
                "ner": {"batch_size": 4, "dev": first["training"]["tasks"]["ner"]["dev"]},
            }},
        });
        let mut trainer = trainer(&config);
        assert!(trainer.step().unwrap_err().to_string().contains("no epochs"));
        let mut told = Vec::new();
        let mut tell = |event: &Event, _: &Trainer| {
            told.push(serde_json::to_value(event).unwrap());
            Ok(())
        };
        trainer.train(&mut tell, &Cancel::new()).unwrap();
        let all: Vec<&Value> = told.iter().map(|event| &event["event"]).collect();
        assert_eq!(all, ["evaluating", "evaluated", "epoch", "finished"]);
        assert_eq!(
            (&told[2]["epoch"], &told[3]["epochs"], &told[3]["steps"]),
            (&json!(0), &json!(0), &json!(0))
        );
        let model = trainer.best_model(None).unwrap().unwrap();
        assert_eq!(model.card.scores["ner"]["dev"].as_f64().map(|s| s > 0.0), Some(true));
        (trainer.weights(), model.card.recipe)
    };
    let (mean, recipe) = weights(&["one", "two", "three"]);
    let parts = ["one", "two", "three"].map(|name| weights(&[name]).0);
    let mut apart = 0;
    for (name, tensor) in &mean {
        let [one, two, three] = [&parts[0][name], &parts[1][name], &parts[2][name]];
        let far = |other: &Tensor| f64::try_from((tensor - other).abs().max()).unwrap();
        assert!(far(&((one + two + three) / 3.0)) < 1e-6, "{name}");
        apart += usize::from(far(one) > 1e-4 && far(two) > 1e-4);
    }
    assert!(apart > 3, "training moved {apart} tensors");
    // Each run is told of, and what they started from once.
    let told = |n: usize| &recipe["start"][n]["recipe"];
    assert_eq!(
        (&told(0)["training"]["seed"], &told(2)["training"]["seed"]),
        (&json!(1), &json!(3))
    );
    assert!(told(0)["start"]["recipe"]["training"].is_object());
    assert_eq!(told(2)["start"], "as above");
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
                setup.add("ner", Split::Train, &(0..6).map(gadget).collect::<Vec<_>>()).unwrap();
                setup.build().unwrap_err()
            }
        };
        let error = error.to_string();
        assert!(error.contains(named) && !error.contains('\n'), "{error}");
    };
    refused(json!({"start": dir.path().join("none")}), "none");
    refused(json!({"model": {"encoders": {"low": {"hidden": 32}}}}), "encoders.low");
    refused(json!({"model": {"task": {}}}), "task");
    refused(json!({"start": [dir.path().join("start"), "default"]}), "differ in configuration");
    refused(json!({"start": [1]}), "start is a directory or a list of directories");
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

/// A fact whose sentence names one of its entities only; the person's name and the pronoun are one, if `joined`.
fn stated_of_a_pronoun(n: usize, joined: bool) -> Document {
    let verb = if n.is_multiple_of(2) { "joined" } else { "left" };
    let named = document(n);
    let word = |token: usize| named.token_text(token);
    let first = vec![word(0), word(1), "saw", "the", "office", "."];
    let doc = Document::from_sentences(&[first, vec!["She", verb, word(3), "Labs", "."]]);
    let (person, pronoun, company) = (Span::new(0, 2), Span::new(6, 7), Span::new(8, 10));
    let mut build = DocumentBuilder::new(doc);
    build.label(person, "ner", "PER", None);
    build.label(company, "ner", "ORG", None);
    let label = if n.is_multiple_of(2) { "works_for" } else { "worked_for" };
    build.relation("relation", label, person, company, None);
    if joined {
        build.cluster(vec![person, pronoun]);
        build.cluster(vec![company]);
        build.layer("coref");
    }
    build.finish()
}

#[test]
fn facts_are_learned_from_what_the_start_takes_for_their_entities() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = run(dir.path());
    for part in ["model", "training"] {
        let all = config[part]["tasks"].as_object_mut().unwrap();
        all.retain(|name, _| ["ner", "coref"].contains(&name.as_str()));
    }
    let docs = |joined| (0..30).map(|n| stated_of_a_pronoun(n, joined)).collect::<Vec<_>>();
    let mut first = setup(&config);
    first.add("ner", Split::Train, &docs(true)).unwrap();
    first.add("coref", Split::Train, &docs(true)).unwrap();
    let mut trainer = first.build().unwrap();
    trainer.train(&mut |_, _| Ok(()), &Cancel::new()).unwrap();
    trainer.model().unwrap().save(&dir.path().join("start"), Default::default()).unwrap();

    let score = |references: bool| {
        let config = json!({
            "format": 1,
            "start": dir.path().join("start"),
            "model": {"tasks": {"relation": {
                "type": "mention_pairs", "on": "top", "arguments": "ner", "hidden": 24, "max_sentences": 0,
                "entities": "coref", "references": references,
            }}},
            "training": {
                "epochs": 30, "seed": 3, "optimizer": {"learning_rate": 0.01},
                "freeze": ["embedding", "encoders.low", "tasks.ner", "tasks.coref"],
                "tasks": {"relation": {"batch_size": 4}},
            },
        });
        let mut setup = setup(&config);
        setup.add("relation", Split::Train, &docs(false)).unwrap();
        setup.add("relation", Split::Dev, &docs(false)).unwrap();
        let mut trainer = setup.build().unwrap();
        steps(&mut trainer, 140);
        // A run that goes on finds them again.
        let checkpoint = dir.path().join(format!("checkpoint-{references}"));
        trainer.save(&checkpoint).unwrap();
        let mut resumed = Setup::resume(&checkpoint, None).unwrap();
        resumed.add("relation", Split::Train, &docs(false)).unwrap();
        resumed.add("relation", Split::Dev, &docs(false)).unwrap();
        let mut resumed = resumed.build().unwrap();
        assert_eq!(steps(&mut trainer, 10), steps(&mut resumed, 10));
        dev_score(&mut resumed, "relation")
    };
    // Nothing in one sentence is related but what stands for one of them.
    assert_eq!(score(false), 0.0);
    assert!(score(true) > 0.8);
}
