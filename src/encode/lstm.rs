//! [`BiLstm`]: a stacked bidirectional LSTM over padded sequences.
//!
//! Equal to a packed sequence, and faster on a CPU: each direction is a plain `lstm` over padded
//! input, which oneDNN runs, the backward one over sequences that were reversed in place so that
//! their padding stays at the end. Where weights do not change any more, [`cpu::Lstm`] does the same
//! in less time.

use tch::Tensor;

use crate::dropout::Dropout as _;
use crate::embed::Distinct;
use crate::feature::Padding;
use crate::params::{Init, Params};
use crate::{Result, cpu};

/// An encoder; parameters are named as in `torch.nn.LSTM`.
#[derive(Debug)]
pub struct BiLstm {
    layers: Vec<[Vec<Tensor>; 2]>, // forward, backward: weight_ih, weight_hh, bias_ih, bias_hh
    fast: Option<Vec<cpu::Lstm>>,
    hidden: i64,
    dropout: f64,
}

/// Sizes of an encoder, its dropout between layers and how it starts.
#[derive(Clone, Copy, Debug)]
pub struct LstmShape {
    pub input: i64,
    pub hidden: i64,
    pub layers: i64,
    pub dropout: f64,
    /// Xavier-normal input weights and orthogonal recurrent ones instead of PyTorch's uniform.
    pub orthogonal: bool,
}

impl BiLstm {
    /// `shared` is how many of the first columns of the input distinct words may give.
    pub fn new(params: &mut Params, prefix: &str, shape: LstmShape, shared: i64) -> Result<Self> {
        let LstmShape { input, hidden, layers, dropout, orthogonal } = shape;
        let uniform = Init::Uniform(1.0 / (hidden as f64).sqrt());
        let (input_init, recurrent_init) =
            if orthogonal { (Init::XavierNormal, Init::Orthogonal) } else { (uniform, uniform) };
        let mut stack = Vec::new();
        for layer in 0..layers {
            let width = if layer == 0 { input } else { 2 * hidden };
            let mut direction = |suffix: &str| -> Result<Vec<Tensor>> {
                let mut get = |name: &str, shape: &[i64], init| {
                    params.get(&format!("{prefix}.{name}_l{layer}{suffix}"), shape, init)
                };
                Ok(vec![
                    get("weight_ih", &[4 * hidden, width], input_init)?,
                    get("weight_hh", &[4 * hidden, hidden], recurrent_init)?,
                    get("bias_ih", &[4 * hidden], uniform)?,
                    get("bias_hh", &[4 * hidden], uniform)?,
                ])
            };
            stack.push([direction("")?, direction("_reverse")?]);
        }
        let fast = |(at, layer): (usize, &[Vec<Tensor>; 2])| -> Result<cpu::Lstm> {
            let [ahead, back] = layer.each_ref().map(|d| cpu::LstmWeights::new(d));
            let (shared, own) = if at == 0 { (shared, input - shared) } else { (0, 2 * hidden) };
            Ok(cpu::Lstm::new([ahead?, back?], [shared, own].map(|n| n as usize), hidden as usize))
        };
        let fast = params.is_fast().then(|| stack.iter().enumerate().map(fast).collect());
        Ok(Self { fast: fast.transpose()?, layers: stack, hidden, dropout })
    }

    /// Columns of the output.
    pub fn width(&self) -> i64 {
        2 * self.hidden
    }

    /// (B, L, input) to (B, L, 2 * hidden), zero at padding. `distinct` may have the first columns of the input
    /// once for each word.
    pub fn forward(
        &self,
        padding: &Padding,
        x: &Tensor,
        distinct: Option<&Distinct>,
        train: bool,
    ) -> Result<Tensor> {
        if let (Some(layers), false) = (&self.fast, train) {
            return self.fast_forward(layers, padding, x, distinct);
        }
        let rows = x.size()[0];
        let zero = Tensor::f_zeros([1, rows, self.hidden], (x.kind(), x.device()))?;
        let run = |x: &Tensor, weights: &[Tensor]| -> Result<Tensor> {
            let state = [zero.shallow_clone(), zero.shallow_clone()];
            Ok(x.f_lstm::<Tensor>(&state, weights, true, 1, 0.0, train, false, true)?.0)
        };
        let mut x = x.shallow_clone();
        for (at, [forward, backward]) in self.layers.iter().enumerate() {
            if at > 0 {
                x = x.dropped(self.dropout, train)?;
            }
            let ahead = run(&x, forward)?;
            let back = padding.reverse(&run(&padding.reverse(&x)?, backward)?)?;
            x = Tensor::f_cat(&[ahead, back], 2)?; // (B, L, 2 * hidden)
        }
        padding.masked(&x)
    }

