//! [`MentionPairs`]: relations between whole mentions, inside a sentence and across sentences.
//!
//! A mention is `m = relu(W [h_first; h_last; mean(h); type])`, a pair
//!
//! ```text
//! p(h, t) = relu(W_h m_h + W_t m_t + W_p (m_h * m_t) + W_c context + words + distance + sentences)
//! logits  = V p(h, t) + b + B[type_h, type_t]
//! ```
//!
//! where `h` are the encoder's outputs, or what [`MarkedReader`] makes of them where the configuration has
//! one, `context` is their mean between two mentions of one sentence, and `words`, if the configuration has
//! it, what the words of the two have to do with each other ([`super::word_match`]). Labels are
//! independent (several per pair); a symmetric one is gold in both directions, and its logit the
//! mean of both. A fact holds between entities, and one pair of their mentions
//! states it: the logits of an entity pair are the logsumexp over its mention pairs, as in
//! multiple-instance learning. In training entities are the gold clusters, later mentions of
//! one name, joined by the clusters of a coreference task if the configuration names one; with
//! `between` mentions each is by itself. The cost grows with the mention pairs within
//! `max_sentences`, not with tokens; types that no label was seen with are not paired, if the
//! configuration says so.

use tch::{Kind, Tensor};

use super::fast::{FastMentionPairs, PairFeatures};
use super::marked_reader::MarkedReader;
use super::pair_scorer::{Mentions, PairScorer};
use super::pair_targets::PairTargets;
use super::word_match::WordMatch;
use super::{DocumentInput, GoldRelations};
use crate::config::{Between, CalibrationConfig};
use crate::cpu::values;
use crate::decode::{Arguments, EntityPairs, Fact, FactPool, FactRule, MentionPair, TypePairs};
use crate::embed::TokenVectors;
use crate::encode::Widths;
use crate::engine::share;
use crate::params::Params;
use crate::transfer::{download, host, upload, upload_values};
use crate::{Cancel, Result, Span};

/// Mention pairs scored at a time when annotating: bounds memory on long documents.
const BLOCK: usize = 16_384;
/// And without LibTorch: what stays near the processor.
const FAST_BLOCK: usize = 512;

/// A relation head over mentions; see the module.
#[derive(Debug)]
pub struct MentionPairs {
    scorer: PairScorer,
    /// How often the training data related which types: (argument labels, argument labels, labels).
    seen: Option<Tensor>,
    argument_labels: i64,
    labels: usize,
    options: MentionPairsOptions,
    reader: Option<MarkedReader>,
    fast: Option<Box<FastMentionPairs>>,
}

/// The numbers of the configuration that the head keeps.
#[derive(Clone, Debug)]
pub struct MentionPairsOptions {
    pub hidden: i64,
    /// Each way's units of the layer that reads sentences with their mentions marked.
    pub reader_hidden: Option<i64>,
    pub max_sentences: usize,
    /// For each label, the probability above which a fact holds.
    pub thresholds: Vec<f64>,
    /// For each label, the share of the best fact's probability that a fact needs.
    pub rivalries: Vec<f64>,
    pub feedforward_dropout: f64,
    /// For each label, whether its arguments have no order.
    pub symmetric: Vec<bool>,
    pub calibration: CalibrationConfig,
    /// Products that compare the words of two mentions.
    pub word_match: Option<i64>,
    /// What relations hold between.
    pub between: Between,
    /// Whether the other mentions of clusters state facts of their names.
    pub references: bool,
    /// How often types must have been seen with a label to be allowed; absent means all are.
    pub min_count: Option<usize>,
}

