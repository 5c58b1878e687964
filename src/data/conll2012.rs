//! CoNLL-2011/2012 columns: names and coreference. Also the two variants that circulate without
//! the syntactic columns: LitBank's (tabs, empty last cell) and OntoGUM's (number, word, bracket).

use super::conll::Brackets;
use super::{COREF, NER, Source};
use crate::{Document, DocumentBuilder, Result, Span};

/// The word and name columns of the full format.
const WORD: usize = 3;
const NAME: usize = 10;

/// One line of a token.
struct Row<'a> {
    line: usize,
    word: &'a str,
    name: &'a str,
    coref: &'a str,
}

pub(super) fn read(text: &str, source: &mut Source) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    let mut id: Option<String> = None;
    let mut sentences: Vec<Vec<Row>> = vec![Vec::new()];
    for (at, line) in text.lines().enumerate() {
        if let Some(header) = line.strip_prefix('#') {
            let header = header.trim_start();
            if let Some(name) = header.strip_prefix("begin document") {
                documents.extend(finish(&id, &mut sentences, source)?);
                id = Some(document_id(name));
            } else if header.starts_with("end document") {
                documents.extend(finish(&id, &mut sentences, source)?);
            }
            continue;
        }
        if line.trim().is_empty() {
            sentences.push(Vec::new());
            continue;
        }
        let fields: Vec<&str> = if line.contains('\t') {
            line.split('\t').map(str::trim).collect()
        } else {
            line.split_whitespace().collect()
        };
        let word = if fields.len() > WORD + 1 { WORD } else { 1 };
        if fields.len() < 3 {
            source
                .invalid(at + 1, format!("has {} columns, at least 3 are needed", fields.len()))?;
            continue;
        }
        let row = Row {
            line: at + 1,
            word: fields[word],
            name: if fields.len() > NAME + 1 { fields[NAME] } else { "" },
            coref: fields[fields.len() - 1],
        };
        if row.word.is_empty() {
            source.invalid(at + 1, "has no word")?;
            continue;
        }
        if let Some(sentence) = sentences.last_mut() {
            sentence.push(row);
        }
    }
    documents.extend(finish(&id, &mut sentences, source)?);
    Ok(documents)
}

/// `(bc/cctv/00/cctv_0000); part 000` to `bc/cctv/00/cctv_0000-000`.
fn document_id(header: &str) -> String {
    let header = header.trim();
    let (name, part) = header.split_once(';').unwrap_or((header, ""));
    let name = name.trim().trim_matches(['(', ')']);
    match part.trim().strip_prefix("part") {
        Some(part) if !part.trim().is_empty() => format!("{name}-{}", part.trim()),
        _ => name.to_owned(),
    }
}

fn finish(
    id: &Option<String>,
    sentences: &mut Vec<Vec<Row>>,
    source: &mut Source,
) -> Result<Option<Document>> {
    let mut rows = std::mem::replace(sentences, vec![Vec::new()]);
    rows.retain(|s| !s.is_empty());
    if rows.is_empty() {
        return Ok(None);
    }
    if rows.len() == 1 {
        rows = split_sentences(rows.remove(0));
    }
    let words: Vec<Vec<&str>> = rows.iter().map(|s| s.iter().map(|r| r.word).collect()).collect();
    let mut build = DocumentBuilder::new(Document::from_sentences(&words));
    let (mut brackets, mut token) = (Brackets::default(), 0);
    let named = rows.iter().flatten().any(|r| r.name.contains('('));
    if named {
        build.layer(NER);
    }
    for sentence in &rows {
        let mut open: Option<(usize, &str)> = None;
        for row in sentence {
            if let Err(message) = brackets.cell(row.coref, token, row.line) {
                source.invalid(row.line, message)?;
            }
            if let Some(rest) = row.name.strip_prefix('(') {
                open = Some((token, rest.trim_end_matches(['*', ')'])));
            }
            if row.name.ends_with(')') {
                match open.take() {
                    Some((first, label)) => {
                        source.label(row.line, &mut build, Span::new(first, token + 1), NER, label);
                    }
                    None => source.invalid(row.line, "a name is closed but not open")?,
                }
            }
            token += 1;
        }
        if let (Some(_), Some(row)) = (open, sentence.last()) {
            source.invalid(row.line, "a name is open at the end of its sentence")?;
        }
    }
    let (clusters, left) = brackets.finish();
    for (line, id) in left {
        source.invalid(line, format!("cluster {id} is opened but never closed"))?;
    }
    build.layer(COREF);
    for cluster in clusters {
        build.cluster(cluster);
    }
    let mut doc = build.finish();
    doc.id = Some(id.clone().filter(|id| !id.is_empty()).unwrap_or_else(|| source.stem()));
    Ok(Some(doc))
}

/// Files without blank lines do not say where sentences end: after `.`, `!` or `?`, but never
/// inside a mention.
fn split_sentences(rows: Vec<Row>) -> Vec<Vec<Row>> {
    let mut sentences = vec![Vec::new()];
    let mut brackets = Brackets::default();
    for (token, row) in rows.into_iter().enumerate() {
        // Mistakes are reported when the brackets are read for good.
        let _ = brackets.cell(row.coref, token, row.line);
        let ends = matches!(row.word, "." | "!" | "?") && !brackets.is_open();
        if let Some(sentence) = sentences.last_mut() {
            sentence.push(row);
        }
        if ends {
            sentences.push(Vec::new());
        }
    }
    sentences.retain(|s| !s.is_empty());
    sentences
}
