//! Tokens to ids: vocabularies, labels, batches.

mod batch;
mod elmo;
mod labels;
mod pieces;
mod vocab;

use std::ops::Range;

pub use batch::{Batch, BatchOptions};
pub use elmo::{ELMO_CHARACTERS, ELMO_FILL, ElmoBatch};
pub use labels::{Bioul, TagPart};
pub use pieces::{PieceBatch, Pieces};
pub use vocab::{PADDING, UNKNOWN, Vocab, Vocabularies};

use crate::Document;

/// Consecutive sentences of a document: one for a sentence task, all for a document task.
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
}
