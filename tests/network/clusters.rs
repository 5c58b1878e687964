//! What the configuration of coreference changes.

use std::collections::HashMap;

use hmtl::config::ModelConfig;
use hmtl::model::AnnotateOptions;
use hmtl::{Document, Span};

use crate::small::{self, NESTED, annotate, for_tasks, moody};

const SAME_NAMES: &str = r#""same_names": {"task": "ner", "labels": ["ORG"]}"#;

fn with(config: &str, same_names: &str) -> String {
    let key = "\"max_span_width\"";
    config.replace(key, &format!("{same_names}, {key}"))
}

/// Pairs of clusters that are called by the same name of a company.
fn namesakes(document: &Document) -> Vec<(Vec<Span>, Vec<Span>)> {
    let words = |s: Span| -> Vec<&str> {
        (s.first..s.last).map(|token| document.token_text(token)).collect()
    };
    let is_name = |s: &Span| {
        let mention = document.mentions.iter().find(|m| m.span() == *s);
        mention.and_then(|m| m.labels.get("ner")).is_some_and(|l| l.label == "ORG")
    };
    let clusters = document.cluster_spans();
    let mut called: HashMap<Vec<&str>, Vec<usize>> = HashMap::new();
    for (c, cluster) in clusters.iter().enumerate() {
        cluster
            .iter()
            .filter(|s| is_name(s))
            .for_each(|&s| called.entry(words(s)).or_default().push(c));
    }
    let pairs = |of: &Vec<usize>| -> Vec<(Vec<Span>, Vec<Span>)> {
        let all = of.iter().flat_map(|&a| of.iter().map(move |&b| (a, b)));
        all.filter(|(a, b)| a < b)
            .map(|(a, b)| (clusters[a].clone(), clusters[b].clone()))
            .collect()
    };
    called.values().flat_map(pairs).collect()
}

#[test]
fn clusters_of_one_name_are_one_whatever_else_is_asked_for() {
    let all = |config: &str, tasks: &[&str]| {
        let (network, document) = moody(config);
        let options = AnnotateOptions { singletons: true, ..for_tasks(tasks) };
        annotate(&network, &[document], &options).remove(0)
    };
    let overlap = |(a, b): &(Vec<Span>, Vec<Span>)| {
        a.iter().any(|a| b.iter().any(|b| a.first < b.last && b.first < a.last))
    };
    let apart =
        |document: &Document| namesakes(document).into_iter().filter(|pair| !overlap(pair)).count();
    // Every span is a mention, and no score is high enough to link any.
    let lone = with(NESTED, "\"none_score\": 100, \"singleton_score\": -50")
        .replace("\"spans_per_word\": 0.4", "\"spans_per_word\": 4");
    let (tasks, same_names) = (["ner", "relation", "coref"], with(&lone, SAME_NAMES));
    let (plain, joined) = (all(&lone, &tasks), all(&same_names, &tasks));
    assert!(apart(&plain) > 0, "this says nothing: no name is in two clusters");
    assert_eq!(apart(&joined), 0);
    let alone = all(&same_names, &["coref"]);
    assert_eq!(alone.tasks, ["coref"]);
    assert_eq!(alone.cluster_spans(), joined.cluster_spans());
}

#[test]
fn names_that_no_task_finds_are_refused() {
    for (same_names, expected) in [
        (r#"{"task": "who", "labels": []}"#, "same_names.task `who` is no task of spans"),
        (r#"{"task": "relation", "labels": []}"#, "same_names.task `relation` is no task of spans"),
        (
            r#"{"task": "ner", "labels": ["MAN"]}"#,
            "same_names names the label `MAN`, which the task `ner`",
        ),
    ] {
        let config =
            ModelConfig::from_json(&with(NESTED, &format!("\"same_names\": {same_names}")));
        let checked = config.and_then(|c| c.check_labels(&small::vocabularies().labels));
        let error = checked.unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains('\n'), "{error}");
    }
}
