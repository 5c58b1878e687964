//! [`CoarseToFine`]: span-ranking coreference over whole documents (Lee, He, Lewis and
//! Zettlemoyer 2017; Lee, He and Zettlemoyer 2018), in memory that grows with the document and
//! not with its square.
//!
//! A span has a vector `g` ([`SpanVectors`]), and the mention score `m(g)` keeps the best spans of
//! the document. For each of them a coarse score `c` ([`CoarseScorer`]) finds a fixed number of
//! antecedents among the spans before it, and a feed-forward net over `[g_i, g_j, g_i * g_j,
//! features]` ranks those:
//!
//! ```text
//! s(i, j) = c(i, j) + fine(i, j),   s(i, none) = 0
//! ```
//!
//! Features are the distances in tokens and in sentences, which tokens of the two spans are equal,
//! and whether both are names. A span joins the cluster that its antecedents name together. With `singletons` the
//! mention score also learns to tell mentions from other spans.

use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};

use tch::{Kind, Tensor};

use super::DocumentInput;
use super::candidates::{Candidates, Limits, NONE, spans_up_to, text_numbers};
use super::coarse::{Antecedents, CoarseScorer, NEVER, WINDOW, numbers, rows_at};
use super::fast::{FastCoreference, FastKept, linear};
use super::kept_spans::{DISTANCES, Kept, MATCHES, NAME_MATCHES, SENTENCES, pair_features};
use super::scorer::Scorer;
use super::span_vectors::SpanVectors;
use crate::config::MentionRankingConfig;
use crate::cpu::values;
use crate::decode::Clustering;
use crate::embed::TokenVectors;
use crate::encode::Widths;
use crate::engine::{piece_size, share};
use crate::params::{Init, Params};
use crate::transfer::download_list;
use crate::{Cancel, Result, Span};

/// Spans whose antecedents are scored at a time.
const ROWS: usize = 512;
/// And without LibTorch: what a worker takes at a time.
const FAST_ROWS: RangeInclusive<usize> = 32..=128;
/// Candidate spans scored at a time when annotating.
const CANDIDATES: usize = 8192;
/// And on a GPU, which has more memory and does every operation in one go.
const GPU_CANDIDATES: usize = 1 << 16;
/// Pairs scored at a time, of short documents.
const PAIRS: usize = 1 << 14;
/// And on a GPU.
const GPU_PAIRS: usize = 1 << 16;

/// A coreference head; see the module.
#[derive(Debug)]
pub struct CoarseToFine {
    spans: SpanVectors,
    mention: Scorer, // projection -> 1
    coarse: CoarseScorer,
    left: (Tensor, Tensor), // (hidden, projection), (hidden)
    right: Tensor,          // (hidden, projection)
    product: Tensor,        // (hidden, projection)
    distance: Tensor,       // (DISTANCES, hidden)
    sentences: Tensor,      // (SENTENCES, hidden)
    matches: Tensor,        // (MATCHES or NAME_MATCHES, hidden)
    fine: Scorer,           // hidden -> 1
    config: MentionRankingConfig,
    fast: Option<Box<FastCoreference>>,
}

impl CoarseToFine {
    /// `encoded` and `input` are the widths of the encoder's output and input.
    pub fn new(
        params: &mut Params,
        prefix: &str,
        widths: Widths,
        projection: i64,
        config: &MentionRankingConfig,
    ) -> Result<Self> {
        let mut get =
            |name: &str, shape: &[i64], init| params.get(&format!("{prefix}.{name}"), shape, init);
        let (hidden, p) = (config.hidden, projection);
        let (xavier, small) = (Init::XavierUniform, Init::Normal(0.1));
        let head = Self {
            spans: SpanVectors::new(&mut get, widths, p, config)?,
            mention: Scorer::new(&mut get, "mention", p, hidden)?,
            coarse: CoarseScorer::new(&mut get, p, config.coarse_distance)?,
            left: (
                get("fine.left", &[hidden, p], xavier)?,
                get("fine.bias", &[hidden], Init::Zeros)?,
            ),
            right: get("fine.right", &[hidden, p], xavier)?,
            product: get("fine.product", &[hidden, p], xavier)?,
            distance: get("fine.distance", &[DISTANCES, hidden], small)?,
            sentences: get("fine.sentences", &[SENTENCES, hidden], small)?,
            matches: get(
                "fine.match",
                &[if config.names { NAME_MATCHES } else { MATCHES }, hidden],
                small,
            )?,
            fine: Scorer::new(&mut get, "fine", hidden, hidden)?,
            config: config.clone(),
            fast: None,
        };
        let fast = params.is_fast().then(|| head.fast()).transpose()?.map(Box::new);
        Ok(Self { fast, ..head })
    }

