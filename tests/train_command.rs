//! `hmtl train`, from the description of a run to a model directory.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

/// Writes the description and the data of a run of seconds.
fn prepare(dir: &Path) {
    let columns = "Anna B-PER\nsleeps O\n. O\n\nOrbit B-ORG\ngrows O\n. O\n\n";
    fs::create_dir(dir.join("data")).unwrap();
    fs::write(dir.join("data/train.txt"), columns).unwrap();
    let data = json!([{"format": "conll2003", "path": "data/train.txt"}]);
    let config = json!({
        "format": 1,
        "model": {
            "format": 1,
            "embedding": {"words": {"type": "table", "size": 8}},
            "encoders": {"low": {"type": "lstm", "inputs": ["embedding"], "hidden": 8, "layers": 1}},
            "tasks": {"ner": {"type": "crf_tagger", "on": "low"}},
        },
        "training": {
            "epochs": 2, "steps_per_epoch": 2,
            "tasks": {"ner": {"train": data, "dev": data, "batch_size": 2}},
        },
        "card": {"name": "tiny"},
    });
    fs::write(dir.join("run.json"), config.to_string()).unwrap();
}

fn train(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hmtl"));
    command.arg("train").arg(dir.join("run.json")).arg("--out").arg(dir.join("out"));
    command.args(arguments).output().unwrap()
}

fn metrics(dir: &Path) -> Vec<Value> {
    let lines = fs::read_to_string(dir.join("out/metrics.jsonl")).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_run_leaves_models_and_a_line_an_epoch() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path());
    let output = train(dir.path(), &[]);
    let shown = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{shown}");
    assert!(shown.contains("epoch 2") && shown.contains("ner"), "{shown}");
    let lines = metrics(dir.path());
    assert_eq!(lines.len(), 2);
    assert!(lines[1]["tasks"]["ner"]["loss"].as_f64().unwrap() > 0.0);
    for model in ["best", "last"] {
        let card =
            fs::read_to_string(dir.path().join("out").join(model).join("card.json")).unwrap();
        let card: Value = serde_json::from_str(&card).unwrap();
        assert_eq!(card["name"], "tiny");
        assert!(card["scores"]["ner"]["dev"].is_number(), "{card}");
    }

    // A second run in the same folder takes the place of the first.
    let output = train(dir.path(), &["--set", "training.epochs=3"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(metrics(dir.path()).len(), 3);
}

#[test]
fn a_mistake_is_one_line_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path());
    for (set, named) in [
        ("training.epoch=3", "epoch"),
        ("training.tasks.ner.train.0.path=data/none.txt", "none.txt"),
    ] {
        let output = train(dir.path(), &["--set", set]);
        let shown = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success());
        assert!(shown.lines().count() == 1 && shown.contains(named), "{shown}");
        assert!(!dir.path().join("out/metrics.jsonl").exists());
    }
}