    fn fast_forward(
        &self,
        layers: &[cpu::Lstm],
        padding: &Padding,
        x: &Tensor,
        distinct: Option<&Distinct>,
    ) -> Result<Tensor> {
        let (rows, length, _) = x.size3()?;
        let places = padding.lengths.iter().enumerate();
        let sequences: Vec<_> =
            places.map(|(b, n)| b * length as usize..b * length as usize + n).collect();
        let shared = match distinct {
            Some(distinct) => Some((cpu::values(&distinct.rows)?, distinct.index.as_slice())),
            None => None,
        };
        let mut x = x.f_contiguous()?;
        for (at, layer) in layers.iter().enumerate() {
            let input = cpu::LstmInput {
                rows: cpu::values(&x)?,
                shared: shared.filter(|_| at == 0),
                sequences: &sequences,
            };
            let shape = [rows, length, self.width()];
            x = cpu::tensor(&shape, |out| layer.forward(&input, out))?;
        }
        Ok(x)
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn a_padded_batch_equals_torch_one_sequence_at_a_time() {
        tch::manual_seed(1);
        let mut params = Params::random(Device::Cpu);
        let shape = LstmShape { input: 5, hidden: 4, layers: 2, dropout: 0.0, orthogonal: false };
        let lstm = BiLstm::new(&mut params, "e", shape, 0).unwrap();
        let lengths = vec![1, 7, 3];
        let padding = Padding::new(lengths.clone(), Device::Cpu).unwrap();
        // The first three columns are those of five words.
        let index: Vec<usize> = (0..21).map(|at| at * 3 % 5).collect();
        let rows = Tensor::randn([5, 3], (Kind::Float, Device::Cpu));
        let ids: Vec<i64> = index.iter().map(|&word| word as i64).collect();
        let shared = rows.index_select(0, &Tensor::from_slice(&ids)).view([3, 7, 3]);
        let own = Tensor::randn([3, 7, 2], (Kind::Float, Device::Cpu));
        let x = Tensor::cat(&[shared, own], 2);
        let ours = lstm.forward(&padding, &x, None, false).unwrap();
        let mut loaded = Params::loaded(params.snapshot(), Device::Cpu);
        let fast = BiLstm::new(&mut loaded, "e", shape, 3).unwrap();
        let distinct = Distinct { rows, index };
        for distinct in [None, Some(&distinct)] {
            let fast = fast.forward(&padding, &x, distinct, false).unwrap();
            assert!(f64::try_from((fast - &ours).abs().max()).unwrap() < 1e-5);
        }
        let weights: Vec<&Tensor> = lstm.layers.iter().flatten().flatten().collect();
        let state = Tensor::zeros([4, 1, 4], (Kind::Float, Device::Cpu));
        for (b, n) in lengths.into_iter().enumerate() {
            let n = n as i64;
            let alone = x.narrow(0, b as i64, 1).narrow(1, 0, n);
            let (torch, _, _) =
                alone.lstm(&[&state, &state], &weights, true, 2, 0.0, false, true, true);
            let padded = ours.get(b as i64);
            let difference = (padded.narrow(0, 0, n) - torch.squeeze_dim(0)).abs().max();
            assert!(f64::try_from(difference).unwrap() < 1e-5);
            assert_eq!(
                f64::try_from(padded.narrow(0, n, 7 - n).abs().sum(Kind::Float)).unwrap(),
                0.0
            );
        }
    }
}
