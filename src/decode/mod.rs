//! Scores to structure, in plain Rust.

mod agreement;
mod chain;
mod clusters;
mod crossing;
mod entities;
mod facts;
mod joined;
mod matching;
mod pairs;
mod same_names;
mod type_pairs;
mod viterbi;

pub use agreement::Agreement;
pub use chain::{Chain, Counts, Sums};
pub use clusters::Clustering;
pub use crossing::without_crossings;
pub use entities::{Arguments, references};
pub use facts::{Fact, FactPool, FactRule};
pub use matching::matches;
pub use pairs::{EntityPairs, MentionPair};
pub use same_names::join_same_names;
pub use type_pairs::TypePairs;
pub use viterbi::Crf;

use crate::Span;

/// A span that a head found, with the probability of its label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoredSpan {
    pub span: Span,
    pub label: usize,
    pub score: f32,
}
