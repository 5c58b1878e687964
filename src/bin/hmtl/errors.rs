//! `hmtl evaluate --errors`: a page of what is missed, made up and mistaken, in tables and one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use hmtl::metric::{ErrorAnalysis, Fault, Item, NONE};
use hmtl::model::{Comparison, Evaluation};
use hmtl::{Document, DocumentBuilder, Span};

use super::html::{self, escape, marked, table};

/// Tokens shown on either side of what an error is about.
const AROUND: usize = 15;
/// Labels in the table of confusions; the rarer ones are in the list of errors all the same.
const CONFUSED: usize = 20;

/// The page.
pub fn page(comparison: &Comparison, evaluation: &Evaluation) -> String {
    let analysis = comparison.errors();
    let mut out = String::from(html::HEAD);
    let Evaluation { task, score, documents, .. } = evaluation;
    let _ = writeln!(out, "<h1>{}: {score:.4} on {documents} documents</h1>", escape(task));
    let count = |fault| analysis.items.iter().filter(|i| i.fault == fault).count();
    let faults: Vec<Fault> = Fault::ALL.into_iter().filter(|f| count(*f) > 0).collect();
    table(
        &mut out,
        "Errors",
        faults.iter().enumerate().map(|(at, fault)| {
            format!("<td><a href=\"#f{at}\">{}</a><td>{}", fault.name(), count(*fault))
        }),
    );
    for (title, kinds) in &analysis.tables {
        let header = std::iter::once("<td><td>gold<td>found<td>".to_owned());
        let rows = kinds.iter().map(|((_, kind), n)| {
            let share = n.found as f64 / n.gold.max(1) as f64;
            format!("<td>{}<td>{}<td>{}<td>{:.3}", escape(kind), n.gold, n.found, share)
        });
        table(&mut out, title, header.chain(rows));
    }
    confusions(&analysis, &mut out);
    for (at, fault) in faults.iter().enumerate() {
        let items: Vec<&Item> = analysis.items.iter().filter(|i| i.fault == *fault).collect();
        let _ = writeln!(out, "<h2 id=\"f{at}\">{}: {}</h2>", fault.name(), items.len());
        for (label, items) in by_label(&items) {
            let _ = writeln!(
                out,
                "<details><summary>{} <sub>{}</sub></summary>",
                escape(&label),
                items.len()
            );
            for item in items {
                error(&comparison.gold[item.document], item, &mut out);
            }
            out += "</details>\n";
        }
    }
    out + html::TAIL
}

/// Errors by their labels, the most frequent first.
fn by_label<'a>(items: &[&'a Item]) -> Vec<(String, Vec<&'a Item>)> {
    let mut groups: BTreeMap<String, Vec<&Item>> = BTreeMap::new();
    for item in items {
        let label = match (&item.gold, &item.predicted) {
            (Some(gold), Some(predicted)) if gold != predicted => {
                format!("{gold}, predicted {predicted}")
            }
            (Some(label), _) | (None, Some(label)) => label.clone(),
            (None, None) => "all".to_owned(),
        };
        groups.entry(label).or_default().push(item);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, items)| std::cmp::Reverse(items.len()));
    groups
}

/// Gold labels in rows, predicted ones in columns.
fn confusions(analysis: &ErrorAnalysis, out: &mut String) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for ((gold, predicted), n) in &analysis.confusions {
        for label in BTreeSet::from([gold, predicted]) {
            *counts.entry(label).or_default() += n;
        }
    }
    let nothing = counts.remove(NONE);
    let mut labels: Vec<&str> = counts.keys().copied().collect();
    labels.sort_by_key(|label| std::cmp::Reverse(counts[label]));
    labels.truncate(CONFUSED);
    labels.extend(nothing.map(|_| NONE));
    let cells =
        |label: &dyn Fn(&str) -> String| labels.iter().map(|l| label(l)).collect::<String>();
    let header = std::iter::once(format!(
        "<td>gold \\ predicted{}",
        cells(&|label| format!("<td>{}", escape(label)))
    ));
    let rows = labels.iter().map(|gold| {
        let count = |predicted: &str| {
            let pair = ((*gold).to_owned(), predicted.to_owned());
            let n = analysis.confusions.get(&pair).map(usize::to_string).unwrap_or_default();
            if *gold == predicted { format!("<td><b>{n}</b>") } else { format!("<td>{n}") }
        };
        format!("<td>{}{}", escape(gold), cells(&count))
    });
    let wanted = !analysis.confusions.is_empty();
    table(out, "Confusions", header.chain(rows).filter(|_| wanted));
}

/// An error in its sentences.
fn error(doc: &Document, item: &Item, out: &mut String) {
    let mut build = DocumentBuilder::new(doc.clone());
    let names: [&str; 2] = match item.fault {
        Fault::Split | Fault::Joined => ["mention", "before it"],
        _ => ["head", "tail"],
    };
    match item.spans.as_slice() {
        [only] => {
            let gold = item.gold.as_deref().map(|l| format!("gold {l}"));
            let predicted = item.predicted.as_deref().map(|l| format!("predicted {l}"));
            match (item.other, gold, predicted) {
                (Some(other), Some(gold), Some(predicted)) => {
                    build.label(*only, "error", &gold, None);
                    build.label(other, "error", &predicted, item.score);
                }
                (_, gold, predicted) => {
                    let parts: Vec<String> = gold.into_iter().chain(predicted).collect();
                    build.label(*only, "error", &parts.join(", "), item.score);
                }
            }
        }
        spans => {
            for (span, name) in spans.iter().zip(names) {
                build.label(*span, "error", name, item.score);
            }
        }
    }
    let shown = build.finish();
    let id = doc.id.as_deref().unwrap_or_default();
    let score = item.score.map_or(String::new(), |s| format!(" {s:.2}"));
    let _ = write!(out, "<p><sub>{}{score}</sub> ", escape(id));
    for (at, range) in excerpts(&shown, item).into_iter().enumerate() {
        if at > 0 {
            *out += " … ";
        }
        marked(&shown, range, out);
    }
    *out += "</p>\n";
}

/// The bytes around the spans of an error: one stretch, or one for each span if they are far apart.
fn excerpts(doc: &Document, item: &Item) -> Vec<std::ops::Range<usize>> {
    let mut spans: Vec<Span> = item.spans.iter().copied().chain(item.other).collect();
    spans.sort();
    let mut stretches: Vec<(usize, usize)> = Vec::new(); // tokens
    for span in spans {
        let first = span.first.saturating_sub(AROUND);
        let last = (span.last + AROUND).min(doc.tokens.len());
        match stretches.last_mut() {
            Some(before) if first <= before.1 => before.1 = before.1.max(last),
            _ => stretches.push((first, last)),
        }
    }
    stretches.iter().map(|&(a, b)| doc.tokens[a].start..doc.tokens[b - 1].end).collect()
}
