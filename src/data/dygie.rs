//! DyGIE JSON lines, as SciERC has them: sentences of words, and mentions, relations and clusters by
//! inclusive token positions of the document.

use serde::Deserialize;

use super::{COREF, EMD, RELATION, Source};
use crate::{Document, DocumentBuilder, Result, Span};

type Link = (usize, usize, usize, usize, String);

#[derive(Deserialize)]
struct Entry {
    #[serde(alias = "doc_id")]
    doc_key: Option<String>,
    sentences: Vec<Vec<String>>,
    /// By sentence: first, last, label; predictions may follow.
    ner: Option<Vec<Vec<(usize, usize, String)>>>,
    /// By sentence: first and last of head and tail, label.
    relations: Option<Vec<Vec<Link>>>,
    clusters: Option<Vec<Vec<(usize, usize)>>>,
}

pub(super) fn read(text: &str, source: &mut Source) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        match source.json::<Entry>(line, at + 1) {
            Ok(entry) => documents.push(document(entry, at + 1, source)?),
            Err(error) if !source.options.skip_invalid => return Err(error),
            Err(error) => source.left_out(at + 1, error.to_string()),
        }
    }
    Ok(documents)
}

fn document(entry: Entry, line: usize, source: &mut Source) -> Result<Document> {
    let mut build = DocumentBuilder::new(Document::from_sentences(&entry.sentences));
    let mut ends = Vec::new();
    for sentence in &entry.sentences {
        ends.push(ends.last().copied().unwrap_or(0) + sentence.len());
    }
    let span = |first: usize, last: usize, source: &mut Source| -> Result<Option<Span>> {
        let sentence = ends.partition_point(|&end| end <= first);
        if first > last || ends.get(sentence).is_none_or(|&end| last >= end) {
            source.invalid(line, format!("span {first}..={last} is not inside a sentence"))?;
            return Ok(None);
        }
        Ok(Some(Span::new(first, last + 1)))
    };
    if let Some(ner) = entry.ner {
        build.layer(EMD);
        for (first, last, label) in ner.into_iter().flatten() {
            if let Some(span) = span(first, last, source)? {
                source.label(line, &mut build, span, EMD, &label);
            }
        }
    }
    if let Some(relations) = entry.relations {
        build.layer(RELATION);
        for (a, b, c, d, label) in relations.into_iter().flatten() {
            if let (Some(head), Some(tail)) = (span(a, b, source)?, span(c, d, source)?) {
                build.relation(RELATION, &label, head, tail, None);
            }
        }
    }
    if let Some(clusters) = entry.clusters {
        build.layer(COREF);
        for cluster in clusters {
            let mut spans = Vec::new();
            for (first, last) in cluster {
                spans.extend(span(first, last, source)?);
            }
            if !spans.is_empty() {
                build.cluster(spans);
            }
        }
    }
    let mut doc = build.finish();
    doc.id = Some(entry.doc_key.unwrap_or_else(|| format!("{}-{line}", source.stem())));
    Ok(doc)
}
