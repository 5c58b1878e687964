//! [`CrfTagger`]: flat spans as BIOUL tags under a linear-chain CRF (Lample et al. 2016), as in
//! the taggers of the 2018 model.
//!
//! The loss is the summed negative log-likelihood over all tag sequences; only decoding knows
//! which sequences BIOUL allows. Where gold leaves something open, the likelihood is that of all
//! the tag sequences that agree with it (Tsuboi et al., COLING 2008).

use tch::{Kind, Tensor};

use super::fast::linear;
use super::{GoldSpans, SequenceInput};
use crate::Result;
use crate::cpu::{Linear, Rows, values};
use crate::decode::{Chain, Counts, Crf, ScoredSpan};
use crate::feature::{Bioul, TagPart};
use crate::params::{Init, Params};
use crate::transfer::{download_all, host, upload};

/// Far below any score, and small enough that sums of it stay exact where it does not enter.
const FORBIDDEN: f32 = -1e5;

/// Longest span that is looked at among those that are not found.
const WIDEST: usize = 12;

/// A tagger; see the module.
#[derive(Debug)]
pub struct CrfTagger {
    tags: Bioul,
    projection: (Tensor, Tensor), // (tags, input), (tags)
    transitions: Tensor,          // (tags, tags): from, to
    start: Tensor,                // (tags)
    end: Tensor,                  // (tags)
    fast: Option<(Linear, Crf)>,
}

impl CrfTagger {
    pub fn new(params: &mut Params, prefix: &str, input: i64, labels: usize) -> Result<Self> {
        let tags = Bioul::all(labels);
        let n = tags.len() as i64;
        let uniform = Init::Uniform(1.0 / (input as f64).sqrt());
        let mut get =
            |name: &str, shape: &[i64], init| params.get(&format!("{prefix}.{name}"), shape, init);
        let mut tagger = Self {
            tags,
            projection: (
                get("projection.weight", &[n, input], uniform)?,
                get("projection.bias", &[n], uniform)?,
            ),
            transitions: get("transitions", &[n, n], Init::XavierNormal)?,
            start: get("start", &[n], Init::Normal(1.0))?,
            end: get("end", &[n], Init::Normal(1.0))?,
            fast: None,
        };
        if params.is_fast() {
            let (weight, bias) = &tagger.projection;
            tagger.fast = Some((linear(weight, Some(bias))?, tagger.crf()?));
        }
        Ok(tagger)
    }

    fn crf(&self) -> Result<Crf> {
        let [start, end, transitions] = download_all([&self.start, &self.end, &self.transitions])?;
        Ok(Crf::new(self.tags.clone(), start, end, transitions))
    }

    /// Scores of the tags, (B, L, tags).
    pub fn logits(&self, x: &SequenceInput) -> Result<Tensor> {
        Ok(x.encoded.f_linear(&self.projection.0, Some(&self.projection.1))?)
    }

    /// Negative log-likelihood of the gold, summed over sequences. Gradients are in closed form, expected counts less
    /// those of the gold: LibTorch would record operations for every token.
    pub fn loss(&self, x: &SequenceInput, gold: &[GoldSpans]) -> Result<Tensor> {
        let logits = self.logits(x)?;
        let (_, length, n) = logits.size3()?;
        let (row, n) = ((length * n) as usize, n as usize);
        let scores = [&logits, &self.start, &self.end, &self.transitions];
        let [emissions, start, end, transitions] = download_all(scores)?;
        let chain = Chain::new(&start, &end, &transitions);
        let mut gradient = vec![0_f32; emissions.len()];
        let mut counts = Counts::new(n);
        let mut loss = 0.0;
        for (b, (&tokens, gold)) in x.padding.lengths.iter().zip(gold).enumerate() {
            if tokens == 0 {
                continue;
            }
            let cells = b * row..b * row + tokens * n;
            let (emissions, gradient) = (&emissions[cells.clone()], &mut gradient[cells]);
            let sums = chain.sums(emissions);
            chain.expect(&sums, 1.0, gradient, &mut counts);
            loss += sums.total;
            let path = self.tags.encode(tokens, &gold.spans);
            if gold.is_complete() {
                counts.follow(&path, -1.0, gradient);
                let emitted = emissions.chunks(n).zip(&path).map(|(row, &tag)| row[tag]);
                let moved = path.windows(2).map(|w| transitions[w[0] * n + w[1]]);
                let [first, last] = [path[0], path[tokens - 1]];
                let score = emitted.chain(moved).chain([start[first], end[last]]);
                loss -= score.map(f64::from).sum::<f64>();
            } else {
                let forbidden = self.forbidden(&path, gold);
                let allowed: Vec<f32> =
                    emissions.iter().zip(forbidden).map(|(e, f)| e + f).collect();
                let sums = chain.sums(&allowed);
                chain.expect(&sums, -1.0, gradient, &mut counts);
                loss -= sums.total;
            }
        }
        let floats = |counts: &[f64]| counts.iter().map(|&c| c as f32).collect::<Vec<f32>>();
        let [start, end] = [&counts.start, &counts.end].map(|c| host(&floats(c)));
        let moved = host(&floats(&counts.transitions))?;
        let gradients = upload([host(&gradient)?, start?, end?, moved], logits.device())?;
        // Linear in the scores: of the right gradients, then given the right value.
        let mut linear = Tensor::f_zeros([], (Kind::Float, logits.device()))?;
        for (scores, gradient) in scores.into_iter().zip(gradients) {
            linear = linear.f_add(&scores.f_reshape([-1])?.f_dot(&gradient)?)?;
        }
        Ok(linear.f_sub(&linear.detach())?.f_add_scalar(loss)?)
    }

