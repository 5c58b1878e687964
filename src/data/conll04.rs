//! The unified JSON of CoNLL04: an array of sentences with mentions by half-open token positions and
//! relations between them. Two layouts circulate: plain arrays, and SpERT's objects.

use serde::Deserialize;
use serde_json::Value;

use super::{EMD, RELATION, Source};
use crate::{Document, DocumentBuilder, Result, Span};

#[derive(Deserialize)]
struct Entry {
    tokens: Vec<String>,
    entities: Vec<Value>,
    relations: Vec<Value>,
    #[serde(alias = "id")]
    orig_id: Option<Value>,
}

/// SpERT's mention and relation.
#[derive(Deserialize)]
struct Mention {
    #[serde(rename = "type")]
    label: String,
    start: usize,
    end: usize,
}

#[derive(Deserialize)]
struct Link {
    #[serde(rename = "type")]
    label: String,
    head: usize,
    tail: usize,
}

pub(super) fn read(text: &str, source: &mut Source) -> Result<Vec<Document>> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let entries: Vec<Entry> = source.json(text, 1)?;
    entries.into_iter().enumerate().map(|(at, entry)| document(entry, at, source)).collect()
}

fn document(entry: Entry, at: usize, source: &mut Source) -> Result<Document> {
    let length = entry.tokens.len();
    let mut build = DocumentBuilder::new(Document::from_sentences(&[entry.tokens]));
    build.layer(EMD);
    build.layer(RELATION);
    let span = |first: usize, last: usize| {
        (first < last && last <= length).then(|| Span::new(first, last))
    };
    let mut mentions = Vec::new();
    for value in entry.entities {
        let found = match &value {
            Value::Array(_) => serde_json::from_value::<(usize, usize, String)>(value.clone()).ok(),
            _ => serde_json::from_value::<Mention>(value.clone())
                .ok()
                .map(|m| (m.start, m.end, m.label)),
        };
        let found = found.and_then(|(first, last, label)| Some((span(first, last)?, label)));
        mentions.push(found.as_ref().map(|f| f.0));
        match found {
            Some((span, label)) => source.label(0, &mut build, span, EMD, &label),
            None => source.invalid(0, format!("sentence {at}: {value} is not a mention in it"))?,
        }
    }
    for value in entry.relations {
        let mention = |m: usize| mentions.get(m).copied().flatten();
        let found = match &value {
            Value::Array(_) => {
                serde_json::from_value::<(usize, usize, usize, usize, String)>(value.clone())
                    .ok()
                    .and_then(|(a, b, c, d, label)| Some((span(a, b)?, span(c, d)?, label)))
            }
            _ => serde_json::from_value::<Link>(value.clone())
                .ok()
                .and_then(|l| Some((mention(l.head)?, mention(l.tail)?, l.label))),
        };
        match found {
            Some((head, tail, label)) => build.relation(RELATION, &label, head, tail, None),
            None => source.invalid(0, format!("sentence {at}: {value} is not a relation in it"))?,
        }
    }
    let mut doc = build.finish();
    let id = entry.orig_id.map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned));
    doc.id = Some(id.unwrap_or_else(|| format!("{}-{at}", source.stem())));
    Ok(doc)
}
