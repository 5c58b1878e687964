//! One suite for every language: see `README.md`. `HMTL_BLESS=1` writes the golden files again, from
//! what the Rust driver gets.
#![allow(clippy::print_stderr)] // a skipped test must say so

mod driver;
mod inside;
mod judge;
mod languages;
mod schema;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use driver::{Answer, Argument, Driver};
use judge::Step;
use serde::Deserialize;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn folder() -> PathBuf {
    root().join("tests/conformance")
}

/// A file of the suite.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Suite {
    #[allow(dead_code)] // for the reader of the file
    description: String,
    /// Values that arguments name as `{"value": "..."}`.
    #[serde(default)]
    values: HashMap<String, Value>,
    steps: Vec<Step>,
}

fn suites() -> Vec<(String, Suite)> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder())
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        let suite =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        (path.file_stem().unwrap().to_str().unwrap().to_owned(), suite)
    };
    files.iter().map(read).collect()
}

/// The bytes of an argument.
fn argument(value: &Value, suite: &Suite, scratch: &Path) -> Argument {
    let bytes = match value {
        Value::Null => return None,
        Value::String(text) => text.clone().into_bytes(),
        Value::Number(number) => number.to_string().into_bytes(),
        Value::Object(object) if object.len() == 1 => {
            let (kind, inner) = object.iter().next().unwrap();
            let text = inner.as_str().unwrap_or_default();
            let path = |below: &Path| below.join(text).to_str().unwrap().to_owned().into_bytes();
            match kind.as_str() {
                "hex" => (0..text.len() / 2)
                    .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
                    .collect(),
                "path" => path(scratch),
                "root" => path(root()),
                "value" => return argument(&suite.values[text], suite, scratch),
                "lines" => {
                    let lines = inner.as_array().unwrap().iter();
                    lines.map(|line| format!("{line}\n")).collect::<String>().into_bytes()
                }
                _ => value.to_string().into_bytes(),
            }
        }
        _ => value.to_string().into_bytes(),
    };
    Some(bytes)
}

/// Runs every file with a driver of its own, in a scratch folder of its own.
fn run<D: Driver>(language: &str, start: impl Fn() -> D, finish: impl Fn(D)) {
    let mut faults = 0;
    for (name, suite) in suites() {
        let scratch = tempfile::tempdir().unwrap();
        let mut driver = start();
        let mut kept = HashMap::new();
        let mut steps = 0;
        for (at, step) in suite.steps.iter().enumerate().filter(|(_, s)| s.is_for(language)) {
            let arguments: Vec<Argument> =
                step.args.iter().map(|a| argument(a, &suite, scratch.path())).collect();
            let answer: Answer = driver.call(&step.call, &arguments);
            if let Err(fault) = step.judge(&answer, &mut kept) {
                // At once: a driver may end over what follows.
                eprintln!("{language}: {name}.json, step {at} ({}): {fault}", step.call);
                faults += 1;
            }
            steps += 1;
        }
        assert!(steps > 0, "{language} runs nothing of {name}.json");
        finish(driver);
    }
    assert_eq!(faults, 0, "{language} fails");
}