    /// What to add to the logits of a sequence so that only tags count that agree with the gold, whose own are
    /// `path`: 0 or `FORBIDDEN`, (L, tags).
    fn forbidden(&self, path: &[usize], gold: &GoldSpans) -> Vec<f32> {
        let n = self.tags.len();
        let mut added = vec![FORBIDDEN; path.len() * n];
        let is_open = |tag: usize| match self.tags.tag(tag) {
            (TagPart::Outside, _) => true,
            (_, label) => gold.open.contains(&label),
        };
        for (t, (cell, &tag)) in added.chunks_mut(n).zip(path).enumerate() {
            let outside = self.tags.tag(tag).0 == TagPart::Outside;
            if outside && gold.unknown.iter().any(|s| s.first <= t && t < s.last) {
                cell.fill(0.0);
            } else if outside {
                (0..n).filter(|&t| is_open(t)).for_each(|t| cell[t] = 0.0);
            } else {
                cell[tag] = 0.0;
            }
        }
        added
    }

    /// The spans of each sequence with their probability, in text order.
    pub fn decode(&self, x: &SequenceInput) -> Result<Vec<Vec<ScoredSpan>>> {
        if let Some((projection, crf)) = &self.fast {
            return self.fast_decode(projection, crf, x);
        }
        self.by_sequence(x, Crf::spans)
    }

    /// Every span of each sequence, of up to `WIDEST` tokens, with its likeliest label, by the logarithm of its
    /// probability.
    pub fn likely(&self, x: &SequenceInput) -> Result<Vec<Vec<ScoredSpan>>> {
        self.by_sequence(x, |crf, emissions| crf.likely(emissions, WIDEST))
    }

    /// What the CRF makes of the emissions of each sequence, (tokens, tags).
    fn by_sequence<T>(
        &self,
        x: &SequenceInput,
        spans: impl Fn(&Crf, &[f32]) -> T,
    ) -> Result<Vec<T>> {
        let logits = self.logits(x)?;
        let (_, length, n) = logits.size3()?;
        let [start, end, transitions, logits] =
            download_all([&self.start, &self.end, &self.transitions, &logits])?;
        let crf = Crf::new(self.tags.clone(), start, end, transitions);
        let row = (length * n) as usize;
        let lengths = x.padding.lengths.iter().enumerate();
        Ok(lengths.map(|(b, t)| spans(&crf, &logits[b * row..][..t * n as usize])).collect())
    }

