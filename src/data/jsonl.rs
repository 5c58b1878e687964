//! JSON lines: a [`Document`] a line, checked in full, since a user may have written it.

use super::Source;
use crate::text::to_bytes;
use crate::{DOCUMENT_FORMAT, Document, Result};

pub(super) fn read(text: &str, source: &mut Source) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        match document(line) {
            Ok(doc) => documents.push(doc),
            Err(message) => source.invalid(at + 1, message)?,
        }
    }
    Ok(documents)
}

/// Parses and checks a document; positions become bytes.
fn document(json: &str) -> Result<Document, String> {
    let doc: Document = serde_json::from_str(json).map_err(|e| e.to_string())?;
    if doc.format > DOCUMENT_FORMAT {
        return Err(format!(
            "format {} is newer than this library reads ({DOCUMENT_FORMAT})",
            doc.format
        ));
    }
    let doc = to_bytes(&doc).map_err(|e| e.to_string())?;
    check_tokens(&doc)?;
    check_mentions(&doc)?;
    Ok(doc)
}

/// Tokens and sentences stand in order, inside the text, and every token in one sentence.
fn check_tokens(doc: &Document) -> Result<(), String> {
    let mut end = 0;
    for (t, token) in doc.tokens.iter().enumerate() {
        if token.start < end
            || token.start >= token.end
            || doc.text.get(token.start..token.end).is_none()
        {
            return Err(format!("token {t} is empty, out of order or outside the text"));
        }
        end = token.end;
    }
    let mut next = 0;
    for (s, sentence) in doc.sentences.iter().enumerate() {
        if sentence.first_token != next || sentence.last_token < next {
            return Err(format!("sentence {s} does not begin where the one before it ends"));
        }
        next = sentence.last_token;
        if doc.text.get(sentence.start..sentence.end).is_none() {
            return Err(format!("sentence {s} is outside the text"));
        }
    }
    if next != doc.tokens.len() {
        return Err("the sentences do not cover all tokens".into());
    }
    Ok(())
}

/// Mentions are made of tokens; relations and clusters point at mentions.
fn check_mentions(doc: &Document) -> Result<(), String> {
    for (m, mention) in doc.mentions.iter().enumerate() {
        let (first, last) = (mention.first_token, mention.last_token);
        if first >= last || last > doc.tokens.len() {
            return Err(format!("mention {m} has no tokens, or tokens outside the document"));
        }
        let sentence = doc.sentences.partition_point(|s| s.last_token <= first);
        if last > doc.sentences[sentence].last_token {
            return Err(format!("mention {m} crosses the end of its sentence"));
        }
        if (mention.start, mention.end) != (doc.tokens[first].start, doc.tokens[last - 1].end) {
            return Err(format!("mention {m} does not begin and end with its tokens"));
        }
        if mention.text != doc.text[mention.start..mention.end] {
            return Err(format!("mention {m} has a text of its own"));
        }
        if mention.cluster.is_some_and(|c| c >= doc.clusters.len()) {
            return Err(format!("mention {m} is in a cluster that does not exist"));
        }
    }
    for (r, relation) in doc.relations.iter().enumerate() {
        if relation.head.max(relation.tail) >= doc.mentions.len() {
            return Err(format!("relation {r} has an argument that does not exist"));
        }
    }
    for (c, cluster) in doc.clusters.iter().enumerate() {
        if cluster.mentions.iter().any(|&m| m >= doc.mentions.len()) {
            return Err(format!("cluster {c} has a mention that does not exist"));
        }
    }
    Ok(())
}