impl MentionPairs {
    pub fn new(
        params: &mut Params,
        prefix: &str,
        widths: Widths,
        options: MentionPairsOptions,
        labels: usize,
        argument_labels: usize,
    ) -> Result<Self> {
        let (hidden, columns, types) = (options.hidden, labels as i64, argument_labels as i64);
        let reader = options.reader_hidden.map(|own| {
            let prefix = format!("{prefix}.reader");
            MarkedReader::new(
                params,
                &prefix,
                [widths.output, own],
                types,
                options.feedforward_dropout,
            )
        });
        let reader = reader.transpose()?;
        let read = reader.as_ref().map_or(widths.output, MarkedReader::width);
        let mut get =
            |name: &str, shape: &[i64], init| params.get(&format!("{prefix}.{name}"), shape, init);
        let dropout = options.feedforward_dropout;
        let words = options.word_match;
        let words =
            words.map(|size| WordMatch::new(&mut get, widths, [size, hidden])).transpose()?;
        let scorer = PairScorer::new(&mut get, [read, hidden], [types, columns], words, dropout)?;
        let shape = [types, types, columns];
        let seen = options.min_count.map(|_| params.counts(&format!("{prefix}.seen"), &shape));
        let seen = seen.transpose()?;
        let fast = params.is_fast().then(|| scorer.fast()).transpose()?.map(Box::new);
        Ok(Self { scorer, seen, argument_labels: types, labels, options, reader, fast })
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

    /// Binary cross-entropy of the labels of entity pairs, summed, and the number of pairs.
    ///
    /// `mentions` are span, label and entity; relations are between mentions by their index.
    pub fn loss(
        &self,
        x: &DocumentInput,
        mentions: &[(Span, usize, Option<usize>)],
        gold: &GoldRelations,
    ) -> Result<(Tensor, usize)> {
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
        let pairs = EntityPairs::new(&spans, &groups, x.places(), far, allowed.as_ref());
        if pairs.is_empty() {
            return Ok((self.scorer.nothing()?, 0));
        }
        let rows = self.rows(x, &spans, true, &Cancel::new())?;
        let symmetric = &self.options.symmetric;
        let targets = PairTargets::new(&pairs, &spans, &groups, gold, symmetric, allowed.as_ref());
        let mentions = pairs.mention_pairs();
        let mentions = self.scorer.mentions(&rows, &spans, mentions, allowed.as_ref(), true)?;
        Ok((self.pair_loss(&mentions, &pairs, &targets)?, pairs.entities().len()))
    }

    fn pair_loss(
        &self,
        mentions: &Mentions,
        pairs: &EntityPairs,
        targets: &PairTargets,
    ) -> Result<Tensor> {
        let rows = pairs.entities().len();
        let device = self.scorer.device();
        let shape = [rows as i64, self.labels as i64];
        let table = |values: &[f32]| -> Result<Tensor> { Ok(host(values)?.f_view(shape)?) };
        let all = [table(&targets.values)?, table(&targets.weights)?, host(pairs.group())?];
        let [values, weights, group] = upload(all, device)?;
        let logits = self.scorer.logits(mentions, 0..pairs.len(), true)?;
        let pooled = Tensor::f_zeros(shape, (Kind::Float, device))?
            .f_index_add(0, &group, &logits.f_clamp(-30.0, 30.0)?.f_exp()?)?
            .f_log()?; // (entity pairs, labels)
        let sum = tch::Reduction::Sum;
        Ok(pooled.f_binary_cross_entropy_with_logits(&values, Some(weights), None, sum)?)
    }

    /// Relations by mention index: for each fact between two entities, the pair of mentions that
    /// states it most clearly, or where that is no name but stands for one, the nearest name. Mentions of
    /// one name are one entity, and so are those that `clusters` join, unless relations are between mentions.
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
        let arguments = match self.options.between {
            Between::Entities => {
                let references = self.options.references;
                Arguments::of_entities(mentions, &x.keys, clusters, references)
            }
            Between::Mentions => Arguments::alone(mentions),
        };
        let mentions = arguments.mentions();
        let allowed = self.allowed()?;
        let far = self.options.max_sentences;
        let pairs =
            EntityPairs::new(mentions, arguments.entities(), x.places(), far, allowed.as_ref());
        log::debug!("{} pairs of {} mentions are scored", pairs.len(), mentions.len());
        let rows = self.rows(x, mentions, false, cancel)?;
        let pool = match &self.fast {
            Some(fast) => self.fast_pool(fast, &rows, mentions, &pairs, allowed, cancel)?,
            None => self.plain_pool(&rows, mentions, &pairs, allowed, cancel)?,
        };
        let MentionPairsOptions { thresholds, rivalries, symmetric, calibration, .. } =
            &self.options;
        let mut facts =
            pool.facts(&FactRule { thresholds, rivalries, symmetric, calibration: *calibration });
        if arguments.has_references() {
            for fact in &mut facts {
                (fact.head, fact.tail) = (arguments.name(fact.head), arguments.name(fact.tail));
                let is_reversed = mentions[fact.tail].0 < mentions[fact.head].0;
                if symmetric[fact.label] && is_reversed {
                    (fact.head, fact.tail) = (fact.tail, fact.head);
                }
            }
            facts.sort_by_key(|f| (f.head, f.tail, f.label));
        }
        Ok(facts)
    }

