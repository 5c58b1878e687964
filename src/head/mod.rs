//! Task heads: encoder outputs to losses and predictions.
//!
//! A head owns its labels, loss and decoding. It sees neither text nor another head: relation
//! heads are given the mentions they relate.

mod biaffine;
mod coarse_to_fine;
mod crf_tagger;
mod head_selection;
mod mention_pairs;
mod mention_ranking;
mod sums;

use std::ops::Range;

pub use biaffine::Biaffine;
pub use coarse_to_fine::CoarseToFine;
pub use crf_tagger::CrfTagger;
pub use head_selection::{HeadSelection, TokenRelation};
pub use mention_pairs::{MentionPairs, MentionPairsOptions};
pub use mention_ranking::{AntecedentScores, MentionRanking};
use tch::Tensor;

use crate::feature::Batch;

/// What a head reads that works sentence by sentence.
#[derive(Debug)]
pub struct SequenceInput<'a> {
    pub batch: &'a Batch,
    /// (B, L, D), zero at padding.
    pub encoded: Tensor,
}

/// What a head reads that works on a document: its tokens, sentences joined, without padding.
#[derive(Debug)]
pub struct DocumentInput {
    /// (N, D): the encoder's output.
    pub encoded: Tensor,
    /// (N, D'): the encoder's input.
    pub inputs: Tensor,
    /// Tokens of each sentence.
    pub sentences: Vec<Range<usize>>,
    /// A number for each token, equal for tokens of equal lower-cased text.
    pub keys: Vec<i64>,
}

/// The heads of a model, by kind.
#[derive(Debug)]
pub enum Head {
    CrfTagger(CrfTagger),
    Biaffine(Biaffine),
    HeadSelection(HeadSelection),
    MentionPairs(MentionPairs),
    MentionRanking(MentionRanking),
    CoarseToFine(CoarseToFine),
}
