//! [`MentionRanking`]: end-to-end coreference by ranking spans (Lee, He, Lewis and Zettlemoyer,
//! EMNLP 2017), as in the 2018 model.
//!
//! A span is `[h_first, h_last, width, sum_t a_t x_t]`, with `h` the encoder's output, `x` its
//! input and `a` a softmax over the span's tokens. The best spans of the document are kept; each
//! is scored against the kept spans before it,
//!
//! ```text
//! s(i, j) = m_i + m_j + f([g_i, g_j, g_i * g_j, distance]),   s(i, none) = 0
//! ```
//!
//! The first layer of `f` is applied part by part, so that the long pair vectors never exist.

use std::collections::HashMap;
use std::ops::Range;

use tch::{Kind, Tensor};

use super::DocumentInput;
use crate::config::MentionRankingConfig;
use crate::decode::Clustering;
use crate::dropout::Dropout as _;
use crate::params::{Init, Params};
use crate::transfer::{download, host, upload, upload_values};
use crate::{Result, Span};

/// Distances in kept spans: 0 to 4, 5-7, 8-15, 16-31, 32-63, 64 and more.
const DISTANCES: i64 = 10;
/// Candidate spans scored at a time when annotating.
const CANDIDATES: usize = 4096;
/// Kept spans whose antecedents are scored at a time.
const ROWS: usize = 64;
const NEVER: f64 = -1e30;

/// A coreference head; see the module.
#[derive(Debug)]
pub struct MentionRanking {
    width: Tensor,               // (max_span_width, feature)
    attention: (Tensor, Tensor), // (1, input), (1)
    mention: FeedForward,
    antecedent: FeedForward,
    distance: Tensor, // (DISTANCES, feature)
    encoded: i64,
    input: i64,
    config: MentionRankingConfig,
}

/// Two hidden layers and a score.
#[derive(Debug)]
struct FeedForward {
    layers: [(Tensor, Tensor); 2],
    output: (Tensor, Tensor),
    dropout: f64,
}

/// Scores of the kept spans against their antecedents.
#[derive(Debug)]
pub struct AntecedentScores {
    /// Kept spans in text order.
    pub spans: Vec<Span>,
    /// (kept, 1 + antecedents): column 0 is "none", column k the k-th kept span before.
    pub scores: Tensor,
}

impl MentionRanking {
    pub fn new(
        params: &mut Params,
        prefix: &str,
        encoded: i64,
        input: i64,
        config: &MentionRankingConfig,
    ) -> Result<Self> {
        let mut get =
            |name: &str, shape: &[i64], init| params.get(&format!("{prefix}.{name}"), shape, init);
        let feature = config.feature_size;
        let span = 2 * encoded + feature + input;
        let linear = Init::Uniform(1.0 / (input as f64).sqrt());
        Ok(Self {
            width: get("width", &[config.max_span_width as i64, feature], Init::XavierNormal)?,
            attention: (
                get("attention.weight", &[1, input], linear)?,
                get("attention.bias", &[1], linear)?,
            ),
            mention: FeedForward::new(&mut get, "mention", span, config)?,
            antecedent: FeedForward::new(&mut get, "antecedent", 3 * span + feature, config)?,
            distance: get("distance", &[DISTANCES, feature], Init::XavierNormal)?,
            encoded,
            input,
            config: config.clone(),
        })
    }

    /// (N, input)
    fn inputs(&self, x: &DocumentInput) -> Result<Tensor> {
        x.columns(self.encoded, self.input)
    }

    /// Negative marginal log-likelihood of the gold antecedents, summed over kept spans.
    pub fn loss(&self, x: &DocumentInput, clusters: &[Vec<Span>]) -> Result<Tensor> {
        let Some(kept) = self.score(x, true)? else {
            return Ok(self.distance.f_sum(Kind::Float)?.f_mul_scalar(0.0)?);
        };
        let cluster: HashMap<Span, usize> = clusters
            .iter()
            .enumerate()
            .flat_map(|(c, spans)| spans.iter().map(move |&s| (s, c)))
            .collect();
        let columns = kept.scores.size()[1] as usize;
        let cluster: Vec<Option<&usize>> = kept.spans.iter().map(|s| cluster.get(s)).collect();
        let mut wrong = Vec::with_capacity(kept.spans.len() * columns);
        for row in 0..kept.spans.len() {
            let right =
                |k: usize| k <= row && cluster[row].is_some() && cluster[row - k] == cluster[row];
            wrong.push((1..columns).any(right));
            wrong.extend((1..columns).map(|k| !right(k)));
        }
        let wrong = upload_values(&wrong, &[-1, columns as i64], kept.scores.device())?;
        let gold = kept.scores.f_masked_fill(&wrong, NEVER)?.f_logsumexp(1, false)?;
        Ok(kept.scores.f_logsumexp(1, false)?.f_sub(&gold)?.f_sum(Kind::Float)?)
    }

