//! Task heads: encoder outputs to losses and predictions.
//!
//! A head owns its labels, loss and decoding. It sees neither text nor another head: relation
//! heads are given the mentions they relate.

mod biaffine;
mod candidates;
mod coarse;
mod coarse_to_fine;
mod crf_tagger;
mod fast;
mod head_selection;
mod kept_spans;
mod marked_reader;
mod mention_pairs;
mod mention_ranking;
mod pair_scorer;
mod pair_targets;
mod scorer;
mod span_vectors;
mod sums;
mod word_match;

use std::ops::Range;

pub use biaffine::{Biaffine, BiaffineOptions};
pub use coarse_to_fine::CoarseToFine;
pub use crf_tagger::CrfTagger;
pub use head_selection::{HeadSelection, TokenRelation};
pub use mention_pairs::{MentionPairs, MentionPairsOptions};
pub use mention_ranking::{AntecedentScores, MentionRanking};
use tch::Tensor;

use crate::embed::TokenVectors;
use crate::feature::{Batch, Padding};
use crate::transfer::{host, upload_all};
use crate::{Result, Span};

/// What a head reads that works sentence by sentence.
#[derive(Debug)]
pub struct SequenceInput {
    /// The tokens of each sentence.
    pub padding: Padding,
    /// (B, L, D)
    pub encoded: Tensor,
}

impl SequenceInput {
    /// From an encoder's output (B, L, D) of sentences.
    pub fn new(batch: &Batch, encoded: Tensor) -> Self {
        Self { padding: batch.padding.shallow_clone(), encoded }
    }

    /// From rows of tokens (N, D): each sentence is some of them, one after the other.
    pub fn of_rows(rows: &Tensor, sentences: &[Range<usize>]) -> Result<Self> {
        let (device, width) = (rows.device(), rows.size()[1]);
        let lengths: Vec<usize> = sentences.iter().map(Range::len).collect();
        let mut padding = Padding::of_host(lengths)?;
        let (batch, longest) = padding.mask.size2()?;
        // Padding reads the last token, and the mask takes it away.
        let places = |s: &Range<usize>| {
            let (start, last) = (s.start, s.end.saturating_sub(1));
            (0..longest as usize).map(move |i| (start + i).min(last) as i64)
        };
        let index: Vec<i64> = sentences.iter().flat_map(places).collect();
        let mut index = host(&index)?;
        let [mask, reversal] = padding.tensors();
        upload_all(&mut [mask, reversal, &mut index], device)?;
        let encoded = rows.f_index_select(0, &index)?.f_view([batch, longest, width])?;
        Ok(Self { encoded: padding.masked(&encoded)?, padding })
    }
}

/// What a head reads that works on a document: its tokens, sentences joined, without padding. It may
/// be several documents, one after the other, which have nothing to do with each other.
#[derive(Debug)]
pub struct DocumentInput {
    /// (N, W): what the head keeps of each token, as [`Head::token_rows`] gives it.
    pub rows: Tensor,
    /// Tokens of each sentence, and of each document.
    pub sentences: Vec<Range<usize>>,
    pub documents: Vec<Range<usize>>,
    /// A number for each token, equal for tokens of one document of equal lower-cased text.
    pub keys: Vec<i64>,
    /// Whether each token begins with a capital.
    pub capitals: Vec<bool>,
}

/// The gold spans of a sequence, and what they leave open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GoldSpans {
    /// Spans with their label.
    pub spans: Vec<(Span, usize)>,
    /// Labels that were not looked for: spans of them may be wherever none of `spans` is.
    pub open: Vec<usize>,
    /// Spans of which only the place is known.
    pub unknown: Vec<Span>,
}

impl GoldSpans {
    /// Whether everything that is not in `spans` is known not to be there.
    pub fn is_complete(&self) -> bool {
        self.open.is_empty() && self.unknown.is_empty()
    }
}

impl From<Vec<(Span, usize)>> for GoldSpans {
    fn from(spans: Vec<(Span, usize)>) -> Self {
        Self { spans, ..Self::default() }
    }
}

/// The gold relations of a sequence or document, and what they leave open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GoldRelations {
    /// Head, tail, label.
    pub relations: Vec<(usize, usize, usize)>,
    /// Labels that were not looked for: beyond `relations` nothing is known of them.
    pub open: Vec<usize>,
}

impl From<Vec<(usize, usize, usize)>> for GoldRelations {
    fn from(relations: Vec<(usize, usize, usize)>) -> Self {
        Self { relations, open: Vec::new() }
    }
}

impl DocumentInput {
    /// The same documents with other rows.
    pub(crate) fn with_rows(&self, rows: Tensor) -> Self {
        Self {
            rows,
            sentences: self.sentences.clone(),
            documents: self.documents.clone(),
            keys: self.keys.clone(),
            capitals: self.capitals.clone(),
        }
    }

    /// Tokens of each sentence, and of each document.
    fn places(&self) -> [&[Range<usize>]; 2] {
        [&self.sentences, &self.documents]
    }

    /// Columns of the rows, from `first`, (N, width).
    fn columns(&self, first: i64, width: i64) -> Result<Tensor> {
        Ok(self.rows.f_narrow(1, first, width)?)
    }
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

impl Head {
    /// What a head that reads documents keeps of each token, (..., W), from the encoder's output
    /// (..., D) and input (..., D'). It is all that is held of a long document at a time.
    pub fn token_rows(
        &self,
        encoded: &Tensor,
        inputs: &TokenVectors,
        train: bool,
    ) -> Result<Tensor> {
        match self {
            Self::CoarseToFine(head) => head.token_rows(encoded, inputs, train),
            Self::MentionPairs(head) => head.token_rows(encoded, inputs, train),
            Self::MentionRanking(_) => Ok(Tensor::f_cat(&[encoded, &inputs.whole()?], -1)?),
            _ => Ok(encoded.shallow_clone()),
        }
    }
}
