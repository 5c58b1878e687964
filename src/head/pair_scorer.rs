//! [`PairScorer`]: how likely each label holds between two mentions; see [`super::MentionPairs`].

use std::ops::Range;

use tch::Tensor;

use super::fast::{FastMentionPairs, PairFeatures, linear};
use super::sums::{mean_between, running_sums};
use super::word_match::WordMatch;
use crate::cpu::values;
use crate::decode::{MentionPair, TypePairs};
use crate::dropout::Dropout as _;
use crate::embed::TokenVectors;
use crate::params::Init;
use crate::transfer::{host, upload_all};
use crate::{Result, Span};

const TYPE_SIZE: i64 = 24;
/// Signed token distances in powers of two, both directions.
const DISTANCES: i64 = 20;
/// Farther sentences share the last embedding.
const SENTENCES: i64 = 6;

#[derive(Debug)]
pub(super) struct PairScorer {
    types: Tensor,             // (argument labels, TYPE_SIZE)
    mention: (Tensor, Tensor), // (hidden, 3 * input + TYPE_SIZE), (hidden)
    head: Tensor,              // (hidden, hidden)
    tail: Tensor,              // (hidden, hidden)
    product: Tensor,           // (hidden, hidden)
    context: (Tensor, Tensor), // (hidden, input), (hidden)
    distance: Tensor,          // (DISTANCES, hidden)
    sentences: Tensor,         // (SENTENCES, hidden)
    output: (Tensor, Tensor),  // (labels, hidden), (labels)
    type_bias: Tensor,         // (argument labels, argument labels, labels)
    words: Option<WordMatch>,
    dropout: f64,
}

/// What mentions bring to their pairs, and the pairs.
pub(super) struct Mentions {
    vectors: Tensor, // (mentions, hidden)
    head: Tensor,    // (mentions, hidden)
    tail: Tensor,    // (mentions, hidden)
    sums: Tensor,    // of the encoder's rows
    /// Means of what their words give: (mentions, columns of words).
    words: Tensor,
    pairs: Pairs,
    /// (argument labels squared, labels): zero, or minus infinity where a label does not allow the
    /// types.
    allowed: Option<Tensor>,
}

/// What is known of pairs beside their mentions, (pairs) each.
struct Pairs {
    head: Tensor,
    tail: Tensor,
    /// The tokens between them.
    start: Tensor,
    end: Tensor,
    distance: Tensor,
    sentences: Tensor,
    types: Tensor,
}

impl PairScorer {
    /// `input` and `hidden` are widths, of the rows and inside; then the labels of mentions and of pairs.
    pub(super) fn new(
        get: &mut impl FnMut(&str, &[i64], Init) -> Result<Tensor>,
        [input, hidden]: [i64; 2],
        [types, labels]: [i64; 2],
        words: Option<WordMatch>,
        dropout: f64,
    ) -> Result<Self> {
        let xavier = Init::XavierUniform;
        Ok(Self {
            types: get("types", &[types, TYPE_SIZE], Init::Normal(0.5))?,
            mention: (
                get("mention.weight", &[hidden, 3 * input + TYPE_SIZE], xavier)?,
                get("mention.bias", &[hidden], Init::Zeros)?,
            ),
            head: get("head", &[hidden, hidden], xavier)?,
            tail: get("tail", &[hidden, hidden], xavier)?,
            product: get("product", &[hidden, hidden], xavier)?,
            context: (
                get("context.weight", &[hidden, input], xavier)?,
                get("context.bias", &[hidden], Init::Zeros)?,
            ),
            distance: get("distance", &[DISTANCES, hidden], Init::Normal(0.1))?,
            sentences: get("sentences", &[SENTENCES, hidden], Init::Normal(0.1))?,
            output: (
                get("output.weight", &[labels, hidden], xavier)?,
                // Facts are rare: starting from even odds would drown the first epochs in noise.
                get("output.bias", &[labels], Init::Constant(-4.0))?,
            ),
            type_bias: get("type_bias", &[types, types, labels], Init::Zeros)?,
            words,
            dropout,
        })
    }