    /// Clusters of at least two mentions, in text order.
    pub fn decode(&self, x: &DocumentInput) -> Result<Vec<Vec<Span>>> {
        let Some(kept) = self.score(x, false)? else {
            return Ok(Vec::new());
        };
        let best = download::<i64>(&kept.scores.f_argmax(1, false)?)?;
        let antecedent: Vec<Option<usize>> = best
            .iter()
            .enumerate()
            .map(|(row, &k)| if k > 0 { row.checked_sub(k as usize) } else { None })
            .collect();
        let mut clustering = Clustering::new(&kept.spans);
        antecedent.into_iter().for_each(|a| clustering.link(a));
        Ok(clustering.groups())
    }

    /// Scores the kept spans of a document; `None` when it has no tokens.
    pub fn score(&self, x: &DocumentInput, train: bool) -> Result<Option<AntecedentScores>> {
        let candidates = self.candidates(&x.sentences);
        if candidates.is_empty() {
            return Ok(None);
        }
        let attention = self.inputs(x)?.f_linear(&self.attention.0, Some(&self.attention.1))?; // (N, 1)
        // While training the vectors of all candidates are needed for the gradient anyway.
        let chunk = if train { candidates.len() } else { CANDIDATES };
        let mut mention = Vec::new();
        let mut vectors = None;
        for some in candidates.chunks(chunk) {
            let spans = self.span_vectors(x, &attention, some)?;
            mention.push(self.mention.score(&spans, train)?);
            vectors = train.then_some(spans);
        }
        let mention = Tensor::f_cat(&mention, 0)?; // (candidates)
        let kept = self.keep(x.rows.size()[0], &mention)?;
        let spans: Vec<Span> = kept.iter().map(|&k| candidates[k]).collect();
        let index: Vec<i64> = kept.iter().map(|&k| k as i64).collect();
        let index = upload_values(&index, &[-1], mention.device())?;
        let mention = mention.f_index_select(0, &index)?; // (kept)
        let vectors = match vectors {
            Some(all) => all.f_index_select(0, &index)?,
            None => self.span_vectors(x, &attention, &spans)?,
        }; // (kept, span)
        let window = spans.len().min(self.config.max_antecedents);
        let mut scores = Vec::new();
        for start in (0..spans.len()).step_by(ROWS) {
            let rows = start..spans.len().min(start + ROWS);
            scores.push(self.antecedents(&vectors, &mention, rows, window, train)?);
        }
        Ok(Some(AntecedentScores { spans, scores: Tensor::f_cat(&scores, 0)? }))
    }

    /// All spans up to the maximum width, in text order.
    fn candidates(&self, sentences: &[Range<usize>]) -> Vec<Span> {
        let mut spans = Vec::new();
        for sentence in sentences {
            for first in sentence.clone() {
                let end = sentence.end.min(first + self.config.max_span_width);
                spans.extend((first + 1..=end).map(|last| Span::new(first, last)));
            }
        }
        spans
    }

    /// (spans, 2 * encoded + feature + input)
    fn span_vectors(
        &self,
        x: &DocumentInput,
        attention: &Tensor,
        spans: &[Span],
    ) -> Result<Tensor> {
        let device = x.rows.device();
        let widest = spans.iter().map(|s| s.last - s.first).max().unwrap_or(1);
        let mut inside = Vec::with_capacity(spans.len() * widest);
        let mut outside = Vec::with_capacity(spans.len() * widest);
        for span in spans {
            for at in span.first..span.first + widest {
                inside.push(at.min(span.last - 1) as i64);
                outside.push(at >= span.last);
            }
        }
        let shape = [spans.len() as i64, widest as i64, 1];
        let place =
            |f: fn(&Span) -> usize| -> Vec<i64> { spans.iter().map(|s| f(s) as i64).collect() };
        let (first, last) = (host(&place(|s| s.first))?, host(&place(|s| s.last - 1))?);
        let all = [host(&inside)?, host(&outside)?.f_view(shape)?, first, last];
        let [inside, outside, first, last] = upload(all, device)?;
        let weights = attention
            .f_index_select(0, &inside)?
            .f_view(shape)?
            .f_masked_fill(&outside, NEVER)?
            .f_softmax(1, Kind::Float)?; // (spans, widest, 1)
        let content = self
            .inputs(x)?
            .f_index_select(0, &inside)?
            .f_view([shape[0], shape[1], -1])?
            .f_mul(&weights)?
            .f_sum_dim_intlist(1, false, Kind::Float)?; // (spans, input)
        let encoded = x.columns(0, self.encoded)?;
        let parts = [
            encoded.f_index_select(0, &first)?,
            encoded.f_index_select(0, &last)?,
            self.width.f_index_select(0, &last.f_sub(&first)?)?,
            content,
        ];
        Ok(Tensor::f_cat(&parts, 1)?)
    }

