//! `hmtl train`, from the description of a run to a model directory.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

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
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[2]["event"], "finished");
    assert!(lines[1]["tasks"]["ner"]["loss"].as_f64().unwrap() > 0.0);
    for model in ["best", "last"] {
        let card =
            fs::read_to_string(dir.path().join("out").join(model).join("card.json")).unwrap();
        let card: Value = serde_json::from_str(&card).unwrap();
        assert_eq!(card["name"], "tiny");
        assert!(card["scores"]["ner"]["dev"].is_number(), "{card}");
    }

    let out = dir.path().join("out");
    let curves = fs::read_to_string(out.join("curves.svg")).unwrap();
    assert!(curves.contains("<svg") && curves.contains(">\nner"), "{curves}");
    let events = fs::read_dir(out.join("tensorboard")).unwrap().next().unwrap().unwrap();
    let events = fs::read(events.path()).unwrap();
    let holds = |tag: &str| events.windows(tag.len()).any(|w| w == tag.as_bytes());
    assert!(holds("dev/ner") && holds("share/ner"));

    // A second run in the same folder takes the place of the first.
    let output = train(dir.path(), &["--set", "training.epochs=3"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(metrics(dir.path()).len(), 4);
}

/// The weights that a run ended with.
fn weights(dir: &Path) -> Vec<u8> {
    fs::read(dir.join("out/last/weights.safetensors")).unwrap()
}

#[test]
fn a_killed_run_goes_on_from_its_last_whole_checkpoint() {
    let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let long = ["--set", "training.epochs=40", "--set", "training.steps_per_epoch=20"];
    prepare(whole.path());
    prepare(killed.path());
    assert!(train(whole.path(), &long).status.success());
    let resume: Vec<&str> = long.iter().copied().chain(["--resume"]).collect();
    // As a kill within a save leaves it.
    fs::create_dir_all(killed.path().join("out/.hmtl-killed/new")).unwrap();
    // Killed at whatever moment, several times; at last left alone.
    let mut kills = 0;
    for milliseconds in [350, 500, 650, 800] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hmtl"));
        command.arg("train").arg(killed.path().join("run.json"));
        command.arg("--out").arg(killed.path().join("out")).args(&resume);
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        kills += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let output = train(killed.path(), &resume);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(kills > 0);
    assert!(weights(whole.path()) == weights(killed.path()));
    assert!(hidden(killed.path()).is_empty(), "{:?}", hidden(killed.path()));
    let epochs = |dir: &Path| -> Vec<Value> {
        metrics(dir).iter().map(|line| json!([line["epoch"], line["mean"]])).collect()
    };
    assert_eq!(epochs(whole.path()), epochs(killed.path()));
}

#[test]
fn resuming_with_another_description_names_the_difference() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path());
    assert!(train(dir.path(), &[]).status.success());
    let output = train(dir.path(), &["--resume", "--epochs", "9"]);
    let shown = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && shown.contains("training.epochs = 2, not 9"), "{shown}");
}

#[test]
fn a_full_disk_is_an_error_that_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path());
    assert!(train(dir.path(), &[]).status.success());
    let before = weights(dir.path());
    // A limit on the size of files, which fails like a full disk.
    let script = "ulimit -f 1; trap '' XFSZ; exec \"$0\" \"$@\"";
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_hmtl"), "train"])
        .arg(dir.path().join("run.json"))
        .arg("--out")
        .arg(dir.path().join("out"))
        .args(["--seed", "5"])
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && shown.contains("too large"), "{shown}");
    assert!(weights(dir.path()) == before);
    // What the failed run had in hand is gone, too.
    assert!(hidden(dir.path()).is_empty(), "{:?}", hidden(dir.path()));
}

/// What stands in the folder of a run that is not for its user.
fn hidden(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir.join("out")).unwrap();
    let names = names.map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter(|n| n.starts_with('.') || n.ends_with(".part")).collect()
}

#[test]
fn a_place_that_is_taken_is_refused_before_the_first_step() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path());
    let out = dir.path().join("out");
    let refused = |named: &str| {
        let output = train(dir.path(), &[]);
        let shown = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && shown.contains(named), "{shown}");
        assert_eq!(shown.lines().count(), 1, "{shown}");
    };
    fs::write(&out, "mine").unwrap();
    refused("it is a file, not a folder");
    fs::remove_file(&out).unwrap();
    for name in ["checkpoint", "best", "last", "best-ner"] {
        fs::create_dir_all(out.join(name)).unwrap();
        fs::write(out.join(name).join("mine"), "").unwrap();
        refused("left alone");
        fs::remove_dir_all(out.join(name)).unwrap();
    }
    fs::create_dir_all(out.join("metrics.jsonl")).unwrap();
    refused("metrics.jsonl");
}

#[test]
fn a_loss_that_is_not_finite_ends_the_run_and_keeps_what_there_was() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path());
    assert!(train(dir.path(), &[]).status.success());
    let before = weights(dir.path());
    let rate = "training.optimizer.learning_rate=1e38";
    let output = train(dir.path(), &["--set", rate, "--set", "training.epochs=20"]);
    let shown = String::from_utf8(output.stderr).unwrap();
    let last = shown.lines().last().unwrap();
    assert!(!output.status.success() && last.contains("not finite at step"), "{shown}");
    assert!(last.contains("task `ner`") && last.contains("(batch: document "), "{shown}");
    assert!(weights(dir.path()) == before);
}

#[test]
fn labels_that_training_data_lacks_are_named() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path());
    let columns = fs::read_to_string(dir.path().join("data/train.txt")).unwrap();
    fs::write(dir.path().join("data/dev.txt"), columns.replace("ORG", "GPE")).unwrap();
    let output = train(dir.path(), &["--set", "training.tasks.ner.dev.0.path=data/dev.txt"]);
    let shown = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{shown}");
    assert!(shown.contains("1 items of the dev data do not count") && shown.contains(": GPE"));
    assert_eq!(metrics(dir.path())[0]["tasks"]["ner"]["details"]["ignored_labels"]["GPE"], 1);
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
