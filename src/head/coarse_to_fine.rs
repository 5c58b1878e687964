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
use std::ops::Range;

use tch::{Kind, Tensor};

use super::DocumentInput;
use super::coarse::{CoarseScorer, NEVER};
use super::fast::{FastCoreference, FastKept, linear};
use super::kept_spans::{
    DISTANCES, Kept, MATCHES, NAME_MATCHES, SENTENCES, Scorer, numbers, pair_features,
};
use super::span_vectors::SpanVectors;
use crate::config::MentionRankingConfig;
use crate::cpu::values;
use crate::decode::Clustering;
use crate::params::{Init, Params};
use crate::transfer::{download, upload_columns, upload_values};
use crate::{Cancel, Result, Span};

/// Kept spans before a span among which its antecedents are looked for.
const WINDOW: usize = 4096;
/// Spans whose antecedents are scored at a time.
const ROWS: usize = 512;
/// Candidate spans scored at a time when annotating.
const CANDIDATES: usize = 8192;

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

/// Scores of some rows of kept spans against their antecedents.
struct Block {
    /// (rows, 1 + antecedents); column 0 is "none".
    scores: Tensor,
    /// Antecedents by index into the kept spans, row by row; impossible ones are their own row.
    antecedents: Vec<i64>,
}

impl CoarseToFine {
    /// `encoded` and `input` are the widths of the encoder's output and input.
    pub fn new(
        params: &mut Params,
        prefix: &str,
        encoded: i64,
        input: i64,
        projection: i64,
        config: &MentionRankingConfig,
    ) -> Result<Self> {
        let mut get =
            |name: &str, shape: &[i64], init| params.get(&format!("{prefix}.{name}"), shape, init);
        let (hidden, p) = (config.hidden, projection);
        let (xavier, small) = (Init::XavierUniform, Init::Normal(0.1));
        let head = Self {
            spans: SpanVectors::new(&mut get, encoded, input, p, config)?,
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
        let candidates = self.candidates(&x.sentences);
        if candidates.is_empty() {
            return self.coarse.nothing();
        }
        let gold: HashMap<Span, i64> = clusters
            .iter()
            .enumerate()
            .flat_map(|(c, spans)| spans.iter().map(move |&s| (s, c as i64)))
            .collect();
        let tokens = self.spans.tokens(x)?;
        let vectors = self.spans.vectors(&tokens, &candidates)?;
        let scores = self.mention.score(&vectors, self.config.feedforward_dropout, true)?;
        let kept = self.keep(x, &download(&scores)?);
        let cluster: Vec<i64> =
            kept.iter().map(|&k| gold.get(&candidates[k].0).copied().unwrap_or(-1)).collect();
        let index: Vec<i64> = kept.iter().map(|&k| k as i64).collect();
        let index = upload_values(&index, &[-1], x.rows.device())?;
        let spans = kept.iter().map(|&k| candidates[k]).collect::<Vec<_>>();
        let kept = Kept::new(
            x,
            &spans,
            vectors.f_index_select(0, &index)?,
            scores.f_index_select(0, &index)?,
        )?;

        let mut loss = Tensor::f_zeros([], (Kind::Float, x.rows.device()))?;
        for start in (0..kept.spans.len()).step_by(ROWS) {
            let rows = start..kept.spans.len().min(start + ROWS);
            let block = self.block(x, &kept, rows.clone(), true)?;
            loss = loss.f_add(&antecedent_loss(&block, rows, &cluster)?)?;
        }
        if self.config.singletons {
            let target: Vec<f32> = candidates
                .iter()
                .map(|(span, _)| f32::from(u8::from(gold.contains_key(span))))
                .collect();
            let target = upload_values(&target, &[-1], x.rows.device())?;
            loss = loss.f_add(&scores.f_binary_cross_entropy_with_logits::<Tensor>(
                &target,
                None,
                None,
                tch::Reduction::Sum,
            )?)?;
        }
        Ok(loss.f_div_scalar(gold.len().max(1) as i64)?)
    }

    /// Clusters in text order; with `singletons`, also mentions that nothing refers to.
    pub fn decode(&self, x: &DocumentInput, cancel: &Cancel) -> Result<Vec<Vec<Span>>> {
        let candidates = self.candidates(&x.sentences);
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        match &self.fast {
            Some(fast) => self.fast_clusters(fast, x, &candidates, cancel),
            None => self.plain_clusters(x, &candidates, cancel),
        }
    }

    fn plain_clusters(
        &self,
        x: &DocumentInput,
        candidates: &[(Span, usize)],
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Span>>> {
        let tokens = self.spans.tokens(x)?;
        let mut scores = Vec::with_capacity(candidates.len().div_ceil(CANDIDATES));
        for some in candidates.chunks(CANDIDATES) {
            cancel.check()?;
            scores.push(self.mention.score(&self.spans.vectors(&tokens, some)?, 0.0, false)?);
        }
        let scores = Tensor::f_cat(&scores, 0)?;
        let kept = self.keep(x, &download(&scores)?);
        let spans: Vec<_> = kept.iter().map(|&k| candidates[k]).collect();
        let index: Vec<i64> = kept.iter().map(|&k| k as i64).collect();
        let index = upload_values(&index, &[-1], x.rows.device())?;
        let vectors: Result<Vec<Tensor>> =
            spans.chunks(CANDIDATES).map(|some| self.spans.vectors(&tokens, some)).collect();
        drop(tokens);
        let vectors = Tensor::f_cat(&vectors?, 0)?;
        let kept = Kept::new(x, &spans, vectors, scores.f_index_select(0, &index)?)?;

        let mut clustering = Clustering::new(&kept.spans);
        for start in (0..kept.spans.len()).step_by(ROWS) {
            cancel.check()?;
            let rows = start..kept.spans.len().min(start + ROWS);
            let block = self.block(x, &kept, rows, false)?;
            let width = block.scores.size()[1] as usize;
            let scores = download::<f32>(&block.scores)?;
            let rows = scores.chunks(width).zip(block.antecedents.chunks(width - 1));
            rows.for_each(|(s, a)| clustering.vote(&s[1..], a, self.config.none_score));
        }
        Ok(self.with_singletons(clustering.groups(), &spans, &download(&kept.scores)?))
    }

    fn fast_clusters(
        &self,
        fast: &FastCoreference,
        x: &DocumentInput,
        candidates: &[(Span, usize)],
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
        let (names, lasts) = numbers(x, &spans);
        let scores = kept.iter().map(|&k| scores[k]).collect();
        let only_spans: Vec<Span> = spans.iter().map(|s| s.0).collect();
        let kept = FastKept { vectors, scores, spans: &only_spans, names: &names, lasts: &lasts };
        let prepared = fast.prepare(&kept);
        let features = |span: usize, other: usize| {
            pair_features(x, self.config.names, spans[span], spans[other])
        };

        let mut clustering = Clustering::new(&only_spans);
        for start in (0..spans.len()).step_by(ROWS) {
            cancel.check()?;
            let rows = start..spans.len().min(start + ROWS);
            let from = start.saturating_sub(WINDOW);
            let most = self.config.max_antecedents;
            for best in fast.rank(&kept, &prepared, rows, from, most, features) {
                clustering.vote(&best.scores, &best.antecedents, self.config.none_score);
            }
        }
        Ok(self.with_singletons(clustering.groups(), &spans, &kept.scores))
    }

    /// Adds the kept spans that are mentions by their score and in no cluster.
    fn with_singletons(
        &self,
        mut clusters: Vec<Vec<Span>>,
        kept: &[(Span, usize)],
        scores: &[f32],
    ) -> Vec<Vec<Span>> {
        if self.config.singletons {
            let linked: std::collections::HashSet<Span> =
                clusters.iter().flatten().copied().collect();
            let alone = kept.iter().zip(scores).filter(|((span, _), score)| {
                f64::from(**score) > self.config.singleton_score && !linked.contains(span)
            });
            clusters.extend(alone.map(|((span, _), _)| vec![*span]));
            clusters.sort();
        }
        clusters
    }

    /// All spans up to the maximum width, with their sentence, in text order.
    fn candidates(&self, sentences: &[Range<usize>]) -> Vec<(Span, usize)> {
        let mut spans = Vec::new();
        for (s, sentence) in sentences.iter().enumerate() {
            for first in sentence.clone() {
                let end = sentence.end.min(first + self.config.max_span_width);
                spans.extend((first + 1..=end).map(|last| (Span::new(first, last), s)));
            }
        }
        spans
    }

    /// See [`SpanVectors::token_rows`].
    pub(super) fn token_rows(
        &self,
        encoded: &Tensor,
        inputs: &Tensor,
        train: bool,
    ) -> Result<Tensor> {
        match &self.fast {
            Some(fast) if !train => fast.spans.token_rows(encoded, inputs),
            _ => self.spans.token_rows(encoded, inputs, self.config.feedforward_dropout, train),
        }
    }

    /// Indices of the best candidates by their scores, in text order.
    fn keep(&self, x: &DocumentInput, scores: &[f32]) -> Vec<usize> {
        let tokens = x.rows.size()[0] as f64;
        let count = ((self.config.spans_per_word * tokens) as usize).clamp(1, scores.len());
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
        order.truncate(count);
        order.sort_unstable();
        order
    }

    /// Finds and scores the antecedents of the kept spans `rows`.
    fn block(
        &self,
        x: &DocumentInput,
        kept: &Kept,
        rows: Range<usize>,
        train: bool,
    ) -> Result<Block> {
        let device = kept.vectors.device();
        let start = rows.start.saturating_sub(WINDOW);
        let (from, count) = (start as i64, (rows.end - start) as i64);
        let (row, height) = (rows.start as i64, rows.len() as i64);
        let row_vectors = kept.vectors.f_narrow(0, row, height)?; // (R, p)
        let column_vectors = kept.vectors.f_narrow(0, from, count)?; // (C, p)
        let coarse = self.coarse.scores(kept, rows.clone(), start)?; // (R, C)
        let antecedents = count.min(self.config.max_antecedents as i64);
        let (_, chosen) = coarse.detach().f_topk(antecedents, 1, true, true)?; // (R, A)
        let coarse = coarse.f_gather(1, &chosen, false)?; // (R, A)
        let mut index = download::<i64>(&chosen.f_add_scalar(from)?)?;
        let features = self.features(x, kept, rows, &mut index, antecedents as usize)?;

        let flat = chosen.f_view([-1])?;
        let chosen_vectors =
            column_vectors.f_index_select(0, &flat)?.f_view([height, antecedents, -1])?;
        let right =
            column_vectors.f_linear::<&Tensor>(&self.right, None)?.f_index_select(0, &flat)?;
        let hidden = row_vectors
            .f_unsqueeze(1)?
            .f_mul(&chosen_vectors)?
            .f_linear::<&Tensor>(&self.product, None)? // (R, A, hidden)
            .f_add(&row_vectors.f_linear(&self.left.0, Some(&self.left.1))?.f_unsqueeze(1)?)?
            .f_add(&right.f_add(&features)?.f_view([height, antecedents, -1])?)?
            .f_relu()?;
        let fine = self.fine.score(&hidden, self.config.feedforward_dropout, train)?; // (R, A)
        let none = Tensor::f_zeros([height, 1], (Kind::Float, device))?;
        let scores = Tensor::f_cat(&[none, coarse.f_add(&fine)?], 1)?;
        Ok(Block { scores, antecedents: index })
    }

    /// Distance and match embeddings of each row with each of its antecedents, (R * A, hidden).
    fn features(
        &self,
        x: &DocumentInput,
        kept: &Kept,
        rows: Range<usize>,
        antecedents: &mut [i64],
        width: usize,
    ) -> Result<Tensor> {
        let mut columns: [Vec<i64>; 3] = Default::default();
        let place = |at: usize| (kept.spans[at], kept.sentence[at]);
        for (row, chosen) in rows.zip(antecedents.chunks_mut(width)) {
            for antecedent in chosen {
                *antecedent = (*antecedent).min(row as i64);
                let other = place(*antecedent as usize);
                let features = pair_features(x, self.config.names, place(row), other);
                columns.iter_mut().zip(features).for_each(|(c, f)| c.push(f as i64));
            }
        }
        let [distance, sentences, matches] = upload_columns(&columns, self.distance.device())?;
        Ok(self
            .distance
            .f_index_select(0, &distance)?
            .f_add(&self.sentences.f_index_select(0, &sentences)?)?
            .f_add(&self.matches.f_index_select(0, &matches)?)?)
    }
}

/// Summed over rows: `-log sum_{gold j} e^{s(i, j)} / sum_j e^{s(i, j)}`; rows without a gold
/// antecedent among the scored ones have "none" as their gold. `cluster` is -1 for no mention.
fn antecedent_loss(block: &Block, rows: Range<usize>, cluster: &[i64]) -> Result<Tensor> {
    let width = block.scores.size()[1] as usize - 1;
    let mut wrong = Vec::with_capacity(rows.len() * (width + 1));
    for (row, antecedents) in rows.clone().zip(block.antecedents.chunks(width)) {
        let right =
            |&a: &i64| a < row as i64 && cluster[row] >= 0 && cluster[a as usize] == cluster[row];
        wrong.push(antecedents.iter().any(right));
        wrong.extend(antecedents.iter().map(|a| !right(a)));
    }
    let shape = [rows.len() as i64, width as i64 + 1];
    let wrong = upload_values(&wrong, &shape, block.scores.device())?;
    let gold = block.scores.f_masked_fill(&wrong, NEVER)?.f_logsumexp(1, false)?;
    Ok(block.scores.f_logsumexp(1, false)?.f_sub(&gold)?.f_sum(Kind::Float)?)
}
