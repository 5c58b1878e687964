//! [`BiLstm`]: a stacked bidirectional LSTM over padded sequences.
//!
//! Equal to a packed sequence, and faster: each direction is a plain `lstm` over padded input, which
//! oneDNN or cuDNN runs, the backward one over sequences that were reversed in place so that their
//! padding stays at the end. (cuDNN takes three times as long for some hundred packed sequences.) Where
//! weights do not change any more, [`cpu::Lstm`] does the same in less time.

use tch::{Device, Tensor};

use crate::dropout::Dropout as _;
use crate::embed::TokenVectors;
use crate::engine::{helpers, share};
use crate::feature::Padding;
use crate::params::{Init, Params};
use crate::{Result, cpu};

/// So many are worth the waking of a worker that has nothing to do, which takes one of the directions.
const SHARED_TOKENS: usize = 100;

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
    /// `shared` is how many of the first columns of the input may come by word.
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
                let weights = vec![
                    get("weight_ih", &[4 * hidden, width], input_init)?,
                    get("weight_hh", &[4 * hidden, hidden], recurrent_init)?,
                    get("bias_ih", &[4 * hidden], uniform)?,
                    get("bias_hh", &[4 * hidden], uniform)?,
                ];
                if params.device() != Device::Cpu {
                    side_by_side(&weights, width, hidden)?;
                }
                Ok(weights)
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

    /// Multiplies the words with which a vocabulary begins, (words, columns by word), once for all times.
    pub fn remember(&mut self, words: &Tensor) -> Result<()> {
        if let Some(first) = self.fast.as_mut().and_then(|layers| layers.first_mut()) {
            first.remember(cpu::values(&words.f_contiguous()?)?);
        }
        Ok(())
    }

    /// Columns of the output.
    pub fn width(&self) -> i64 {
        2 * self.hidden
    }

    /// (B, L, input) to (B, L, 2 * hidden), zero at padding.
    pub fn forward(&self, padding: &Padding, x: &TokenVectors, train: bool) -> Result<Tensor> {
        if let (Some(layers), false) = (&self.fast, train) {
            let tokens: usize = padding.lengths.iter().sum();
            let is_shared = tokens >= SHARED_TOKENS && helpers() > 0;
            return self.fast_forward(layers, padding, x, is_shared);
        }
        // Embedders may compute in less precision.
        let mut x = x.whole()?.f_to_kind(self.layers[0][0][0].kind())?;
        let rows = x.size()[0];
        let zero = Tensor::f_zeros([1, rows, self.hidden], (x.kind(), x.device()))?;
        let run = |x: &Tensor, weights: &[Tensor]| -> Result<Tensor> {
            let state = [zero.shallow_clone(), zero.shallow_clone()];
            Ok(x.f_lstm::<Tensor>(&state, weights, true, 1, 0.0, train, false, true)?.0)
        };
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

    /// Where it is shared, a worker that has nothing to do may take the way back.
    fn fast_forward(
        &self,
        layers: &[cpu::Lstm],
        padding: &Padding,
        x: &TokenVectors,
        is_shared: bool,
    ) -> Result<Tensor> {
        let (rows, length) = (padding.lengths.len(), padding.length());
        let places = padding.lengths.iter().enumerate();
        let sequences: Vec<_> = places.map(|(b, n)| b * length..b * length + n).collect();
        let shape = [rows as i64, length as i64, self.width()];
        let mut x = x.contiguous()?;
        for layer in layers {
            let input = x.input()?;
            let encoded = if is_shared {
                let shape = [shape[0], shape[1], self.hidden];
                let way = |at| {
                    cpu::tensor(&shape, |out| {
                        layer.forward_one_way(at > 0, &input, &sequences, out);
                    })
                };
                Tensor::f_cat(&share(2, way)?, 2)?
            } else {
                cpu::tensor(&shape, |out| layer.forward(&input, &sequences, out))?
            };
            x = TokenVectors::Whole(encoded);
        }
        x.whole()
    }
}

/// Gives the weights of a direction one block of memory, as cuDNN wants them; it would copy them together at every
/// call, and LibTorch print a warning.
fn side_by_side(weights: &[Tensor], input: i64, hidden: i64) -> Result<()> {
    const LSTM: i64 = 2; // `CUDNN_LSTM`
    if Tensor::f_internal_use_cudnn_rnn_flatten_weight()? {
        let _guard = tch::no_grad_guard();
        // The tensors become parts of the block, which lives as long as one of them.
        let _ = Tensor::f_internal_cudnn_rnn_flatten_weight(
            weights, 4, input, LSTM, hidden, 0, 1, true, false,
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::embed::ByWord;

    #[test]
    fn a_padded_batch_equals_torch_one_sequence_at_a_time() {
        tch::manual_seed(1);
        let mut params = Params::random(Device::Cpu);
        let shape = LstmShape { input: 5, hidden: 4, layers: 2, dropout: 0.0, orthogonal: false };
        let lstm = BiLstm::new(&mut params, "e", shape, 0).unwrap();
        let lengths = vec![1, 7, 3];
        let padding = Padding::new(lengths.clone(), Device::Cpu).unwrap();
        // The first three columns are those of five words.
        let index: Vec<i64> = (0..21).map(|at| at * 3 % 5).collect();
        let words = Tensor::randn([5, 3], (Kind::Float, Device::Cpu));
        let own = Some(Tensor::randn([3, 7, 2], (Kind::Float, Device::Cpu)));
        let listed = vec![None, Some(1), Some(9), Some(0), None].into();
        // Two of the words are those with which the vocabulary begins.
        let first = words.index_select(0, &Tensor::from_slice(&[3_i64, 1]));
        let by_word =
            TokenVectors::ByWord(ByWord { words, index: index.into(), listed, shape: [3, 7], own });
        let x = by_word.whole().unwrap();
        let whole = TokenVectors::Whole(x.shallow_clone());
        let ours = lstm.forward(&padding, &whole, false).unwrap();
        let mut loaded = Params::loaded(params.snapshot(), Device::Cpu);
        let mut fast = BiLstm::new(&mut loaded, "e", shape, 3).unwrap();
        for x in [&whole, &by_word] {
            let fast = fast.forward(&padding, x, false).unwrap();
            assert!(f64::try_from((fast - &ours).abs().max()).unwrap() < 1e-5);
        }
        let layers = fast.fast.as_ref().unwrap();
        let [shared, alone] = [true, false]
            .map(|is_shared| fast.fast_forward(layers, &padding, &by_word, is_shared).unwrap());
        assert_eq!(shared, alone);
        let before = fast.forward(&padding, &by_word, false).unwrap();
        fast.remember(&first).unwrap();
        assert_eq!(fast.forward(&padding, &by_word, false).unwrap(), before);
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