    fn fast_decode(
        &self,
        projection: &Linear,
        crf: &Crf,
        x: &SequenceInput,
    ) -> Result<Vec<Vec<ScoredSpan>>> {
        let (_, length, width) = x.encoded.size3()?;
        let (length, width) = (length as usize, width as usize);
        let encoded = x.encoded.f_contiguous()?;
        let encoded = values(&encoded)?;
        let mut emissions = Vec::new();
        let spans = |(b, &tokens): (usize, &usize)| {
            let starts: Vec<usize> = (0..tokens).map(|t| (b * length + t) * width).collect();
            let logits = projection.forward(Rows { data: encoded, starts: &starts });
            emissions.clear();
            let rows = logits.chunks(projection.width());
            rows.for_each(|row| emissions.extend_from_slice(&row[..self.tags.len()]));
            crf.spans(&emissions)
        };
        Ok(x.padding.lengths.iter().enumerate().map(spans).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tch::Device;

    use super::*;
    use crate::Span;
    use crate::feature::Padding;

    const LABELS: usize = 2;
    const WIDTH: i64 = 5;

    /// Sentences of 4, 1 and 3 tokens, and a tagger.
    fn set_up() -> (CrfTagger, Params, SequenceInput) {
        tch::manual_seed(5);
        let mut params = Params::random(Device::Cpu);
        let tagger = CrfTagger::new(&mut params, "t", WIDTH, LABELS).unwrap();
        let encoded = Tensor::randn([3, 4, WIDTH], (Kind::Float, Device::Cpu)) * 3.0;
        let padding = Padding::new(vec![4, 1, 3], Device::Cpu).unwrap();
        (tagger, params, SequenceInput { padding, encoded })
    }

    /// The value of a loss and its gradients by name.
    fn learned(params: &mut Params, loss: &Tensor) -> (f64, BTreeMap<String, Tensor>) {
        params.zero_grad();
        loss.backward();
        let copy = |(name, t): (&str, &Tensor)| (name.to_owned(), t.grad().copy());
        (f64::try_from(loss).unwrap(), params.trainable().map(copy).collect())
    }

    /// Log of the summed exponents of all tag sequences' scores, summed over sequences, by operations that LibTorch
    /// knows the gradients of.
    fn log_total(tagger: &CrfTagger, x: &SequenceInput, logits: &Tensor) -> Tensor {
        let mask = x.padding.mask.to_kind(Kind::Bool);
        let mut sums = logits.select(1, 0) + &tagger.start;
        for at in 1..logits.size()[1] {
            let pairs = sums.unsqueeze(2) + tagger.transitions.unsqueeze(0); // (B, from, to)
            let next = pairs.logsumexp(1, false) + logits.select(1, at);
            sums = next.where_self(&mask.narrow(1, at, 1), &sums);
        }
        (sums + &tagger.end).logsumexp(1, false).sum(Kind::Float)
    }

    /// What to add to logits, (B, L, tags).
    fn forbidden(tagger: &CrfTagger, x: &SequenceInput, gold: &[GoldSpans]) -> Tensor {
        let length = x.padding.length();
        let rows = x.padding.lengths.iter().zip(gold).flat_map(|(&tokens, gold)| {
            let path = tagger.tags.encode(tokens, &gold.spans);
            let mut row = tagger.forbidden(&path, gold);
            row.resize(length * tagger.tags.len(), 0.0);
            row
        });
        let rows: Vec<f32> = rows.collect();
        Tensor::from_slice(&rows).view([-1, length as i64, tagger.tags.len() as i64])
    }

    fn same_as_torch(gold: &[GoldSpans]) {
        let (tagger, mut params, x) = set_up();
        let (loss, gradients) = learned(&mut params, &tagger.loss(&x, gold).unwrap());
        let logits = tagger.logits(&x).unwrap();
        let allowed = &logits + forbidden(&tagger, &x, gold);
        let torch = log_total(&tagger, &x, &logits) - log_total(&tagger, &x, &allowed);
        let (torch, of_torch) = learned(&mut params, &torch);
        assert!((loss - torch).abs() < 1e-4, "{loss} {torch}");
        for (name, gradient) in gradients {
            let apart = f64::try_from((&gradient - &of_torch[&name]).abs().max()).unwrap();
            assert!(apart < 1e-4, "{name}: {apart}");
            assert!(f64::try_from(gradient.abs().max()).unwrap() > 1e-3, "{name}");
        }
    }

    #[test]
    fn losses_and_gradients_equal_those_of_libtorch() {
        let spans =
            [vec![(Span::new(1, 3), 0), (Span::new(3, 4), 1)], vec![], vec![(Span::new(0, 3), 1)]];
        let complete = spans.map(GoldSpans::from);
        same_as_torch(&complete);
        let mut partial = complete;
        partial[0].open = vec![1];
        partial[1].unknown = vec![Span::new(0, 1)];
        same_as_torch(&partial);
    }
}
