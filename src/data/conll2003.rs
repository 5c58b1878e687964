//! CoNLL-2003 columns: a token a line, word first, one column of tags; blank lines end sentences,
//! `-DOCSTART-` starts documents. IOB1, IOB2, BIOES and BIOUL are told apart by themselves.

use super::conll::{parse_tag, spans_of_tags};
use super::{NER, Source};
use crate::{Document, DocumentBuilder, Result};

/// Lines looked at to find the column of the tags.
const SAMPLE: usize = 200;

#[derive(Default)]
struct Draft<'a> {
    sentences: Vec<Vec<&'a str>>,
    tags: Vec<Vec<(char, &'a str)>>,
    words: Vec<&'a str>,
    open: Vec<(char, &'a str)>,
}

impl<'a> Draft<'a> {
    fn end_sentence(&mut self) {
        if !self.words.is_empty() {
            self.sentences.push(std::mem::take(&mut self.words));
            self.tags.push(std::mem::take(&mut self.open));
        }
    }

    fn finish(mut self, id: String) -> Option<Document> {
        self.end_sentence();
        if self.sentences.is_empty() {
            return None;
        }
        let mut build = DocumentBuilder::new(Document::from_sentences(&self.sentences));
        build.layer(NER);
        let mut first = 0;
        for tags in &self.tags {
            for (span, label) in spans_of_tags(tags, first) {
                build.label(span, NER, label, None);
            }
            first += tags.len();
        }
        let mut doc = build.finish();
        doc.id = Some(id);
        Some(doc)
    }
}

pub(super) fn read(text: &str, source: &mut Source) -> Result<Vec<Document>> {
    let Some(column) = source.options.tag_column.or_else(|| tag_column(text)) else {
        return if text.trim().is_empty() {
            Ok(Vec::new())
        } else {
            Err(source.error(1, "no column holds tags such as O, B-PER or I-PER"))
        };
    };
    let mut documents = Vec::new();
    let mut draft = Draft::default();
    for (at, line) in text.lines().enumerate() {
        let fields = columns(line);
        let Some(&word) = fields.first() else {
            draft.end_sentence();
            continue;
        };
        if word == "-DOCSTART-" {
            let id = format!("{}-{}", source.stem(), documents.len());
            documents.extend(std::mem::take(&mut draft).finish(id));
            continue;
        }
        let tag = match fields.get(column).map(|t| parse_tag(t)) {
            Some(Some(tag)) => tag,
            Some(None) => {
                source.invalid(at + 1, format!("`{}` is not a tag", fields[column]))?;
                ('O', "")
            }
            None => {
                source.invalid(at + 1, format!("has no column {column} for the tag"))?;
                ('O', "")
            }
        };
        draft.words.push(word);
        draft.open.push(tag);
    }
    let id = format!("{}-{}", source.stem(), documents.len());
    documents.extend(draft.finish(id));
    Ok(documents)
}

/// By tab where there is one: a tweet's token may hold a space of another kind.
fn columns(line: &str) -> Vec<&str> {
    if line.contains('\t') {
        line.split('\t').map(str::trim).filter(|f| !f.is_empty()).collect()
    } else {
        line.split_whitespace().collect()
    }
}

/// The last column that holds only tags in the first lines.
fn tag_column(text: &str) -> Option<usize> {
    let sample: Vec<Vec<&str>> = text
        .lines()
        .map(columns)
        .filter(|f| f.len() > 1 && f[0] != "-DOCSTART-")
        .take(SAMPLE)
        .collect();
    let width = sample.iter().map(Vec::len).min()?;
    let most_are_tags = |column: &usize| {
        let tags = sample.iter().filter(|f| parse_tag(f[*column]).is_some()).count();
        tags * 2 > sample.len()
    };
    (1..width).rev().find(most_are_tags)
}
