//! What the configuration of coreference changes.

use std::collections::HashMap;

use hmtl::config::ModelConfig;
use hmtl::model::AnnotateOptions;
use hmtl::{Document, Span};

use crate::small::{self, FLAT, NESTED, annotate, for_tasks, moody};

const SAME_NAMES: &str = r#""same_names": {"task": "ner", "labels": ["ORG"]}"#;

fn with(config: &str, options: &str) -> String {
    let key = "\"max_span_width\"";
    config.replace(key, &format!("{options}, {key}"))
}

fn label(document: &Document, span: Span) -> Option<&str> {
    let mention = document.mentions.iter().find(|m| m.span() == span)?;
    mention.labels.get("ner").map(|found| found.label.as_str())
}

/// Pairs of clusters that are called by the same name of a company.
fn namesakes(document: &Document) -> Vec<(Vec<Span>, Vec<Span>)> {
    let words = |s: Span| -> Vec<&str> {
        (s.first..s.last).map(|token| document.token_text(token)).collect()
    };
    let is_name = |s: &Span| label(document, *s) == Some("ORG");
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

/// Full names in a cluster that has such names before, none of them with a word of it.
fn strangers(document: &Document) -> usize {
    let name = |s: &Span| {
        let rest = Span::new(s.first + 1, s.last);
        [*s, rest].into_iter().find(|&s| label(document, s).is_some())
    };
    let is_full = |s: &Span| s.last - s.first > 1;
    let word = |token: usize| document.token_text(token).to_lowercase();
    let share = |a: Span, b: Span| {
        let are_full = is_full(&a) && is_full(&b);
        let mut pairs = (a.first..a.last).flat_map(|i| (b.first..b.last).map(move |j| (i, j)));
        let are_first = |i, j| are_full && i == a.first && j == b.first;
        pairs.any(|(i, j)| word(i) == word(j) && !are_first(i, j))
    };
    let of_cluster = |cluster: &Vec<Span>| {
        // In the order in which coreference sees them: by their first tokens.
        let names: Vec<Span> = cluster.iter().filter_map(name).collect();
        let is_stranger = |&n: &usize| {
            let before = &names[..n];
            is_full(&names[n])
                && before.iter().any(is_full)
                && !before.iter().any(|&other| share(names[n], other))
        };
        (0..names.len()).filter(is_stranger).count()
    };
    document.cluster_spans().iter().map(of_cluster).sum()
}

#[test]
fn no_full_name_joins_a_cluster_of_others() {
    let linked = with(NESTED, "\"none_score\": -100")
        .replace("\"spans_per_word\": 0.4", "\"spans_per_word\": 4");
    let apart = with(&linked, r#""other_names": {"task": "ner", "labels": ["PER", "ORG"]}"#);
    let all = |config: &str, options: &AnnotateOptions| {
        let (network, document) = moody(config);
        annotate(&network, &[document.clone(), document], options)
    };
    let tasks = for_tasks(&["ner", "coref"]);
    let (plain, kept_apart) = (all(&linked, &tasks), all(&apart, &tasks));
    assert!(strangers(&plain[0]) > 0, "this says nothing: no cluster has two full names");
    // As well in the second of documents that are read as one.
    assert_eq!(kept_apart.iter().map(strangers).collect::<Vec<_>>(), [0, 0]);
    assert_eq!(kept_apart[1].cluster_spans(), kept_apart[0].cluster_spans());
    let alone = all(&apart, &for_tasks(&["coref"]));
    assert_eq!(alone[0].cluster_spans(), kept_apart[0].cluster_spans());
    let independent = AnnotateOptions { independent: true, ..tasks };
    assert_eq!(all(&apart, &independent)[0].cluster_spans(), plain[0].cluster_spans());
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
        for option in ["same_names", "other_names"] {
            let config = with(NESTED, &format!("\"{option}\": {same_names}"));
            let checked = ModelConfig::from_json(&config)
                .and_then(|c| c.check_labels(&small::vocabularies().labels));
            let error = checked.unwrap_err().to_string();
            let expected = expected.replace("same_names", option);
            assert!(error.contains(&expected) && !error.contains('\n'), "{error}");
        }
    }
    let error =
        ModelConfig::from_json(&with(FLAT, r#""other_names": {"task": "ner", "labels": []}"#));
    assert!(error.unwrap_err().to_string().contains("other_names needs projection"));
}
