//! Annotations as a listing to read.

use std::fmt::Write as _;

use hmtl::{Document, Mention};

/// Mentions, relations and clusters of a document, a line each.
pub fn listing(doc: &Document) -> String {
    let mut out = String::new();
    if let Some(id) = &doc.id {
        let _ = writeln!(out, "== {id}");
    }
    let labelled: Vec<&Mention> = doc.mentions.iter().filter(|m| !m.labels.is_empty()).collect();
    if !labelled.is_empty() {
        out.push_str("mentions\n");
    }
    for mention in labelled {
        let labels: Vec<String> = mention
            .labels
            .iter()
            .map(|(task, l)| match l.score {
                Some(score) => format!("{task}={} {score:.2}", l.label),
                None => format!("{task}={}", l.label),
            })
            .collect();
        let _ = writeln!(out, "  {:<40} {}", one_line(&mention.text), labels.join("  "));
    }
    if !doc.relations.is_empty() {
        out.push_str("relations\n");
    }
    for relation in &doc.relations {
        let text = |m: usize| one_line(&doc.mentions[m].text);
        let (head, tail) = (text(relation.head), text(relation.tail));
        let score = relation.score.map(|s| format!("  {s:.2}")).unwrap_or_default();
        let _ = writeln!(out, "  {head} --{}--> {tail}{score}", relation.label);
    }
    if !doc.clusters.is_empty() {
        out.push_str("clusters\n");
    }
    for cluster in &doc.clusters {
        let texts: Vec<String> =
            cluster.mentions.iter().map(|&m| one_line(&doc.mentions[m].text)).collect();
        let _ = writeln!(out, "  {}", texts.join(" | "));
    }
    out
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
