//! The command line, run as a user runs it.

mod common;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn hmtl(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hmtl"))
        .args(arguments)
        .env_remove("HMTL_MODEL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn succeeds(arguments: &[&str], input: &str) -> (String, String) {
    let out = hmtl(arguments, input);
    let stderr = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.success(), "{stderr}");
    (String::from_utf8(out.stdout).unwrap(), stderr)
}

/// Asserts the exit code 1 and one line on standard error that holds `part`.
fn fails(arguments: &[&str], part: &str) {
    let out = hmtl(arguments, "");
    let stderr = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("hmtl: ") && stderr.contains(part), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

const GOLD: &str =
    "Maria B-PER\nKeller I-PER\nfounded O\nNordlicht B-ORG\n\nShe O\nwon B-PRIZE\n\n";

fn write(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn texts_are_annotated_in_every_format() {
    let dir = common::tiny_model();
    let model = dir.path().join("model");
    let model = model.to_str().unwrap();
    let one = write(dir.path(), "one.txt", "Maria sold <it>.");
    let two = write(dir.path(), "two.txt", "");
    let (json, _) = succeeds(&["annotate", "--model", model], "Maria sold it.");
    let doc: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(doc["text"], "Maria sold it.");
    let (json, _) =
        succeeds(&["annotate", "--model", model, "--tasks", "ner,coref", &one, &two], "");
    let docs: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(docs[0]["id"], one.as_str());
    assert_eq!(docs[1]["tasks"], serde_json::json!(["ner", "coref"]));
    let arguments =
        ["annotate", "--model", model, "--format", "jsonl", "--offsets", "utf16", &one, &two];
    let (lines, _) = succeeds(&arguments, "");
    assert_eq!(lines.lines().count(), 2);
    assert!(lines.contains(r#""offsets":"utf16""#));
    succeeds(&["annotate", "--model", model, "--format", "text", &one], "");
    let (page, _) = succeeds(&["annotate", "--model", model, "--format", "html", &one, "-"], "x");
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    assert!(!page.contains("<it>"));
}

/// Their words keep company with those of companies.
#[test]
fn the_model_that_ships_knows_well_known_names() {
    let text =
        "Tesla, founded by Elon Musk, is based in Texas. Facebook was founded by Mark Zuckerberg.";
    let (json, _) = succeeds(&["annotate", "--tasks", "ner", "--format", "json"], text);
    let doc: Value = serde_json::from_str(&json).unwrap();
    let mentions = doc["mentions"].as_array().unwrap().iter();
    let names: Vec<_> =
        mentions.map(|m| (m["text"].as_str(), m["labels"]["ner"]["label"].as_str())).collect();
    let known = [
        ("Tesla", "ORG"),
        ("Elon Musk", "PER"),
        ("Texas", "LOC"),
        ("Facebook", "ORG"),
        ("Mark Zuckerberg", "PER"),
    ];
    assert_eq!(names, known.map(|(text, label)| (Some(text), Some(label))));
}

#[test]
fn independent_tasks_need_not_agree() {
    let demo = include_str!("../examples/demo.txt");
    let labels = |more: &[&str]| {
        let arguments = [&["annotate", "--tasks", "emd"], more].concat();
        let (json, _) = succeeds(&arguments, demo);
        let doc: Value = serde_json::from_str(&json).unwrap();
        let mentions = doc["mentions"].as_array().unwrap().iter();
        mentions
            .map(|m| (m["text"].clone(), m["labels"]["emd"]["label"].clone()))
            .collect::<Vec<_>>()
    };
    let (agreed, independent) = (labels(&[]), labels(&["--independent"]));
    assert!(agreed.iter().map(|m| &m.0).eq(independent.iter().map(|m| &m.0)), "only labels differ");
    assert_ne!(agreed, independent);
}

#[test]
fn data_is_annotated_by_its_own_tokens() {
    let dir = common::tiny_model();
    let model = dir.path().join("model");
    let model = model.to_str().unwrap();
    let sentence = r#"{"sents": [["Mr.Berg", "sold", "it", "."], ["Why", "?"]], "title": "Berg","#;
    let data = format!(r#"[{sentence} "vertexSet": []}}, {sentence} "vertexSet": []}}]"#);
    let data = write(dir.path(), "data.json", &data);
    let arguments = ["annotate", "--model", model, "--format", "jsonl", "--from", "docred"];
    let (lines, _) = succeeds(&[&arguments[..], &[&data]].concat(), "");
    let docs: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(docs.len(), 2);
    assert_eq!(
        (&docs[0]["id"], &docs[0]["text"]),
        (&"Berg".into(), &"Mr.Berg sold it .\nWhy ?".into())
    );
    assert_eq!(docs[0]["tokens"].as_array().unwrap().len(), 6);
    assert_eq!(docs[0]["sentences"].as_array().unwrap().len(), 2);
    let arguments = ["annotate", "--model", model, "--from", "docred"];
    let (json, _) = succeeds(&[&arguments[..], &[&data]].concat(), "");
    assert_eq!(serde_json::from_str::<Vec<Value>>(&json).unwrap(), docs);
    fails(&arguments, "name one after --from");
    fails(&[&arguments[..], &["/no/such/data"]].concat(), "/no/such/data");
    fails(&[&arguments[..], &[model]].concat(), "model");
}

#[test]
fn evaluation_prints_one_object_with_a_score() {
    let dir = common::tiny_model();
    let model = dir.path().join("model");
    let model = model.to_str().unwrap();
    let gold = write(dir.path(), "gold.conll", GOLD);
    let base =
        ["evaluate", "--model", model, "--task", "ner", "--format", "conll2003", "--data", &gold];
    let (json, notes) = succeeds(&[&base[..], &["--json"]].concat(), "");
    let result: Value = serde_json::from_str(&json).unwrap();
    assert!((0.0..=1.0).contains(&result["score"].as_f64().unwrap()));
    assert_eq!(result["unknown_labels"]["PRIZE"], 1);
    assert!(notes.contains("PRIZE") && notes.contains("--all-labels"), "{notes}");
    let (text, _) = succeeds(&[&base[..], &["--all-labels"]].concat(), "");
    assert!(text.starts_with("ner  0."), "{text}");
    for row in ["\nmicro ", "\nuntyped ", "\nmacro ", "\n  PRIZE "] {
        assert!(text.contains(row), "{text}");
    }
    // The data has one mention layer, `ner`.
    let arguments: Vec<&str> = base.iter().map(|a| if *a == "ner" { "emd" } else { a }).collect();
    let (_, notes) = succeeds(&arguments, "");
    assert!(notes.contains("layer `ner`"), "{notes}");
    let arguments: Vec<&str> = base.iter().map(|a| if *a == "ner" { "coref" } else { a }).collect();
    fails(&arguments, "no gold for task `coref`");
    let page = dir.path().join("errors.html");
    let errors = [&base[..], &["--errors", page.to_str().unwrap()]].concat();
    succeeds(&errors, "");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("By label") && page.contains("<title>") && page.ends_with("</html>\n"));
    // The model is random: what it finds is not the gold.
    assert!(page.contains("href=\"#f0\"") && page.contains("<details>"), "{page}");
    let nowhere = dir.path().join("none/errors.html");
    fails(&[&base[..], &["--errors", nowhere.to_str().unwrap()]].concat(), "errors.html");
}

#[test]
fn data_is_converted() {
    let dir = tempfile::tempdir().unwrap();
    let gold = write(dir.path(), "gold.conll", GOLD);
    let (jsonl, _) = succeeds(&["convert", "--from", "conll2003", "--to", "jsonl", &gold], "");
    assert!(jsonl.contains("Maria Keller"), "{jsonl}");
    let lines = write(dir.path(), "gold.jsonl", &jsonl);
    let back = dir.path().join("back.conll");
    let back = back.to_str().unwrap();
    succeeds(&["convert", "--from", "jsonl", "--to", "conll2003", &lines, back], "");
    assert!(fs::read_to_string(back).unwrap().contains("Keller -X- -X- I-PER"));
    fails(&["convert", "--from", "jsonl", "--to", "brat", &lines], "folder");
    fails(&["convert", "--from", "jsonl", "--to", "jsonl", &gold], "gold.conll:1");
}

#[test]
fn a_model_is_described() {
    let dir = common::tiny_model();
    let model = dir.path().join("model");
    let model = model.to_str().unwrap();
    let (json, _) = succeeds(&["inspect", model, "--json"], "");
    let info: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(info["tasks"]["relation"]["arguments"], "emd");
    let (text, _) = succeeds(&["inspect", model], "");
    assert!(text.contains("labels: PER, ORG, LOC"), "{text}");
}

#[test]
fn errors_are_one_line_and_usage_is_two() {
    let dir = common::tiny_model();
    let model = dir.path().join("model");
    let model = model.to_str().unwrap();
    fails(&["annotate", "--model", "/no/such/model"], "/no/such/model");
    fails(&["annotate", "--model", model, "/no/such/text"], "/no/such/text");
    fails(&["annotate", "--model", model, "--tasks", "pos"], "no task `pos`");
    fails(&["annotate", "--model", model, "--device", "cuda:99"], "cuda:99");
    let binary = dir.path().join("binary");
    fs::write(&binary, b"ab\xff").unwrap();
    fails(&["annotate", "--model", model, binary.to_str().unwrap()], "not UTF-8 text: see byte 2");
    assert_eq!(hmtl(&["annotate", "--format", "xml"], "").status.code(), Some(2));
    assert_eq!(hmtl(&[], "").status.code(), Some(2));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let dir = common::tiny_model();
    let model = dir.path().join("model");
    let line = format!(
        "{} annotate --model {} --format jsonl | true",
        env!("CARGO_BIN_EXE_hmtl"),
        model.display()
    );
    let out = Command::new("sh").args(["-c", &line]).stdin(Stdio::null()).output().unwrap();
    assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn the_speed_of_a_model_is_measured() {
    let dir = common::tiny_model();
    let model = dir.path().join("model");
    let model = model.to_str().unwrap();
    let text = dir.path().join("text.txt");
    fs::write(&text, "Maria Keller founded Nordlicht. She sold it.").unwrap();
    let text = text.to_str().unwrap();
    let arguments = ["bench", "--model", model, "--seconds", "0", "--json", text];
    let figures: Value = serde_json::from_str(&succeeds(&arguments, "").0).unwrap();
    assert_eq!((figures["sentences"].as_u64(), figures["tokens"].as_u64()), (Some(2), Some(9)));
    assert!(figures["sentence"]["p50_ms"].as_f64().unwrap() > 0.0);
    assert!(figures["texts_together"]["tokens_per_s"].as_f64().unwrap() > 0.0);
    let (page, _) = succeeds(&["bench", "--model", model, "--seconds", "0"], "");
    assert!(page.lines().count() == 4 && page.contains("tokens/s"), "{page}");
    let figures = succeeds(&[&arguments[..], &["--tasks", "ner", "--independent"]].concat(), "").0;
    let figures: Value = serde_json::from_str(&figures).unwrap();
    assert_eq!((&figures["tasks"], &figures["independent"]), (&json!(["ner"]), &json!(true)));

    fails(&["bench", "--model", model, "--seconds=-1", text], "--seconds -1");
    fs::write(dir.path().join("empty.txt"), " ").unwrap();
    let empty = dir.path().join("empty.txt");
    fails(&["bench", "--model", model, empty.to_str().unwrap()], "nothing to annotate");
    fails(&["bench", "--model", model, "missing.txt"], "missing.txt");
    fails(&["annotate", "--model", model, "missing.txt"], "missing.txt: No such file or directory");
}
