//! Passages: what the encoders read at once, and how heads get their sentences and documents back.

use std::collections::HashMap;
use std::ops::Range;

use tch::Tensor;

use super::Network;
use crate::Result;
use crate::feature::{Batch, Example};
use crate::head::{DocumentInput, SequenceInput};

impl Network {
    /// What the encoders read of an example at once: each sentence, as many sentences as the
    /// configuration says, or all of it.
    pub(super) fn passages<'a>(&self, example: &Example<'a>, whole: bool) -> Vec<Example<'a>> {
        if whole {
            return vec![example.clone()];
        }
        example.cut(self.config.passage_tokens.unwrap_or_default())
    }

    /// Whether `task` wants a document as one sequence.
    pub(super) fn reads_whole_documents(&self, task: &str) -> bool {
        self.config.tasks.get(task).is_some_and(|t| t.head.reads_whole_documents())
    }
}

/// The words of an example.
pub(super) fn words<'a>(example: &Example<'a>) -> Vec<&'a str> {
    example.tokens().map(|t| example.document.token_text(t)).collect()
}

/// The sentences of the passages of a batch, which `encoded` (B, L, D) is of.
pub(super) fn sentence_input<'a>(
    batch: &Batch,
    encoded: &Tensor,
    passages: &[&Example<'a>],
) -> Result<(SequenceInput, Vec<Example<'a>>)> {
    let (_, length, width) = encoded.size3()?;
    let starts: Vec<usize> = (0..passages.len()).map(|row| row * length as usize).collect();
    let (places, sentences) = sentences_of(passages, &starts);
    // Where every passage is a sentence, the batch is as the head reads it.
    let x = if sentences.len() == passages.len() {
        SequenceInput::new(batch, encoded.shallow_clone())
    } else {
        SequenceInput::of_rows(&encoded.f_reshape([-1, width])?, &places)?
    };
    Ok((x, sentences))
}

/// The sentences of passages, and the rows of each where those of the passages start at `starts`.
pub(super) fn sentences_of<'a>(
    passages: &[&Example<'a>],
    starts: &[usize],
) -> (Vec<Range<usize>>, Vec<Example<'a>>) {
    let mut places = Vec::with_capacity(passages.len());
    let mut sentences = Vec::with_capacity(passages.len());
    for (passage, at) in passages.iter().zip(starts) {
        let start = passage.tokens().start;
        for sentence in passage.by_sentence() {
            let tokens = sentence.tokens();
            places.push(at + tokens.start - start..at + tokens.end - start);
            sentences.push(sentence);
        }
    }
    (places, sentences)
}

/// The rows of one sequence of a batch, without padding: (L, W) of (B, L, W).
pub(super) fn sequence_rows(rows: &Tensor, batch: &Batch, row: usize) -> Result<Tensor> {
    Ok(rows.f_select(0, row as i64)?.f_narrow(0, 0, batch.padding.lengths[row] as i64)?)
}

/// The input of a head that reads documents; `rows` are those of all tokens of the examples, one
/// example after the other.
pub(super) fn document_input(rows: Tensor, examples: &[Example]) -> DocumentInput {
    let mut x = DocumentInput {
        rows,
        sentences: Vec::new(),
        documents: Vec::with_capacity(examples.len()),
        keys: Vec::new(),
        capitals: Vec::new(),
    };
    // Numbers of words equal in lower case; no two documents share one.
    let (mut numbers, mut next) = (HashMap::new(), 0);
    for example in examples {
        let (at, start) = (x.keys.len(), example.tokens().start);
        for sentence in example.by_sentence() {
            let tokens = sentence.tokens();
            x.sentences.push(at + tokens.start - start..at + tokens.end - start);
        }
        for word in words(example) {
            x.capitals.push(word.starts_with(char::is_uppercase));
            x.keys.push(*numbers.entry(word.to_lowercase()).or_insert_with(|| {
                next += 1;
                next - 1
            }));
        }
        numbers.clear();
        x.documents.push(at..x.keys.len());
    }
    x
}
