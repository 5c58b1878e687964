//! Text to sentences and tokens.

mod offset;

pub use offset::{to_bytes, to_unit};

use crate::Document;

pub fn tokenize(text: &str) -> Document {
    Document::new(text.to_owned(), Vec::new(), Vec::new())
}
