//! [`MentionPairs`]: relations between whole mentions, inside a sentence and across sentences.
//!
//! A mention is `m = relu(W [h_first; h_last; mean(h); type])`, a pair
//!
//! ```text
//! p(h, t) = relu(W_h m_h + W_t m_t + W_p (m_h * m_t) + W_c context + distance + sentences)
//! logits  = V p(h, t) + b + B[type_h, type_t]
//! ```
//!
//! where `h` are the encoder's outputs, or what [`MarkedReader`] makes of them where the configuration has
//! one, and `context` is their mean between two mentions of one sentence. Labels are
//! independent (several per pair); a symmetric one is gold in both directions, and its logit the
//! mean of both. A fact holds between entities, and one pair of their mentions
//! states it: the logits of an entity pair are the logsumexp over its mention pairs, as in
//! multiple-instance learning. In training entities are the gold clusters, later mentions of
//! one name, joined by the clusters of a coreference task if the configuration names one; with
//! `between` mentions each is by itself. The cost grows with the mention pairs within
//! `max_sentences`, not with tokens; types that no label was seen with are not paired, if the
//! configuration says so.

use tch::{Kind, Tensor};

use super::fast::{FastMentionPairs, PairFeatures, linear};
use super::marked_reader::MarkedReader;
use super::pair_targets::PairTargets;
use super::sums::{mean_between, running_sums};
use super::{DocumentInput, GoldRelations};
use crate::config::Between;
use crate::cpu::values;
use crate::decode::{
    EntityPairs, Fact, FactPool, FactRule, MentionPair, TypePairs, join_clusters, name_groups,
};
use crate::dropout::Dropout as _;
use crate::params::{Init, Params};
use crate::transfer::{download, host, upload, upload_columns, upload_values};
use crate::{Cancel, Result, Span};

const TYPE_SIZE: i64 = 24;
/// Signed token distances in powers of two, both directions.
const DISTANCES: i64 = 20;
/// Farther sentences share the last embedding.
const SENTENCES: i64 = 6;
/// Mention pairs scored at a time when annotating: bounds memory on long documents.
const BLOCK: usize = 16_384;
/// And without LibTorch: what stays near the processor.
const FAST_BLOCK: usize = 512;

/// A relation head over mentions; see the module.
#[derive(Debug)]
pub struct MentionPairs {
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
    /// How often the training data related which types: (argument labels, argument labels, labels).
    seen: Option<Tensor>,
    argument_labels: i64,
    labels: usize,
    options: MentionPairsOptions,
    reader: Option<MarkedReader>,
    fast: Option<Box<FastMentionPairs>>,
}

/// What mentions bring to their pairs.
struct Mentions<'a> {
    spans: &'a [(Span, usize)],
    vectors: Tensor, // (mentions, hidden)
    head: Tensor,    // (mentions, hidden)
    tail: Tensor,    // (mentions, hidden)
    sums: Tensor,    // of the encoder's rows
    allowed: Option<TypePairs>,
}

/// The numbers of the configuration that the head keeps.
#[derive(Clone, Debug)]
pub struct MentionPairsOptions {
    pub hidden: i64,
    /// Each way's units of the layer that reads sentences with their mentions marked.
    pub reader_hidden: Option<i64>,
    pub max_sentences: usize,
    pub threshold: f64,
    pub rivalry: f64,
    pub feedforward_dropout: f64,
    /// For each label, whether its arguments have no order.
    pub symmetric: Vec<bool>,
    /// Scale and shift of the logits of the scores that are reported.
    pub calibration: (f64, f64),
    /// What relations hold between.
    pub between: Between,
    /// How often types must have been seen with a label to be allowed; absent means all are.
    pub min_count: Option<usize>,
}