    /// Indices of the best candidates, in text order.
    fn keep(&self, tokens: i64, scores: &Tensor) -> Result<Vec<usize>> {
        let scores = download::<f32>(scores)?;
        let count = (self.config.spans_per_word * tokens as f64).floor() as usize;
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
        order.truncate(count.max(1));
        order.sort_unstable();
        Ok(order)
    }

    /// Scores of the kept spans `rows`: (rows, 1 + window).
    fn antecedents(
        &self,
        vectors: &Tensor,
        mention: &Tensor,
        rows: Range<usize>,
        window: usize,
        train: bool,
    ) -> Result<Tensor> {
        let device = vectors.device();
        let (height, width) = (rows.len() as i64, window as i64);
        let mut index = Vec::with_capacity(rows.len() * window);
        let mut impossible = Vec::with_capacity(rows.len() * window);
        for row in rows.clone() {
            index.extend((1..=window).map(|k| row.saturating_sub(k) as i64));
            impossible.extend((1..=window).map(|k| k > row));
        }
        let buckets: Vec<i64> = (1..=window).map(distance_bucket).collect();
        let impossible = host(&impossible)?.f_view([height, width])?;
        let [index, impossible, buckets] =
            upload([host(&index)?, impossible, host(&buckets)?], device)?;

        let span = vectors.size()[1];
        let (weight, bias) = &self.antecedent.layers[0];
        let part = |at: i64, size: i64| weight.f_narrow(1, at * span, size);
        let row = vectors.f_narrow(0, rows.start as i64, height)?; // (R, span)
        let other = vectors.f_index_select(0, &index)?.f_view([height, width, span])?;
        let distance = self
            .distance
            .f_index_select(0, &buckets)?
            .f_linear::<&Tensor>(&part(3, self.distance.size()[1])?, None)?; // (A, hidden)
        let hidden = other
            .f_linear::<&Tensor>(&part(1, span)?, None)?
            .f_add(&row.f_linear(&part(0, span)?, Some(bias))?.f_unsqueeze(1)?)?
            .f_add(&row.f_unsqueeze(1)?.f_mul(&other)?.f_linear::<&Tensor>(&part(2, span)?, None)?)?
            .f_add(&distance.f_unsqueeze(0)?)?; // (R, A, hidden)
        let pair = self.antecedent.score_hidden(&hidden, train)?; // (R, A)
        let scores = pair
            .f_add(&mention.f_narrow(0, rows.start as i64, height)?.f_unsqueeze(1)?)?
            .f_add(&mention.f_index_select(0, &index)?.f_view([height, width])?)?
            .f_masked_fill(&impossible, NEVER)?;
        let none = Tensor::f_zeros([height, 1], (Kind::Float, device))?;
        Ok(Tensor::f_cat(&[none, scores], 1)?)
    }
}

impl FeedForward {
    fn new(
        get: &mut impl FnMut(&str, &[i64], Init) -> Result<Tensor>,
        name: &str,
        input: i64,
        config: &MentionRankingConfig,
    ) -> Result<Self> {
        let hidden = config.hidden;
        let mut layer = |at: usize, input: i64| -> Result<(Tensor, Tensor)> {
            let bias = Init::Uniform(1.0 / (input as f64).sqrt());
            Ok((
                get(&format!("{name}.layer{at}.weight"), &[hidden, input], Init::XavierNormal)?,
                get(&format!("{name}.layer{at}.bias"), &[hidden], bias)?,
            ))
        };
        let layers = [layer(0, input)?, layer(1, hidden)?];
        let bias = Init::Uniform(1.0 / (hidden as f64).sqrt());
        // The 2018 initializer's pattern misses the last layer of the mention scorer.
        let output = if name == "mention" { bias } else { Init::XavierNormal };
        Ok(Self {
            layers,
            output: (
                get(&format!("{name}.output.weight"), &[1, hidden], output)?,
                get(&format!("{name}.output.bias"), &[1], bias)?,
            ),
            dropout: config.feedforward_dropout,
        })
    }

    /// (..., input) to (...)
    fn score(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let (weight, bias) = &self.layers[0];
        self.score_hidden(&x.f_linear(weight, Some(bias))?, train)
    }

    /// From the first layer before its ReLU: (..., hidden) to (...).
    fn score_hidden(&self, hidden: &Tensor, train: bool) -> Result<Tensor> {
        let (weight, bias) = &self.layers[1];
        Ok(hidden
            .f_relu()?
            .dropped(self.dropout, train)?
            .f_linear(weight, Some(bias))?
            .f_relu()?
            .dropped(self.dropout, train)?
            .f_linear(&self.output.0, Some(&self.output.1))?
            .f_squeeze_dim(-1)?)
    }
}

/// 0 to 4 as they are, then powers of two.
fn distance_bucket(distance: usize) -> i64 {
    let bucket = if distance <= 4 { distance as i64 } else { i64::from(distance.ilog2()) + 3 };
    bucket.min(DISTANCES - 1)
}
