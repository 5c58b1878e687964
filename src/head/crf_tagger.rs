//! [`CrfTagger`]: flat spans as BIOUL tags under a linear-chain CRF (Lample et al. 2016), as in
//! the taggers of the 2018 model.
//!
//! The loss is the summed negative log-likelihood over all tag sequences; only decoding knows
//! which sequences BIOUL allows. Where gold leaves something open, the likelihood is that of all
//! the tag sequences that agree with it (Tsuboi et al., COLING 2008).

use tch::{Device, Kind, Tensor};

use super::fast::linear;
use super::{GoldSpans, SequenceInput};
use crate::Result;
use crate::cpu::{Linear, Rows, values};
use crate::decode::{Chain, Counts, Crf, ScoredSpan};
use crate::feature::{Bioul, TagPart};
use crate::params::{Init, Params};
use crate::transfer::{download_all, host, upload_values};

/// Far below any score, and small enough that sums of it stay exact where it does not enter.
const FORBIDDEN: f32 = -1e5;

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

    /// Negative log-likelihood of the gold, summed over sequences.
    pub fn loss(&self, x: &SequenceInput, gold: &[GoldSpans]) -> Result<Tensor> {
        let logits = self.logits(x)?;
        let open = gold.iter().any(|g| !g.is_complete());
        if logits.device() == Device::Cpu {
            return self.cpu_loss(x, &logits, gold, open);
        }
        let total = self.log_total(x, &logits)?;
        let of_gold = if open {
            self.log_total(x, &logits.f_add(&self.forbidden(x, &logits, gold)?)?)?
        } else {
            self.gold_score(x, &logits, gold)?
        };
        Ok(total.f_sub(&of_gold)?)
    }

    /// The same with the gradients in closed form, expected counts less those of the gold: LibTorch would record an
    /// operation for every token.
    fn cpu_loss(
        &self,
        x: &SequenceInput,
        logits: &Tensor,
        gold: &[GoldSpans],
        open: bool,
    ) -> Result<Tensor> {
        let (_, length, n) = logits.size3()?;
        let (row, n) = ((length * n) as usize, n as usize);
        let detached =
            [logits, &self.start, &self.end, &self.transitions].map(|t| t.detach().f_contiguous());
        let [emissions, start, end, transitions] = detached;
        let (emissions, start, end, transitions) = (emissions?, start?, end?, transitions?);
        let emissions = values(&emissions)?;
        let chain = Chain::new(values(&start)?, values(&end)?, values(&transitions)?);
        let forbidden = if open { Some(self.forbidden(x, logits, gold)?) } else { None };
        let forbidden = forbidden.as_ref().map(values).transpose()?;

        let mut gradient = vec![0_f32; emissions.len()];
        let mut counts = Counts::new(n);
        let mut loss = 0.0;
        for (b, &tokens) in x.padding.lengths.iter().enumerate() {
            let cells = b * row..b * row + tokens * n;
            let sums = chain.sums(&emissions[cells.clone()]);
            chain.expect(&sums, 1.0, &mut gradient[cells.clone()], &mut counts);
            loss += sums.total;
            if let Some(forbidden) = forbidden {
                let allowed = emissions[cells.clone()].iter().zip(&forbidden[cells.clone()]);
                let allowed: Vec<f32> = allowed.map(|(e, f)| e + f).collect();
                let sums = chain.sums(&allowed);
                chain.expect(&sums, -1.0, &mut gradient[cells], &mut counts);
                loss -= sums.total;
            }
        }
        let floats = |counts: &[f64]| counts.iter().map(|&c| c as f32).collect::<Vec<f32>>();
        let (start, end) = (floats(&counts.start), floats(&counts.end));
        let moved = floats(&counts.transitions);
        let with = |scores: &Tensor, gradient: &[f32]| -> Result<Tensor> {
            let gradient = host(gradient)?.f_view_as(scores)?;
            Ok(scores.f_mul(&gradient)?.f_sum(Kind::Float)?)
        };
        // Linear in the scores: of the right gradients, then given the right value.
        let mut linear = with(logits, &gradient)?
            .f_add(&with(&self.start, &start)?)?
            .f_add(&with(&self.end, &end)?)?
            .f_add(&with(&self.transitions, &moved)?)?;
        if !open {
            let score = self.gold_score(x, logits, gold)?;
            loss -= f64::try_from(&score.detach())?;
            linear = linear.f_sub(&score)?;
        }
        let value = loss - f64::try_from(&linear.detach())?;
        Ok(linear.f_add_scalar(value)?)
    }

    /// What to add to logits so that only tags that agree with the gold count: 0 or `FORBIDDEN`,
    /// (B, L, tags).
    fn forbidden(&self, x: &SequenceInput, logits: &Tensor, gold: &[GoldSpans]) -> Result<Tensor> {
        let (_, length, n) = logits.size3()?;
        let (row, n) = ((length * n) as usize, n as usize);
        let mut added = vec![FORBIDDEN; row * gold.len()];
        for (b, (&tokens, gold)) in x.padding.lengths.iter().zip(gold).enumerate() {
            let tags = self.tags.encode(tokens, &gold.spans);
            let is_open = |tag: usize| match self.tags.tag(tag) {
                (TagPart::Outside, _) => true,
                (_, label) => gold.open.contains(&label),
            };
            for (t, &tag) in tags.iter().enumerate() {
                let cell = &mut added[b * row + t * n..][..n];
                let outside = self.tags.tag(tag).0 == TagPart::Outside;
                if outside && gold.unknown.iter().any(|s| s.first <= t && t < s.last) {
                    cell.fill(0.0);
                } else if outside {
                    (0..n).filter(|&t| is_open(t)).for_each(|t| cell[t] = 0.0);
                } else {
                    cell[tag] = 0.0;
                }
            }
        }
        upload_values(&added, &logits.size(), logits.device())
    }

    /// Log of the summed exponents of all tag sequences' scores, summed over sequences.
    fn log_total(&self, x: &SequenceInput, logits: &Tensor) -> Result<Tensor> {
        let (_, length, _) = logits.size3()?;
        let transitions = self.transitions.f_unsqueeze(0)?;
        let mask = x.padding.mask.f_to_kind(Kind::Bool)?;
        // One split: the gradient of each slice alone would be as large as all of them.
        let emitted = logits.f_unbind(1)?; // L x (B, tags)
        let mut sums = emitted[0].f_add(&self.start)?;
        for at in 1..length {
            let next = sums
                .f_unsqueeze(2)?
                .f_add(&transitions)? // (B, from, to)
                .f_logsumexp(1, false)?
                .f_add(&emitted[at as usize])?;
            sums = next.f_where_self(&mask.f_narrow(1, at, 1)?, &sums)?;
        }
        Ok(sums.f_add(&self.end)?.f_logsumexp(1, false)?.f_sum(Kind::Float)?)
    }

    /// Scores of the gold tag sequences, summed.
    fn gold_score(&self, x: &SequenceInput, logits: &Tensor, gold: &[GoldSpans]) -> Result<Tensor> {
        let (_, length, n) = logits.size3()?;
        let (length, n) = (length as usize, n as usize);
        let (mut emitted, mut moved, mut starts, mut ends) = (vec![], vec![], vec![], vec![]);
        for (b, (&tokens, gold)) in x.padding.lengths.iter().zip(gold).enumerate() {
            let tags = self.tags.encode(tokens, &gold.spans);
            emitted.extend(
                tags.iter().enumerate().map(|(t, tag)| ((b * length + t) * n + tag) as i64),
            );
            moved.extend(tags.windows(2).map(|w| (w[0] * n + w[1]) as i64));
            starts.extend(tags.first().map(|&t| t as i64));
            ends.extend(tags.last().map(|&t| t as i64));
        }
        let picked = |scores: &Tensor, index: &[i64]| -> Result<Tensor> {
            let index = upload_values(index, &[-1], scores.device())?;
            Ok(scores.f_reshape([-1])?.f_index_select(0, &index)?.f_sum(Kind::Float)?)
        };
        Ok(picked(logits, &emitted)?
            .f_add(&picked(&self.transitions, &moved)?)?
            .f_add(&picked(&self.start, &starts)?)?
            .f_add(&picked(&self.end, &ends)?)?)
    }

    /// The spans of each sequence with their probability, in text order.
    pub fn decode(&self, x: &SequenceInput) -> Result<Vec<Vec<ScoredSpan>>> {
        if let Some((projection, crf)) = &self.fast {
            return self.fast_decode(projection, crf, x);
        }
        let logits = self.logits(x)?;
        let (_, length, n) = logits.size3()?;
        let [start, end, transitions, logits] =
            download_all([&self.start, &self.end, &self.transitions, &logits])?;
        let crf = Crf::new(self.tags.clone(), start, end, transitions);
        let row = (length * n) as usize;
        let lengths = x.padding.lengths.iter().enumerate();
        Ok(lengths
            .map(|(b, tokens)| crf.spans(&logits[b * row..][..tokens * n as usize]))
            .collect())
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

    use super::*;
    use crate::Span;
    use crate::feature::Padding;

    const LABELS: usize = 2;
    const WIDTH: i64 = 5;

    /// Sentences of 4, 1 and 3 tokens, and a tagger, from the same seed every time.
    fn set_up() -> (CrfTagger, Params, SequenceInput) {
        tch::manual_seed(5);
        let mut params = Params::random(Device::Cpu);
        let tagger = CrfTagger::new(&mut params, "t", WIDTH, LABELS).unwrap();
        let encoded = Tensor::randn([3, 4, WIDTH], (Kind::Float, Device::Cpu)) * 3.0;
        let padding = Padding::new(vec![4, 1, 3], Device::Cpu).unwrap();
        (tagger, params, SequenceInput { padding, encoded })
    }

    /// A loss and its gradients by name.
    fn learned(
        loss: impl Fn(&CrfTagger, &SequenceInput) -> Tensor,
    ) -> (f64, BTreeMap<String, Tensor>) {
        let (tagger, params, x) = set_up();
        let loss = loss(&tagger, &x);
        loss.backward();
        let gradients = params.trainable().map(|(name, t)| (name.to_owned(), t.grad())).collect();
        (f64::try_from(&loss).unwrap(), gradients)
    }

    fn same_as_torch(gold: &[GoldSpans]) {
        let (loss, gradients) = learned(|tagger, x| tagger.loss(x, gold).unwrap());
        let (torch, of_torch) = learned(|tagger, x| {
            let logits = tagger.logits(x).unwrap();
            let allowed = &logits + tagger.forbidden(x, &logits, gold).unwrap();
            tagger.log_total(x, &logits).unwrap() - tagger.log_total(x, &allowed).unwrap()
        });
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