    pub(super) fn fast(&self) -> Result<FastMentionPairs> {
        let table = |table: &Tensor| Ok::<_, crate::Error>(values(table)?.to_vec());
        let size = |tensor: &Tensor, at: usize| tensor.size()[at] as usize;
        Ok(FastMentionPairs {
            types: table(&self.types)?,
            type_size: TYPE_SIZE as usize,
            mention: linear(&self.mention.0, Some(&self.mention.1))?,
            head: linear(&self.head, None)?,
            tail: linear(&self.tail, None)?,
            product: linear(&self.product, None)?,
            context: linear(&self.context.0, Some(&self.context.1))?,
            distance: table(&self.distance)?,
            sentences: table(&self.sentences)?,
            output: linear(&self.output.0, Some(&self.output.1))?,
            type_bias: table(&self.type_bias)?,
            words: self.words.as_ref().map(WordMatch::fast).transpose()?,
            hidden: size(&self.head, 0),
            labels: size(&self.output.0, 0),
            input: size(&self.context.0, 1),
        })
    }

    /// Zero, for a document without pairs: keeps the graph, so that it can stand in a batch.
    pub(super) fn nothing(&self) -> Result<Tensor> {
        Ok(self.output.1.f_sum(tch::Kind::Float)?.f_mul_scalar(0.0)?)
    }

    pub(super) fn device(&self) -> tch::Device {
        self.types.device()
    }

    /// Columns of the rows that are not the encoder's.
    pub(super) fn word_columns(&self) -> i64 {
        self.words.as_ref().map_or(0, WordMatch::columns)
    }

    /// See [`super::MentionPairs::token_rows`].
    pub(super) fn token_rows(&self, encoded: &Tensor, inputs: &TokenVectors) -> Result<Tensor> {
        match &self.words {
            Some(words) => Ok(Tensor::f_cat(&[encoded, &words.of_tokens(inputs)?], -1)?),
            None => Ok(encoded.shallow_clone()),
        }
    }

    /// Of `rows` (N, input + columns of words). All that the host knows of the mentions and their pairs crosses at once.
    pub(super) fn mentions(
        &self,
        rows: &Tensor,
        spans: &[(Span, usize)],
        pairs: &[MentionPair],
        allowed: Option<&TypePairs>,
        train: bool,
    ) -> Result<Mentions> {
        let column = |f: fn(&(Span, usize)) -> usize| {
            host(&spans.iter().map(|m| f(m) as i64).collect::<Vec<_>>())
        };
        let (mut first, mut last) = (column(|m| m.0.first)?, column(|m| m.0.last)?);
        let (mut types, mut pairs) = (column(|m| m.1)?, self.pairs(spans, pairs)?);
        let value = |&may: &bool| if may { 0.0 } else { f32::NEG_INFINITY };
        let added = |allowed: &TypePairs| -> Result<Tensor> {
            let added: Vec<f32> = allowed.all().iter().map(value).collect();
            Ok(host(&added)?.f_view([-1, self.output.1.size()[0]])?)
        };
        let mut allowed = allowed.map(added).transpose()?;
        let mut all = vec![&mut first, &mut last, &mut types];
        all.extend(pairs.tensors());
        all.extend(&mut allowed);
        upload_all(&mut all, rows.device())?;
        let sums = running_sums(rows)?;
        let means = mean_between(&sums, &first, &last)?;
        let input = self.context.0.size()[1];
        let encoded = |x: &Tensor| x.f_narrow(1, 0, input);
        let rows = encoded(rows)?;
        let vectors = Tensor::f_cat(
            &[
                rows.f_index_select(0, &first)?,
                rows.f_index_select(0, &last.f_sub_scalar(1)?)?,
                encoded(&means)?,
                self.types.f_index_select(0, &types)?,
            ],
            1,
        )?; // (mentions, 3 * input + TYPE_SIZE)
        let vectors = vectors
            .f_linear(&self.mention.0, Some(&self.mention.1))?
            .f_relu()?
            .dropped(self.dropout, train)?;
        Ok(Mentions {
            head: vectors.f_linear::<&Tensor>(&self.head, None)?,
            tail: vectors.f_linear::<&Tensor>(&self.tail, None)?,
            vectors,
            sums: encoded(&sums)?,
            words: means.f_narrow(1, input, self.word_columns())?,
            pairs,
            allowed,
        })
    }