impl MentionPairs {
    pub fn new(
        params: &mut Params,
        prefix: &str,
        input: i64,
        options: MentionPairsOptions,
        labels: usize,
        argument_labels: usize,
    ) -> Result<Self> {
        let (hidden, columns, types) = (options.hidden, labels as i64, argument_labels as i64);
        let reader = options.reader_hidden.map(|own| {
            let prefix = format!("{prefix}.reader");
            MarkedReader::new(params, &prefix, [input, own], types, options.feedforward_dropout)
        });
        let reader = reader.transpose()?;
        let input = reader.as_ref().map_or(input, MarkedReader::width);
        let mut get =
            |name: &str, shape: &[i64], init| params.get(&format!("{prefix}.{name}"), shape, init);
        let xavier = Init::XavierUniform;
        let shape = [types, types, columns];
        let layers = Self {
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
                get("output.weight", &[columns, hidden], xavier)?,
                // Facts are rare: starting from even odds would drown the first epochs in noise.
                get("output.bias", &[columns], Init::Constant(-4.0))?,
            ),
            type_bias: get("type_bias", &[types, types, columns], Init::Zeros)?,
            seen: None,
            argument_labels: types,
            labels,
            options,
            reader,
            fast: None,
        };
        let seen =
            layers.options.min_count.map(|_| params.counts(&format!("{prefix}.seen"), &shape));
        let fast = params.is_fast().then(|| layers.fast(input)).transpose()?.map(Box::new);
        Ok(Self { seen: seen.transpose()?, fast, ..layers })
    }

    fn fast(&self, input: i64) -> Result<FastMentionPairs> {
        let table = |table: &Tensor| Ok::<_, crate::Error>(values(table)?.to_vec());
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
            hidden: self.options.hidden as usize,
            labels: self.labels,
            input: input as usize,
        })
    }

    /// Counts types that the training data relates: head, tail and label.
    pub fn count(&self, seen: &[(usize, usize, usize)]) -> Result<()> {
        let Some(counts) = &self.seen else { return Ok(()) };
        let _guard = tch::no_grad_guard();
        let types = self.argument_labels as usize;
        let mut added = vec![0_f32; types * types * self.labels];
        for &(head, tail, label) in seen {
            added[(head * types + tail) * self.labels + label] += 1.0;
        }
        let added = upload_values(&added, &counts.size(), counts.device())?;
        let _ = counts.shallow_clone().f_add_(&added)?;
        Ok(())
    }

    /// The types that may be related; `None` where all may.
    fn allowed(&self) -> Result<Option<TypePairs>> {
        let (Some(seen), Some(min_count)) = (&self.seen, self.options.min_count) else {
            return Ok(None);
        };
        let counts = download::<f32>(seen)?;
        let (types, symmetric) = (self.argument_labels as usize, &self.options.symmetric);
        Ok(Some(TypePairs::from_counts(&counts, types, self.labels, min_count, symmetric)))
    }

    /// Mean over entity pairs of the summed binary cross-entropy of their labels.
    ///
    /// `mentions` are span, label and entity; relations are between mentions by their index.
    pub fn loss(
        &self,
        x: &DocumentInput,
        mentions: &[(Span, usize, Option<usize>)],
        gold: &GoldRelations,
    ) -> Result<Tensor> {
        let spans: Vec<(Span, usize)> = mentions.iter().map(|&(s, l, _)| (s, l)).collect();
        let alone = mentions.len(); // entity numbers of mentions without one start here
        let entity = |m: &(Span, usize, Option<usize>)| match self.options.between {
            Between::Entities => m.2,
            Between::Mentions => None,
        };
        let groups: Vec<usize> =
            mentions.iter().enumerate().map(|(i, m)| entity(m).unwrap_or(alone + i)).collect();
        let allowed = self.allowed()?;
        let far = self.options.max_sentences;
        let pairs = EntityPairs::new(&spans, &groups, &x.sentences, far, allowed.as_ref());
        if pairs.is_empty() {
            // Keeps the graph, so that a document without pairs can stand in a batch.
            return Ok(self.output.1.f_sum(Kind::Float)?.f_mul_scalar(0.0)?);
        }
        let rows = self.rows(x, &spans, true, &Cancel::new())?;
        let mentions = self.mentions(&rows, &spans, allowed, true)?;
        self.pair_loss(&mentions, &groups, &pairs, gold)
    }

    fn pair_loss(
        &self,
        mentions: &Mentions,
        groups: &[usize],
        pairs: &EntityPairs,
        gold: &GoldRelations,
    ) -> Result<Tensor> {
        let targets = PairTargets::new(
            pairs,
            mentions.spans,
            groups,
            gold,
            &self.options.symmetric,
            mentions.allowed.as_ref(),
        );
        let rows = pairs.entities().len();
        let device = mentions.vectors.device();
        let shape = [rows as i64, self.labels as i64];
        let table = |values: &[f32]| -> Result<Tensor> { Ok(host(values)?.f_view(shape)?) };
        let all = [table(&targets.values)?, table(&targets.weights)?, host(pairs.group())?];
        let [values, weights, group] = upload(all, device)?;
        let logits = self.pair_logits(mentions, pairs.mention_pairs(), true)?;
        let pooled = Tensor::f_zeros(shape, (Kind::Float, device))?
            .f_index_add(0, &group, &logits.f_clamp(-30.0, 30.0)?.f_exp()?)?
            .f_log()?; // (entity pairs, labels)
        let loss = pooled.f_binary_cross_entropy_with_logits(
            &values,
            Some(weights),
            None,
            tch::Reduction::Sum,
        )?;
        Ok(loss.f_div_scalar(rows as i64)?)
    }

    /// Relations by mention index: for each fact between two entities, the pair of mentions that
    /// states it most clearly. Mentions of one name are one entity, and so are those that
    /// `clusters` join, unless relations are between mentions.
    pub fn decode(
        &self,
        x: &DocumentInput,
        mentions: &[(Span, usize)],
        clusters: &[Vec<Span>],
        cancel: &Cancel,
    ) -> Result<Vec<Fact>> {
        if mentions.is_empty() {
            return Ok(Vec::new());
        }
        let groups = match self.options.between {
            Between::Entities => {
                let mut groups = name_groups(mentions, &x.keys);
                join_clusters(&mut groups, mentions, clusters);
                groups
            }
            Between::Mentions => (0..mentions.len()).collect(),
        };
        let allowed = self.allowed()?;
        let far = self.options.max_sentences;
        let pairs = EntityPairs::new(mentions, &groups, &x.sentences, far, allowed.as_ref());
        log::debug!("{} pairs of {} mentions are scored", pairs.len(), mentions.len());
        let rows = self.rows(x, mentions, false, cancel)?;
        let pool = match &self.fast {
            Some(fast) => self.fast_pool(fast, &rows, mentions, &pairs, allowed, cancel)?,
            None => self.plain_pool(&rows, mentions, &pairs, allowed, cancel)?,
        };
        let MentionPairsOptions { threshold, rivalry, symmetric, calibration, .. } = &self.options;
        Ok(pool.facts(&FactRule {
            threshold: *threshold,
            rivalry: *rivalry,
            symmetric,
            calibration: *calibration,
        }))
    }

    /// What the head reads of the tokens, where these are the arguments: (N, input).
    fn rows(
        &self,
        x: &DocumentInput,
        mentions: &[(Span, usize)],
        train: bool,
        cancel: &Cancel,
    ) -> Result<Tensor> {
        match &self.reader {
            Some(reader) => reader.read(&x.rows, &x.sentences, mentions, train, cancel),
            None => Ok(x.rows.shallow_clone()),
        }
    }

    fn plain_pool<'a>(
        &self,
        rows: &Tensor,
        mentions: &[(Span, usize)],
        pairs: &'a EntityPairs,
        allowed: Option<TypePairs>,
        cancel: &Cancel,
    ) -> Result<FactPool<'a>> {
        let mut pool = FactPool::new(pairs, self.labels);
        let prepared = self.mentions(rows, mentions, allowed, false)?;
        for start in (0..pairs.len()).step_by(BLOCK) {
            cancel.check()?;
            let block = start..pairs.len().min(start + BLOCK);
            let logits =
                self.pair_logits(&prepared, &pairs.mention_pairs()[block.clone()], false)?;
            let logits = download::<f32>(&logits)?;
            for (pair, logits) in block.zip(logits.chunks(self.labels)) {
                pool.add(pair, logits);
            }
        }
        Ok(pool)
    }

    fn fast_pool<'a>(
        &self,
        fast: &FastMentionPairs,
        rows: &Tensor,
        mentions: &[(Span, usize)],
        pairs: &'a EntityPairs,
        allowed: Option<TypePairs>,
        cancel: &Cancel,
    ) -> Result<FactPool<'a>> {
        let mut pool = FactPool::new(pairs, self.labels);
        let rows = rows.f_contiguous()?;
        let prepared = fast.mentions(values(&rows)?, mentions);
        for start in (0..pairs.len()).step_by(FAST_BLOCK) {
            cancel.check()?;
            let block = start..pairs.len().min(start + FAST_BLOCK);
            let features: Vec<PairFeatures> = pairs.mention_pairs()[block.clone()]
                .iter()
                .map(|pair| self.features(mentions, pair))
                .collect();
            let mut logits = fast.logits(&prepared, &features);
            for (at, logits) in block.zip(logits.chunks_mut(fast.stride())) {
                let logits = &mut logits[..self.labels];
                if let Some(allowed) = &allowed {
                    let pair = pairs.mention_pairs()[at];
                    let may = allowed.labels(mentions[pair.head].1, mentions[pair.tail].1);
                    let forbidden = logits.iter_mut().zip(may).filter(|(_, may)| !**may);
                    forbidden.for_each(|(logit, _)| *logit = f32::NEG_INFINITY);
                }
                pool.add(at, logits);
            }
        }
        Ok(pool)
    }

    fn mentions<'a>(
        &self,
        rows: &Tensor,
        spans: &'a [(Span, usize)],
        allowed: Option<TypePairs>,
        train: bool,
    ) -> Result<Mentions<'a>> {
        let column = |f: fn(&(Span, usize)) -> usize| spans.iter().map(|m| f(m) as i64).collect();
        let columns: [Vec<i64>; 3] = [column(|m| m.0.first), column(|m| m.0.last), column(|m| m.1)];
        let [first, last, types] = upload_columns(&columns, rows.device())?;
        let sums = running_sums(rows)?;
        let vectors = Tensor::f_cat(
            &[
                rows.f_index_select(0, &first)?,
                rows.f_index_select(0, &last.f_sub_scalar(1)?)?,
                mean_between(&sums, &first, &last)?,
                self.types.f_index_select(0, &types)?,
            ],
            1,
        )?; // (mentions, 3 * input + TYPE_SIZE)
        let vectors = vectors
            .f_linear(&self.mention.0, Some(&self.mention.1))?
            .f_relu()?
            .dropped(self.options.feedforward_dropout, train)?;
        Ok(Mentions {
            spans,
            head: vectors.f_linear::<&Tensor>(&self.head, None)?,
            tail: vectors.f_linear::<&Tensor>(&self.tail, None)?,
            vectors,
            sums,
            allowed,
        })
    }

    fn features(&self, spans: &[(Span, usize)], pair: &MentionPair) -> PairFeatures {
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
            types: head_type * self.argument_labels as usize + tail_type,
        }
    }

    /// Logits of mention pairs, minus infinity where a label does not allow their types:
    /// (pairs, labels).
    fn pair_logits(
        &self,
        mentions: &Mentions,
        pairs: &[MentionPair],
        train: bool,
    ) -> Result<Tensor> {
        let device = mentions.vectors.device();
        let mut columns: [Vec<i64>; 7] = Default::default();
        for pair in pairs {
            let pair = self.features(mentions.spans, pair);
            let row = [
                pair.head,
                pair.tail,
                pair.between.start,
                pair.between.end,
                pair.distance,
                pair.sentences,
                pair.types,
            ];
            for (column, value) in columns.iter_mut().zip(row) {
                column.push(value as i64);
            }
        }
        let [head, tail, start, end, distance, sentences, types] =
            upload_columns(&columns, device)?;
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
        let hidden = hidden
            .f_relu()? // (pairs, hidden)
            .dropped(self.options.feedforward_dropout, train)?;
        let logits = hidden
            .f_linear(&self.output.0, Some(&self.output.1))?
            .f_add(&self.type_bias.f_flatten(0, 1)?.f_index_select(0, &types)?)?;
        let Some(allowed) = &mentions.allowed else { return Ok(logits) };
        let value = |&may: &bool| if may { 0.0 } else { f32::NEG_INFINITY };
        let added: Vec<f32> = allowed.all().iter().map(value).collect();
        // (argument labels squared, labels)
        let added = upload_values(&added, &[-1, self.labels as i64], device)?;
        Ok(logits.f_add(&added.f_index_select(0, &types)?)?)
    }
}

/// Signed distance in powers of two: `DISTANCES / 2` buckets each way.
fn distance_bucket(distance: i64) -> i64 {
    let half = DISTANCES / 2;
    let size = (64 - distance.unsigned_abs().leading_zeros() as i64).min(half - 1);
    if distance < 0 { size } else { half + size }
}