    fn fast(&self) -> Result<FastCoreference> {
        let table = |table: &Tensor| Ok::<_, crate::Error>(values(table)?.to_vec());
        Ok(FastCoreference {
            spans: self.spans.fast()?,
            mention: self.mention.fast()?,
            coarse: self.coarse.fast()?,
            left: linear(&self.left.0, Some(&self.left.1))?,
            right: linear(&self.right, None)?,
            product: linear(&self.product, None)?,
            distance: table(&self.distance)?,
            sentences: table(&self.sentences)?,
            matches: table(&self.matches)?,
            hidden: self.config.hidden as usize,
            fine: self.fine.fast()?,
        })
    }

    /// The negative marginal log-likelihood of the gold antecedents, plus the cross-entropy of
    /// the mention scores when singletons are learned; both a gold mention on average.
    pub fn loss(&self, x: &DocumentInput, clusters: &[Vec<Span>]) -> Result<Tensor> {
        let spans = spans_up_to(self.config.max_span_width, &x.sentences);
        if spans.is_empty() {
            return self.coarse.nothing();
        }
        let gold: HashMap<Span, i64> = clusters
            .iter()
            .enumerate()
            .flat_map(|(c, spans)| spans.iter().map(move |&s| (s, c as i64)))
            .collect();
        let candidates = Candidates::new(x, &spans, self.limits(), Some(&gold))?;
        let Candidates { first, last, .. } = &candidates;
        let vectors = self.spans.vectors(&self.spans.tokens(x, &candidates)?, first, last)?;
        let scores = self.mention.score(&vectors, self.config.feedforward_dropout, true)?;
        let index = candidates.best(&scores)?;
        let [kept_vectors, kept_scores] =
            [&vectors, &scores].map(|of| of.f_index_select(0, &index));
        let kept = Kept::new(&candidates, &index, kept_vectors?, kept_scores?)?;

        let mut loss = Tensor::f_zeros([], (Kind::Float, x.rows.device()))?;
        for start in (0..kept.len()).step_by(ROWS) {
            let rows = start..kept.len().min(start + ROWS);
            let antecedents = self.coarse.best(&kept, &rows, self.config.max_antecedents)?;
            let scores = self.scores(&kept, &antecedents, true)?;
            loss = loss.f_add(&antecedent_loss(&scores, &antecedents.index, &rows, &kept)?)?;
        }
        if self.config.singletons {
            loss = loss.f_add(&scores.f_binary_cross_entropy_with_logits::<Tensor>(
                &candidates.targets()?,
                None,
                None,
                tch::Reduction::Sum,
            )?)?;
        }
        Ok(loss.f_div_scalar(gold.len().max(1) as i64)?)
    }