    /// On the host.
    fn pairs(&self, spans: &[(Span, usize)], pairs: &[MentionPair]) -> Result<Pairs> {
        let mut columns: [Vec<i64>; 7] = Default::default();
        let types = self.types.size()[0] as usize;
        for pair in pairs {
            let PairFeatures { head, tail, between, distance, sentences, types } =
                Self::features(spans, pair, types);
            let row = [head, tail, between.start, between.end, distance, sentences, types];
            columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value as i64));
        }
        let [head, tail, start, end, distance, sentences, types] = columns.map(|c| host(&c));
        Ok(Pairs {
            head: head?,
            tail: tail?,
            start: start?,
            end: end?,
            distance: distance?,
            sentences: sentences?,
            types: types?,
        })
    }

    /// What is known of a pair beside its mentions, which are of one of so many `types` each.
    pub(super) fn features(
        spans: &[(Span, usize)],
        pair: &MentionPair,
        types: usize,
    ) -> PairFeatures {
        let ((head, head_type), (tail, tail_type)) = (spans[pair.head], spans[pair.tail]);
        // Between the two, when they share a sentence and do not overlap.
        let (from, to) = (head.last.min(tail.last), head.first.max(tail.first));
        let shared = pair.sentences_apart == 0 && from < to;
        PairFeatures {
            head: pair.head,
            tail: pair.tail,
            between: from..if shared { to } else { from },
            distance: distance_bucket(head.first as i64 - tail.first as i64) as usize,
            sentences: pair.sentences_apart.min(SENTENCES as usize - 1),
            types: head_type * types + tail_type,
        }
    }

    /// Logits of some of the pairs, minus infinity where a label does not allow their types:
    /// (some, labels).
    pub(super) fn logits(
        &self,
        mentions: &Mentions,
        some: Range<usize>,
        train: bool,
    ) -> Result<Tensor> {
        let Pairs { head, tail, start, end, distance, sentences, types } =
            mentions.pairs.some(some)?;
        let context = mean_between(&mentions.sums, &start, &end)?;
        let product = |of: &Tensor| -> Result<Tensor> {
            Ok(of.f_index_select(0, &head)?.f_mul(&of.f_index_select(0, &tail)?)?)
        };
        let hidden = context
            .f_linear(&self.context.0, Some(&self.context.1))?
            .f_add(&mentions.head.f_index_select(0, &head)?)?
            .f_add(&mentions.tail.f_index_select(0, &tail)?)?
            .f_add(&product(&mentions.vectors)?.f_linear::<&Tensor>(&self.product, None)?)?
            .f_add(&self.distance.f_index_select(0, &distance)?)?
            .f_add(&self.sentences.f_index_select(0, &sentences)?)?;
        let hidden = match &self.words {
            Some(words) => hidden.f_add(&words.of_pairs(
                &mentions.words.f_index_select(0, &head)?,
                &mentions.words.f_index_select(0, &tail)?,
            )?)?,
            None => hidden,
        };
        let hidden = hidden
            .f_relu()? // (pairs, hidden)
            .dropped(self.dropout, train)?;
        let logits = hidden
            .f_linear(&self.output.0, Some(&self.output.1))?
            .f_add(&self.type_bias.f_flatten(0, 1)?.f_index_select(0, &types)?)?;
        match &mentions.allowed {
            Some(allowed) => Ok(logits.f_add(&allowed.f_index_select(0, &types)?)?),
            None => Ok(logits),
        }
    }
}

impl Pairs {
    fn tensors(&mut self) -> [&mut Tensor; 7] {
        let Self { head, tail, start, end, distance, sentences, types } = self;
        [head, tail, start, end, distance, sentences, types]
    }

    fn some(&self, some: Range<usize>) -> Result<Self> {
        let part = |of: &Tensor| of.f_narrow(0, some.start as i64, some.len() as i64);
        Ok(Self {
            head: part(&self.head)?,
            tail: part(&self.tail)?,
            start: part(&self.start)?,
            end: part(&self.end)?,
            distance: part(&self.distance)?,
            sentences: part(&self.sentences)?,
            types: part(&self.types)?,
        })
    }
}

/// Signed distance in powers of two: `DISTANCES / 2` buckets each way.
fn distance_bucket(distance: i64) -> i64 {
    let half = DISTANCES / 2;
    let size = (64 - distance.unsigned_abs().leading_zeros() as i64).min(half - 1);
    if distance < 0 { size } else { half + size }
}
