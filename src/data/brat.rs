//! brat standoff: a text, and beside it `NAME.ann` with mentions (`T`), relations (`R`) and
//! equivalences (`*`). Equivalent mentions are coreferent, and so are those of a relation named
//! `coref` or `coreference`.
//!
//! Where a mention begins or ends inside a token, the token is split there, so that no mention is
//! lost. Events, attributes, notes and the like have no place in a document and are listed as
//! left out.

use std::collections::HashMap;

use pathfinding::undirected::connected_components::components;

use super::{COREF, EMD, RELATION, Source, read_text};
use crate::text::tokenize;
use crate::{Document, DocumentBuilder, Result, Sentence, Span, Token};

/// A mention by its characters.
struct Mention<'a> {
    line: usize,
    id: &'a str,
    label: &'a str,
    start: usize,
    end: usize,
}

/// `text` is that of the `.ann` file.
pub(super) fn read(ann: &str, source: &mut Source) -> Result<Vec<Document>> {
    let text = read_text(&source.path.with_extension("txt"))?;
    // brat counts characters; positions in bytes, with the end of the text.
    let bytes: Vec<usize> = text.char_indices().map(|(b, _)| b).chain([text.len()]).collect();
    let mut mentions = Vec::new();
    let mut relations = Vec::new();
    let mut equivalent = Vec::new();
    for (at, line) in ann.lines().enumerate() {
        let number = at + 1;
        match line.chars().next() {
            None => {}
            Some('T') => match mention(line, number, &bytes) {
                Ok(mention) => mentions.push(mention),
                Err(message) => source.invalid(number, message)?,
            },
            Some('R') => match relation(line) {
                Some(relation) => relations.push((number, relation)),
                None => source.invalid(number, format!("`{line}` is not a relation"))?,
            },
            Some('*') => match line.split_once('\t').and_then(|(_, rest)| rest.split_once(' ')) {
                Some((_, ids)) => equivalent.push((number, ids.split_whitespace().collect())),
                None => source.invalid(number, format!("`{line}` is not an equivalence"))?,
            },
            Some('E' | 'A' | 'M' | 'N' | '#') => {
                source.left_out(number, "events, attributes and notes are not read");
            }
            Some(_) => source.invalid(number, format!("`{line}` is not an annotation"))?,
        }
    }
    mentions.retain(|m| !text[m.start..m.end].trim().is_empty());
    let cuts = mentions.iter().flat_map(|m| [m.start, m.end]).collect();
    let mut build = DocumentBuilder::new(split_tokens(tokenize(&text), cuts));
    build.layer(EMD);
    build.layer(RELATION);
    let mut spans = HashMap::new();
    for mention in &mentions {
        let tokens = &build.document().tokens;
        let span = Span::new(
            tokens.partition_point(|t| t.end <= mention.start),
            tokens.partition_point(|t| t.start < mention.end),
        );
        spans.insert(mention.id, span);
        source.label(mention.line, &mut build, span, EMD, mention.label);
    }
    for (line, (label, head, tail)) in relations {
        if ["coref", "coreference"].contains(&label.to_ascii_lowercase().as_str()) {
            equivalent.push((line, vec![head, tail]));
            continue;
        }
        match (spans.get(head), spans.get(tail)) {
            (Some(&head), Some(&tail)) => build.relation(RELATION, label, head, tail, None),
            _ => source.invalid(line, format!("relation `{label}` has an unknown argument"))?,
        }
    }
    let mut groups: Vec<Vec<Span>> = Vec::new();
    for (line, ids) in equivalent {
        match ids.iter().map(|id| spans.get(id).copied()).collect() {
            Some(group) => groups.push(group),
            None => source.invalid(line, "an equivalence has an unknown mention".to_owned())?,
        }
    }
    if !groups.is_empty() {
        build.layer(COREF);
    }
    for cluster in components(&groups) {
        build.cluster(cluster.into_iter().collect());
    }
    let mut doc = build.finish();
    doc.id = Some(source.stem());
    Ok(vec![doc])
}

/// `T1<tab>PER 0 5<tab>Maria`
fn mention<'a>(line: &'a str, number: usize, bytes: &[usize]) -> Result<Mention<'a>, String> {
    let bad = || format!("`{line}` is not a mention");
    let mut fields = line.split('\t');
    let (id, place) = (fields.next().ok_or_else(bad)?, fields.next().ok_or_else(bad)?);
    if place.contains(';') {
        return Err(format!("mention {id} is discontinuous, which has no span"));
    }
    let mut parts = place.split(' ');
    let label = parts.next().filter(|l| !l.is_empty()).ok_or_else(bad)?;
    let mut position = || parts.next().and_then(|p| p.parse::<usize>().ok()).ok_or_else(bad);
    let (start, end) = (position()?, position()?);
    let (Some(&start), Some(&end), true) = (bytes.get(start), bytes.get(end), start < end) else {
        return Err(format!("mention {id} is outside the text"));
    };
    Ok(Mention { line: number, id, label, start, end })
}

/// `R1<tab>works_for Arg1:T1 Arg2:T2`
fn relation(line: &str) -> Option<(&str, &str, &str)> {
    let mut parts = line.split('\t').nth(1)?.split(' ');
    let label = parts.next()?;
    let (_, head) = parts.next()?.split_once(':')?;
    let (_, tail) = parts.next()?.split_once(':')?;
    Some((label, head, tail))
}

/// Splits the tokens that a position cuts, and joins sentences that a mention would cross.
fn split_tokens(doc: Document, mut cuts: Vec<usize>) -> Document {
    let pairs: Vec<(usize, usize)> = cuts.chunks(2).map(|c| (c[0], c[1])).collect();
    cuts.sort_unstable();
    let mut split = Document::new(doc.text, Vec::new(), Vec::new());
    for sentence in &doc.sentences {
        let first_token = split.tokens.len();
        for token in &doc.tokens[sentence.first_token..sentence.last_token] {
            let mut start = token.start;
            let inside = cuts.partition_point(|&c| c <= token.start);
            for &cut in cuts[inside..].iter().take_while(|&&c| c < token.end) {
                if cut > start {
                    split.tokens.push(Token { start, end: cut });
                    start = cut;
                }
            }
            split.tokens.push(Token { start, end: token.end });
        }
        let joins = split.sentences.last().is_some_and(|s: &Sentence| {
            pairs.iter().any(|&(start, end)| start < s.end && end > sentence.start)
        });
        match split.sentences.last_mut() {
            Some(last) if joins => {
                (last.end, last.last_token) = (sentence.end, split.tokens.len());
            }
            _ => split.sentences.push(Sentence {
                first_token,
                last_token: split.tokens.len(),
                ..*sentence
            }),
        }
    }
    split
}
