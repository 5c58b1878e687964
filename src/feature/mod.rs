//! Tokens to ids: vocabularies, labels, batches.

mod batch;
mod elmo;
mod labels;
mod padding;
mod pieces;
mod vocab;

use std::ops::Range;

pub use batch::{Batch, BatchOptions};
pub use elmo::{ELMO_CHARACTERS, ELMO_FILL, ElmoBatch};
pub use labels::{Bioul, TagPart};
pub use padding::Padding;
pub use pieces::{PieceBatch, Pieces};
pub use vocab::{PADDING, UNKNOWN, Vocab, Vocabularies};

use crate::Document;

/// Consecutive sentences of a document: those of a passage for a sentence task, all for a document
/// task.
#[derive(Clone, Debug)]
pub struct Example<'a> {
    pub document: &'a Document,
    pub sentences: Range<usize>,
}

impl<'a> Example<'a> {
    pub fn whole(document: &'a Document) -> Self {
        Self { document, sentences: 0..document.sentences.len() }
    }

    /// The document's tokens that the sentences cover.
    pub fn tokens(&self) -> Range<usize> {
        if self.sentences.is_empty() {
            return 0..0;
        }
        let sentences = &self.document.sentences;
        sentences[self.sentences.start].first_token..sentences[self.sentences.end - 1].last_token
    }

    /// The example cut at sentence ends, in pieces of at most `tokens` tokens or one sentence;
    /// sentences without tokens are passed over.
    pub fn cut(&self, tokens: usize) -> Vec<Self> {
        let mut pieces: Vec<Self> = Vec::new();
        for s in self.sentences.clone() {
            let sentence = self.document.sentence_tokens(s);
            if sentence.is_empty() {
                continue;
            }
            match pieces.last_mut() {
                Some(last) if sentence.end - last.tokens().start <= tokens => {
                    last.sentences.end = s + 1;
                }
                _ => pieces.push(Self { document: self.document, sentences: s..s + 1 }),
            }
        }
        pieces
    }

    /// Each sentence that has tokens.
    pub fn by_sentence(&self) -> Vec<Self> {
        self.cut(0)
    }
}
