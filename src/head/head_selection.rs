//! [`HeadSelection`]: relations between tokens of a sentence (multi-head selection, Bekoulis et
//! al. 2018, without entity embeddings), as in the 2018 model.
//!
//! `logits[i, j] = V^T relu(h_i U + h_j W + b)`, where `i` and `j` are the last tokens of the two
//! arguments; labels are independent.

use tch::{Kind, Tensor};

use super::{GoldRelations, SequenceInput};
use crate::Result;
use crate::params::{Init, Params};
use crate::transfer::{download, upload_values};

/// Pairs of tokens scored at a time when annotating: bounds memory on long sequences.
const PAIRS: i64 = 1 << 18;

/// A relation head over tokens; see the module.
#[derive(Debug)]
pub struct HeadSelection {
    first: Tensor,  // U: (input, hidden)
    second: Tensor, // W: (input, hidden)
    bias: Tensor,   // (hidden)
    output: Tensor, // V: (hidden, labels)
    threshold: f64,
    mean_over_padding: bool,
}

/// A relation between two tokens of a sequence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenRelation {
    pub head: usize,
    pub tail: usize,
    pub label: usize,
    pub score: f32,
}

impl HeadSelection {
    pub fn new(
        params: &mut Params,
        prefix: &str,
        input: i64,
        hidden: i64,
        labels: usize,
        threshold: f64,
        mean_over_padding: bool,
    ) -> Result<Self> {
        let mut get =
            |name: &str, shape: &[i64], init| params.get(&format!("{prefix}.{name}"), shape, init);
        Ok(Self {
            first: get("first", &[input, hidden], Init::KaimingNormal)?,
            second: get("second", &[input, hidden], Init::KaimingNormal)?,
            bias: get("bias", &[hidden], Init::Normal(1.0))?,
            output: get("output", &[hidden, labels as i64], Init::KaimingNormal)?,
            threshold,
            mean_over_padding,
        })
    }

    /// Logits of the rows `from..from + count` of all pairs: (B, count, L, labels).
    fn logits(&self, x: &SequenceInput, from: i64, count: i64) -> Result<Tensor> {
        let first = x.encoded.f_narrow(1, from, count)?.f_matmul(&self.first)?.f_unsqueeze(2)?;
        let second = x.encoded.f_matmul(&self.second)?.f_add(&self.bias)?.f_unsqueeze(1)?;
        Ok(first.f_add(&second)?.f_relu()?.f_matmul(&self.output)?)
    }

    /// 100 times the mean binary cross-entropy over pairs and labels. `gold` holds
    /// head token, tail token and label.
    pub fn loss(&self, x: &SequenceInput, gold: &[GoldRelations]) -> Result<Tensor> {
        let (batch, length, _) = x.encoded.size3()?;
        let labels = self.output.size()[1];
        let device = x.encoded.device();
        let (rows, n) = (length as usize, labels as usize);
        let mut target = vec![0_f32; batch as usize * rows * rows * n];
        for (b, gold) in gold.iter().enumerate() {
            for &(head, tail, label) in &gold.relations {
                target[((b * rows + head) * rows + tail) * n + label] = 1.0;
            }
        }
        let shape = [batch, length, length, labels];
        let target = upload_values(&target, &shape, device)?;
        let mask = x
            .padding
            .mask
            .f_unsqueeze(2)?
            .f_mul(&x.padding.mask.f_unsqueeze(1)?)?
            .f_unsqueeze(3)?;
        let known: Vec<f32> = gold
            .iter()
            .flat_map(|gold| (0..n).map(|label| f32::from(!gold.open.contains(&label))))
            .collect();
        // Of a label that was not looked for, only the relations that are there teach.
        let known = upload_values(&known, &[batch, 1, 1, labels], device)?.f_maximum(&target)?;
        // A padded cell scores 0 for target 0: a constant log 2, part of the mean in 2018.
        let losses = self
            .logits(x, 0, length)?
            .f_mul(&mask)?
            .f_binary_cross_entropy_with_logits::<Tensor>(
                &target,
                None,
                None,
                tch::Reduction::None,
            )?
            .f_mul(&known)?;
        let loss = if self.mean_over_padding {
            losses.f_mean(Kind::Float)?
        } else {
            losses
                .f_mul(&mask)?
                .f_sum(Kind::Float)?
                .f_div(&mask.f_sum(Kind::Float)?.f_mul_scalar(labels)?.f_clamp_min(1)?)?
        };
        Ok(loss.f_mul_scalar(100.0)?)
    }

    /// Probabilities of all pairs, (B, L, L, labels).
    pub fn probabilities(&self, x: &SequenceInput) -> Result<Tensor> {
        Ok(self.logits(x, 0, x.encoded.size()[1])?.f_sigmoid()?)
    }

    /// The pairs and labels of each sequence whose probability is above the threshold.
    pub fn decode(&self, x: &SequenceInput) -> Result<Vec<Vec<TokenRelation>>> {
        let (batch, length, _) = x.encoded.size3()?;
        let labels = self.output.size()[1] as usize;
        let rows = (PAIRS / (batch * length).max(1)).max(1);
        let mut found = vec![Vec::new(); x.padding.lengths.len()];
        for from in (0..length).step_by(rows as usize) {
            let count = rows.min(length - from);
            let scores = download::<f32>(&self.logits(x, from, count)?.f_sigmoid()?)?;
            for (b, &tokens) in x.padding.lengths.iter().enumerate() {
                for head in from as usize..tokens.min((from + count) as usize) {
                    let row =
                        (b * count as usize + head - from as usize) * length as usize * labels;
                    for (at, &score) in scores[row..row + tokens * labels].iter().enumerate() {
                        if f64::from(score) > self.threshold {
                            let (tail, label) = (at / labels, at % labels);
                            found[b].push(TokenRelation { head, tail, label, score });
                        }
                    }
                }
            }
        }
        Ok(found)
    }
}