    /// What is kept of each token: the encoder's output and what its words give, (..., W).
    pub(super) fn token_rows(
        &self,
        encoded: &Tensor,
        inputs: &TokenVectors,
        train: bool,
    ) -> Result<Tensor> {
        match &self.fast {
            Some(fast) if !train => fast.token_rows(encoded, inputs),
            _ => self.scorer.token_rows(encoded, inputs),
        }
    }

    /// What the head reads of the tokens, where these are the arguments: (N, input), and columns of their words.
    fn rows(
        &self,
        x: &DocumentInput,
        mentions: &[(Span, usize)],
        train: bool,
        cancel: &Cancel,
    ) -> Result<Tensor> {
        match &self.reader {
            Some(reader) => {
                let (all, words) = (x.rows.size()[1], self.scorer.word_columns());
                let encoded = x.columns(0, all - words)?;
                let read = reader.read(&encoded, &x.sentences, mentions, train, cancel)?;
                Ok(Tensor::f_cat(&[read, x.columns(all - words, words)?], 1)?)
            }
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
        let of_mentions = pairs.mention_pairs();
        let prepared =
            self.scorer.mentions(rows, mentions, of_mentions, allowed.as_ref(), false)?;
        for start in (0..pairs.len()).step_by(BLOCK) {
            cancel.check()?;
            let block = start..pairs.len().min(start + BLOCK);
            let logits = self.scorer.logits(&prepared, block.clone(), false)?;
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
        let (types, labels) = (self.argument_labels as usize, self.labels);
        for start in (0..pairs.len()).step_by(BLOCK) {
            let some = &pairs.mention_pairs()[start..pairs.len().min(start + BLOCK)];
            let pieces: Vec<&[MentionPair]> = some.chunks(FAST_BLOCK).collect();
            let logits = share(pieces.len(), |at| {
                cancel.check()?;
                let features: Vec<PairFeatures> = pieces[at]
                    .iter()
                    .map(|pair| PairScorer::features(mentions, pair, types))
                    .collect();
                let mut logits = fast.logits(&prepared, &features);
                let Some(allowed) = &allowed else { return Ok(logits) };
                for (pair, logits) in pieces[at].iter().zip(logits.chunks_mut(fast.stride())) {
                    let may = allowed.labels(mentions[pair.head].1, mentions[pair.tail].1);
                    let forbidden = logits[..labels].iter_mut().zip(may).filter(|(_, may)| !**may);
                    forbidden.for_each(|(logit, _)| *logit = f32::NEG_INFINITY);
                }
                Ok(logits)
            })?;
            let logits = logits.iter().flat_map(|logits| logits.chunks(fast.stride()));
            (start..).zip(logits).for_each(|(at, logits)| pool.add(at, &logits[..labels]));
        }
        Ok(pool)
    }
}
