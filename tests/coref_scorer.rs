//! The coreference metrics against the cases of the official scorer.

mod common;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use hmtl::Span;
use hmtl::metric::CoreferenceCounts;
use regex::Regex;
use serde_json::Value;

/// Values of 1 that were published for responses that are visibly not perfect, beside other
/// values of the same case that say so: placeholders that were never filled in.
const PLACEHOLDERS: &[(&str, &[&str])] = &[
    ("B1", &["muc", "bcub"]),
    ("C1", &["muc", "bcub"]),
    ("D1", &["ceafm", "ceafe", "blanc"]),
    ("E1", &["ceafm", "ceafe", "blanc"]),
];

/// The clusters of each document of a key or response file, by the document's header. The files
/// leave out most columns, and some put brackets side by side, so the readers refuse them.
fn documents(path: &Path) -> BTreeMap<String, Vec<Vec<Span>>> {
    let text = fs::read_to_string(path).unwrap();
    let mut documents: BTreeMap<String, Vec<Vec<Span>>> = BTreeMap::new();
    let mut header = String::new();
    let mut clusters: Vec<(String, Vec<Span>)> = Vec::new();
    let mut open: HashMap<String, Vec<usize>> = HashMap::new();
    let mut token = 0;
    let brackets = Regex::new(r"(\(?)(\d+)(\)?)").unwrap();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("#begin document") {
            header = name.trim().to_owned();
        } else if line.starts_with("#end document") {
            let done = std::mem::take(&mut clusters).into_iter().map(|(_, spans)| spans);
            documents.entry(header.clone()).or_default().extend(done);
            token = 0;
        } else if let Some(cell) = line.split_whitespace().last() {
            for bracket in brackets.captures_iter(cell) {
                let id = bracket[2].to_owned();
                if !bracket[1].is_empty() {
                    open.entry(id.clone()).or_default().push(token);
                    if !clusters.iter().any(|c| c.0 == id) {
                        clusters.push((id.clone(), Vec::new()));
                    }
                }
                if !bracket[3].is_empty() {
                    let start = open.get_mut(&id).and_then(Vec::pop).unwrap();
                    let span = Span::new(start, token + 1);
                    clusters.iter_mut().find(|c| c.0 == id).unwrap().1.push(span);
                }
            }
            token += 1;
        }
    }
    documents
}

#[test]
fn official_cases() {
    let Some(dir) = common::shared("coref_scorer_cases") else { return };
    let cases = fs::read_to_string(dir.join("cases.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&cases).unwrap();
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for case in &cases {
        let name = |of: &str| case[of].as_str().unwrap();
        let (gold, predicted) =
            (documents(&dir.join(name("key"))), documents(&dir.join(name("response"))));
        let mut counts = CoreferenceCounts::default();
        for (header, clusters) in &gold {
            counts.add(clusters, predicted.get(header).map_or(&[], Vec::as_slice));
        }
        let found = counts.score(true).details;
        let names = [
            ("muc", "muc"),
            ("bcub", "b_cubed"),
            ("ceafm", "ceaf_m"),
            ("ceafe", "ceaf_e"),
            ("blanc", "blanc"),
        ];
        let placeholders = PLACEHOLDERS.iter().find(|p| p.0 == name("id")).map_or(&[][..], |p| p.1);
        for (theirs, ours) in names.into_iter().filter(|n| !placeholders.contains(&n.0)) {
            for value in ["recall", "precision", "f1"] {
                // Some cases publish some values only.
                let Some(expected) = case["expected"][theirs][value].as_f64() else { continue };
                compared += 1;
                let found = found[ours][value].as_f64().unwrap();
                if (found - expected).abs() > 1e-4 {
                    wrong.push(format!("{} {ours} {value}: {found}, not {expected}", name("id")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} values differ:\n{}", wrong.len(), wrong.join("\n"));
    eprintln!("{} cases, {compared} values", cases.len());
    assert_eq!(cases.len(), 36);
}
