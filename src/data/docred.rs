//! DocRED JSON: names with their entities, and relations between entities across the document.
//!
//! An entity becomes a cluster, of one mention if it is named once. A relation holds between
//! entities; it is placed on the closest pair of their mentions (the fewest sentences apart, then
//! the fewest tokens), and the clusters say for which other mentions it holds too. Wikidata property
//! codes become readable names.

use std::collections::HashMap;

use once_cell::sync::Lazy;
use serde::Deserialize;

use super::{COREF, NER, RELATION, Source};
use crate::{Document, DocumentBuilder, Result, Span};

/// Code and name of each property, a line each.
static PROPERTIES: Lazy<HashMap<&str, &str>> = Lazy::new(|| {
    include_str!("docred_properties.tsv").lines().filter_map(|l| l.split_once('\t')).collect()
});

#[derive(Deserialize)]
struct Entry {
    title: String,
    sents: Vec<Vec<String>>,
    #[serde(rename = "vertexSet")]
    entities: Vec<Vec<Name>>,
    labels: Option<Vec<Fact>>,
}

#[derive(Deserialize)]
struct Name {
    pos: [usize; 2],
    sent_id: usize,
    #[serde(rename = "type")]
    label: String,
}

#[derive(Deserialize)]
struct Fact {
    r: String,
    h: usize,
    t: usize,
}

/// The readable name of a Wikidata property; its code when unknown.
fn property(code: &str) -> &str {
    PROPERTIES.get(code).copied().unwrap_or(code)
}

pub(super) fn read(text: &str, source: &mut Source) -> Result<Vec<Document>> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let entries: Vec<Entry> = source.json(text, 1)?;
    entries.iter().map(|entry| document(entry, source)).collect()
}

fn document(entry: &Entry, source: &mut Source) -> Result<Document> {
    let mut build = DocumentBuilder::new(Document::from_sentences(&entry.sents));
    build.layer(NER);
    build.layer(COREF);
    // Where each sentence starts; empty ones are no sentences of the document.
    let mut starts = vec![0];
    for sentence in &entry.sents {
        starts.push(starts[starts.len() - 1] + sentence.len());
    }
    let mut entities: Vec<Vec<(usize, Span)>> = Vec::new(); // sentence, span
    for names in &entry.entities {
        let mut spans = Vec::new();
        for name in names {
            let length = entry.sents.get(name.sent_id).map_or(0, Vec::len);
            let [first, last] = name.pos;
            if first >= last || last > length {
                let title = &entry.title;
                let place = format!("{first}..{last} of sentence {}", name.sent_id);
                source.invalid(
                    0,
                    format!("document {title:?}: mention {place} is outside the text"),
                )?;
                continue;
            }
            let start = starts[name.sent_id];
            let span = Span::new(start + first, start + last);
            source.label(0, &mut build, span, NER, &name.label);
            if !spans.contains(&(name.sent_id, span)) {
                spans.push((name.sent_id, span));
            }
        }
        build.cluster(spans.iter().map(|s| s.1).collect());
        entities.push(spans);
    }
    if let Some(facts) = &entry.labels {
        build.layer(RELATION);
        for fact in facts {
            let spans = |e: usize| entities.get(e).map_or(&[][..], Vec::as_slice);
            match closest(spans(fact.h), spans(fact.t)) {
                Some((head, tail)) => build.relation(RELATION, property(&fact.r), head, tail, None),
                None => {
                    let title = &entry.title;
                    let message =
                        format!("document {title:?}: relation {} lacks an argument", fact.r);
                    source.invalid(0, message)?;
                }
            }
        }
    }
    let mut doc = build.finish();
    // An entity whose mentions were all left out is no cluster.
    doc.clusters.retain(|c| !c.mentions.is_empty());
    for (c, cluster) in doc.clusters.iter().enumerate() {
        for &m in &cluster.mentions {
            doc.mentions[m].cluster = Some(c);
        }
    }
    doc.id = Some(entry.title.clone());
    Ok(doc)
}

fn closest(heads: &[(usize, Span)], tails: &[(usize, Span)]) -> Option<(Span, Span)> {
    let pairs = heads.iter().flat_map(|h| tails.iter().map(move |t| (h, t)));
    let distance = |((hs, h), (ts, t)): &(&(usize, Span), &(usize, Span))| {
        (hs.abs_diff(*ts), h.first.abs_diff(t.first), h.first.min(t.first))
    };
    pairs.min_by_key(distance).map(|(h, t)| (h.1, t.1))
}
