//! Documents to files: JSON lines hold all of a document, the other formats what they can.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::{Format, NER};
use crate::{Document, Error, Result};

/// Writes documents: JSON lines and CoNLL columns to the file `path`, brat to the folder `path`.
/// A format that cannot hold what the documents have is an error that names it.
pub fn write(format: Format, documents: &[Document], path: &Path) -> Result<()> {
    let mut out = String::new();
    match format {
        Format::Jsonl => {
            for doc in documents {
                let json =
                    serde_json::to_string(doc).map_err(|e| Error::Internal(e.to_string()))?;
                out += &json;
                out.push('\n');
            }
        }
        Format::Conll2003 => {
            for doc in documents {
                conll2003(doc, &mut out)?;
            }
        }
        Format::Conll2012 => {
            for doc in documents {
                conll2012(doc, &mut out);
            }
        }
        Format::Brat => return brat(documents, path),
        other => {
            return Err(Error::Unsupported(format!(
                "{other} can be read but not written; there are jsonl, conll2003, conll2012, brat"
            )));
        }
    }
    fs::write(path, out).map_err(|e| Error::io(path, e))
}

/// The layer that a format of one layer shows: `ner`, or the only one there is.
fn only_layer(doc: &Document) -> Option<&str> {
    if doc.tasks.iter().any(|t| t == NER) {
        return Some(NER);
    }
    doc.mentions.iter().flat_map(|m| m.labels.keys()).next().map(String::as_str)
}

/// Columns as CoNLL-2003 has them, in IOB2.
fn conll2003(doc: &Document, out: &mut String) -> Result<()> {
    let mut tags = vec!["O".to_owned(); doc.tokens.len()];
    if let Some(layer) = only_layer(doc) {
        for (span, label) in doc.labelled(layer) {
            if tags[span.first..span.last].iter().any(|t| t != "O") {
                let id = doc.id.as_deref().unwrap_or_default();
                return Err(Error::Unsupported(format!(
                    "conll2003 cannot hold the nested mentions of document {id:?}; use jsonl or brat"
                )));
            }
            for (at, tag) in tags[span.first..span.last].iter_mut().enumerate() {
                *tag = format!("{}-{}", if at == 0 { 'B' } else { 'I' }, label.label);
            }
        }
    }
    out.push_str("-DOCSTART- -X- -X- O\n\n");
    for sentence in &doc.sentences {
        let tokens = sentence.first_token..sentence.last_token;
        for (t, tag) in tokens.clone().zip(&tags[tokens]) {
            let _ = writeln!(out, "{} -X- -X- {tag}", doc.token_text(t));
        }
        out.push('\n');
    }
    Ok(())
}

/// The 12 columns of CoNLL-2012, with names and coreference.
fn conll2012(doc: &Document, out: &mut String) {
    let id = doc.id.as_deref().unwrap_or("document");
    let mut names = vec!["*".to_owned(); doc.tokens.len()];
    let mut taken = vec![false; doc.tokens.len()];
    for (span, label) in doc.labelled(NER) {
        if taken[span.first..span.last].contains(&true) {
            continue;
        }
        taken[span.first..span.last].fill(true);
        names[span.first] = format!("({}*", label.label);
        if span.last - span.first == 1 {
            names[span.first] = format!("({})", label.label);
        } else {
            names[span.last - 1] = "*)".into();
        }
    }
    let mut brackets: Vec<Vec<String>> = vec![Vec::new(); doc.tokens.len()];
    for (c, spans) in doc.cluster_spans().iter().enumerate() {
        for span in spans {
            if span.last - span.first == 1 {
                brackets[span.first].push(format!("({c})"));
            } else {
                brackets[span.first].push(format!("({c}"));
                brackets[span.last - 1].push(format!("{c})"));
            }
        }
    }
    let _ = writeln!(out, "#begin document ({id}); part 000");
    for sentence in &doc.sentences {
        for (n, t) in (sentence.first_token..sentence.last_token).enumerate() {
            let coref = if brackets[t].is_empty() { "-".into() } else { brackets[t].join("|") };
            let (word, name) = (doc.token_text(t), &names[t]);
            let _ = writeln!(out, "{id} 0 {n} {word} - * - - - - {name} {coref}");
        }
        out.push('\n');
    }
    out.push_str("#end document\n");
}

/// A text and its standoff file for each document; positions in characters.
fn brat(documents: &[Document], folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    for (d, doc) in documents.iter().enumerate() {
        let id = doc.id.clone().unwrap_or_else(|| format!("document-{d}"));
        let name: String = id
            .chars()
            .map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' })
            .collect();
        let chars = crate::text::to_unit(doc, crate::OffsetUnit::Char);
        let mut ann = String::new();
        let mut next = 0;
        let mut first_of = vec![None; doc.mentions.len()];
        for (m, mention) in chars.mentions.iter().enumerate() {
            let mut labels: Vec<&str> = mention.labels.values().map(|l| l.label.as_str()).collect();
            if labels.is_empty() {
                labels.push("Mention");
            }
            let text = mention.text.replace('\n', " ");
            for label in labels {
                next += 1;
                first_of[m].get_or_insert(next);
                let _ = writeln!(ann, "T{next}\t{label} {} {}\t{text}", mention.start, mention.end);
            }
        }
        let mut count = 0;
        let mut link = |label: &str, head: usize, tail: usize, ann: &mut String| {
            if let (Some(head), Some(tail)) = (first_of[head], first_of[tail]) {
                count += 1;
                let _ = writeln!(ann, "R{count}\t{label} Arg1:T{head} Arg2:T{tail}");
            }
        };
        for relation in &doc.relations {
            link(&relation.label, relation.head, relation.tail, &mut ann);
        }
        for cluster in &doc.clusters {
            let ids: Vec<String> = cluster
                .mentions
                .iter()
                .filter_map(|&m| Some(format!(" T{}", first_of[m]?)))
                .collect();
            let _ = writeln!(ann, "*\tEquiv{}", ids.concat());
        }
        for (extension, content) in [("txt", &doc.text), ("ann", &ann)] {
            let file = folder.join(format!("{name}.{extension}"));
            fs::write(&file, content).map_err(|e| Error::io(&file, e))?;
        }
    }
    Ok(())
}