    /// Clusters in text order; with `singletons`, also mentions that nothing refers to. For `names` see
    /// [`Clustering::with_names`].
    pub fn decode(
        &self,
        x: &DocumentInput,
        names: &[Span],
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Span>>> {
        let candidates = spans_up_to(self.config.max_span_width, &x.sentences);
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        match &self.fast {
            Some(fast) if x.documents.len() == 1 => {
                self.fast_clusters(fast, x, &candidates, names, cancel)
            }
            _ => self.plain_clusters(x, &candidates, names, cancel),
        }
    }

    /// Candidates go to the device once, and once the scores of all that is kept come back.
    fn plain_clusters(
        &self,
        x: &DocumentInput,
        spans: &[(Span, usize)],
        names: &[Span],
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Span>>> {
        let candidates = Candidates::new(x, spans, self.limits(), None)?;
        let tokens = self.spans.tokens(x, &candidates)?;
        let on_gpu = x.rows.device().is_cuda();
        let many = if on_gpu { GPU_CANDIDATES } else { CANDIDATES };
        let vectors = |first: &Tensor, last: &Tensor, at: usize| -> Result<Tensor> {
            let size = many.min(first.size()[0] as usize - at) as i64;
            let [first, last] = [first, last].map(|of| of.f_narrow(0, at as i64, size));
            self.spans.vectors(&tokens, &first?, &last?)
        };
        let Candidates { first, last, .. } = &candidates;
        let mut scores = Vec::with_capacity(spans.len().div_ceil(many));
        for at in (0..spans.len()).step_by(many) {
            cancel.check()?;
            scores.push(self.mention.score(&vectors(first, last, at)?, 0.0, false)?);
        }
        let scores = Tensor::f_cat(&scores, 0)?;
        let index = candidates.best(&scores)?;
        let [first, last, scores] = [first, last, &scores].map(|of| of.f_index_select(0, &index));
        let (first, last, scores) = (first?, last?, scores?);
        let starts = (0..index.size()[0] as usize).step_by(many);
        let kept_vectors: Vec<Tensor> =
            starts.map(|at| vectors(&first, &last, at)).collect::<Result<_>>()?;
        let kept = Kept::new(&candidates, &index, Tensor::f_cat(&kept_vectors, 0)?, scores)?;

        let mut found = vec![index, kept.scores.shallow_clone()];
        let (pairs, paired) = (&candidates.pairs, kept.paired());
        let size = if on_gpu { GPU_PAIRS } else { PAIRS };
        for start in (0..pairs.len()).step_by(size) {
            cancel.check()?;
            let antecedents = self.coarse.of_pairs(&kept, pairs.part(start, size)?)?;
            found.push(self.scores(&kept, &antecedents, false)?);
        }
        let blocks = found.len();
        for start in (paired..kept.len()).step_by(ROWS) {
            cancel.check()?;
            let rows = start..kept.len().min(start + ROWS);
            let antecedents = self.coarse.best(&kept, &rows, self.config.max_antecedents)?;
            let scores = self.scores(&kept, &antecedents, false)?;
            found.extend([antecedents.index, scores]);
        }
        // As doubles, which hold places exactly.
        let found: Vec<Vec<f64>> = download_list(&found)?;
        let kept: Vec<Span> = found[0].iter().map(|&at| spans[at as usize].0).collect();
        let floats = |scores: &[f64]| scores.iter().map(|&s| s as f32).collect::<Vec<f32>>();
        let none = self.config.none_score;
        let mut clustering = Clustering::new(&kept).with_names(names, &x.keys);
        let mut scores = found[2..blocks].iter().flatten().map(|&score| score as f32);
        for (at, &count) in pairs.counts.iter().enumerate() {
            let scores: Vec<f32> = scores.by_ref().take(count).collect();
            let antecedents: Vec<i64> = (at - count..at).map(|before| before as i64).collect();
            clustering.vote(&scores, &antecedents, none);
        }
        for (start, block) in (paired..kept.len()).step_by(ROWS).zip(found[blocks..].chunks(2)) {
            let rows = kept.len().min(start + ROWS) - start;
            let width = block[0].len() / rows;
            for (antecedents, scores) in block[0].chunks(width).zip(block[1].chunks(width)) {
                let antecedents: Vec<i64> = antecedents.iter().map(|&a| a as i64).collect();
                clustering.vote(&floats(scores), &antecedents, none);
            }
        }
        Ok(self.with_singletons(clustering.groups(), &kept, &floats(&found[1])))
    }

    fn fast_clusters(
        &self,
        fast: &FastCoreference,
        x: &DocumentInput,
        candidates: &[(Span, usize)],
        names: &[Span],
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Span>>> {
        let rows = x.rows.f_contiguous()?;
        let rows = values(&rows)?;
        let genre = fast.spans.genre(rows);
        let scores = fast.mention_scores(rows, &genre, candidates, cancel)?;
        let kept = self.keep(x, &scores);
        let spans: Vec<_> = kept.iter().map(|&k| candidates[k]).collect();
        let mut vectors = Vec::with_capacity(spans.len() * fast.spans.projection());
        fast.spans.vectors(rows, &genre, &spans, &mut vectors);
        let texts = text_numbers(x, &spans);
        let lasts: Vec<i64> = spans.iter().map(|(s, _)| x.keys[s.last - 1]).collect();
        let scores = kept.iter().map(|&k| scores[k]).collect();
        let only_spans: Vec<Span> = spans.iter().map(|s| s.0).collect();
        let kept = FastKept { vectors, scores, spans: &only_spans, names: &texts, lasts: &lasts };
        let prepared = fast.prepare(&kept);
        let (keys, capitals) = (&x.keys, self.config.names.then_some(&x.capitals[..]));
        let features =
            |span: usize, other: usize| pair_features(keys, capitals, spans[span], spans[other]);
        let (count, most) = (spans.len(), self.config.max_antecedents);
        // A power of two: no piece has rows of two blocks.
        let size = piece_size(count, FAST_ROWS).next_power_of_two();
        let ranked = share(count.div_ceil(size), |piece| {
            cancel.check()?;
            let start = piece * size;
            let rows = start..count.min(start + size);
            // The window of the plain way, whose blocks are larger.
            let from = (start / ROWS * ROWS).saturating_sub(WINDOW);
            Ok(fast.rank(&kept, &prepared, rows, from, most, features))
        })?;
        let mut clustering = Clustering::new(&only_spans).with_names(names, &x.keys);
        for best in ranked.iter().flatten() {
            clustering.vote(&best.scores, &best.antecedents, self.config.none_score);
        }
        Ok(self.with_singletons(clustering.groups(), &only_spans, &kept.scores))
    }

    /// Adds the kept spans that are mentions by their score and in no cluster.
    fn with_singletons(
        &self,
        mut clusters: Vec<Vec<Span>>,
        kept: &[Span],
        scores: &[f32],
    ) -> Vec<Vec<Span>> {
        if self.config.singletons {
            let linked: std::collections::HashSet<Span> =
                clusters.iter().flatten().copied().collect();
            let alone = kept.iter().zip(scores).filter(|(span, score)| {
                f64::from(**score) > self.config.singleton_score && !linked.contains(span)
            });
            clusters.extend(alone.map(|(span, _)| vec![*span]));
            clusters.sort();
        }
        clusters
    }

    /// See [`SpanVectors::token_rows`].
    pub(super) fn token_rows(
        &self,
        encoded: &Tensor,
        inputs: &TokenVectors,
        train: bool,
    ) -> Result<Tensor> {
        match &self.fast {
            Some(fast) if !train => fast.spans.token_rows(encoded, inputs),
            _ => self.spans.token_rows(
                encoded,
                &inputs.whole()?,
                self.config.feedforward_dropout,
                train,
            ),
        }
    }

    fn limits(&self) -> Limits {
        let MentionRankingConfig {
            max_span_width: width,
            spans_per_word: share,
            min_spans: least,
            max_antecedents: antecedents,
            ..
        } = self.config;
        Limits { width, share, least, antecedents }
    }

    /// Indices of the best candidates by their scores, in text order.
    fn keep(&self, x: &DocumentInput, scores: &[f32]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
        order.truncate(self.limits().kept(x.keys.len(), scores.len()));
        order.sort_unstable();
        order
    }

    /// Scores of kept spans with their antecedents, (R, A) or (P).
    fn scores(&self, kept: &Kept, found: &Antecedents, train: bool) -> Result<Tensor> {
        let Antecedents { anaphors, columns, vectors, .. } = found;
        let columns = kept.vectors.f_narrow(0, columns.start as i64, columns.len() as i64)?; // (C, p)
        let left = |own: &Tensor| Ok(own.f_linear(&self.left.0, Some(&self.left.1))?);
        let right = columns.f_linear::<&Tensor>(&self.right, None)?;
        let hidden = anaphors
            .of(&kept.vectors)?
            .f_mul(vectors)?
            .f_linear::<&Tensor>(&self.product, None)? // (R, A, hidden) or (P, hidden)
            .f_add(&anaphors.made(&kept.vectors, left)?)?
            .f_add(&found.of(&right)?.f_add(&self.features(kept, found)?)?)?
            .f_relu()?;
        let fine = self.fine.score(&hidden, self.config.feedforward_dropout, train)?;
        Ok(found.scores.f_add(&fine)?)
    }

    /// Distance and match embeddings of them, (R, A, hidden) or (P, hidden).
    fn features(&self, kept: &Kept, found: &Antecedents) -> Result<Tensor> {
        let features = kept.features(&found.anaphors, &found.index, self.config.names)?;
        let tables = [&self.distance, &self.sentences, &self.matches];
        let of = |at: usize| rows_at(tables[at], &features[at]);
        Ok(of(0)?.f_add(&of(1)?)?.f_add(&of(2)?)?)
    }
}

/// Summed over rows: `-log sum_{gold j} e^{s(i, j)} / sum_j e^{s(i, j)}`; rows without a gold
/// antecedent among the scored ones, (R, A), have "none" as their gold.
fn antecedent_loss(
    scores: &Tensor,
    antecedents: &Tensor,
    rows: &Range<usize>,
    kept: &Kept,
) -> Result<Tensor> {
    let own = kept.cluster.f_narrow(0, rows.start as i64, rows.len() as i64)?.f_unsqueeze(1)?; // (R, 1)
    let right = antecedents
        .f_lt_tensor(&numbers(rows, antecedents.device())?.f_unsqueeze(1)?)?
        .f_logical_and(&own.f_ne(NONE)?)?
        .f_logical_and(&own.f_eq_tensor(&kept.at(&kept.cluster, antecedents)?)?)?;
    let none = Tensor::f_zeros([rows.len() as i64, 1], (Kind::Float, scores.device()))?;
    let scores = Tensor::f_cat(&[&none, scores], 1)?; // (R, 1 + A)
    let wrong = Tensor::f_cat(&[right.f_any_dim(1, true)?, right.f_logical_not()?], 1)?;
    let gold = scores.f_masked_fill(&wrong, NEVER)?.f_logsumexp(1, false)?;
    Ok(scores.f_logsumexp(1, false)?.f_sub(&gold)?.f_sum(Kind::Float)?)
}
