//! [`Stack`]: LSTMs with projections, one on the other, in one direction (Sak et al. 2014).
//!
//! `[i, j, f, o] = W [x_t; h_{t-1}] + b`,
//! `c_t = clip(sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(j))`,
//! `h_t = clip(P (sigmoid(o) * tanh(c_t)))`, and with skip connections every layer but the first adds
//! its input to its output.
//!
//! The clips are why the steps are a loop here and not LibTorch's own.

use tch::Tensor;

use super::Maker;
use crate::Result;
use crate::config::ElmoLstmOptions;
use crate::params::Init;

/// Words whose inputs are multiplied at once: a gate's row has thousands of columns.
const MAX_CELLS: i64 = 1 << 10;

/// One direction; see the module.
#[derive(Debug)]
pub(super) struct Stack {
    layers: Vec<Layer>,
    skips: bool,
}

#[derive(Debug)]
struct Layer {
    weight: Tensor,     // (4 * memory, input + output)
    bias: Tensor,       // (4 * memory), what is added to f included
    projection: Tensor, // (output, memory)
    cell_clip: Option<f64>,
    output_clip: Option<f64>,
}

impl Stack {
    pub(super) fn new(name: &str, options: &ElmoLstmOptions, make: &mut Maker) -> Result<Self> {
        let (memory, output) = (options.dim, options.projection_dim);
        let init = Init::Uniform(1.0 / (memory as f64).sqrt());
        let mut layers = Vec::new();
        for at in 0..options.n_layers {
            let mut get = |part: &str, shape: &[i64]| {
                make.get(&format!("{name}.layer{at}.{part}"), shape, init)
            };
            layers.push(Layer {
                weight: get("weight", &[4 * memory, 2 * output])?,
                bias: get("bias", &[4 * memory])?,
                projection: get("projection", &[output, memory])?,
                cell_clip: options.cell_clip,
                output_clip: options.proj_clip,
            });
        }
        Ok(Self { layers, skips: options.use_skip_connections })
    }

    /// The output of each layer: (B, T, columns) each, as the input.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Vec<Tensor>> {
        let mut outputs: Vec<Tensor> = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let output = match outputs.last() {
                Some(input) if self.skips => layer.forward(input)?.f_add(input)?,
                Some(input) => layer.forward(input)?,
                None => layer.forward(x)?,
            };
            outputs.push(output);
        }
        Ok(outputs)
    }
}

impl Layer {
    /// (B, T, input) to (B, T, output)
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, length, input) = x.size3()?;
        let (output, memory) = self.projection.size2()?;
        let of_input = self.weight.f_narrow(1, 0, input)?;
        let of_output = self.weight.f_narrow(1, input, output)?.f_transpose(0, 1)?; // (output, 4 * memory)
        let zeros = |columns| Tensor::f_zeros([batch, columns], (x.kind(), x.device()));
        let (mut h, mut c) = (zeros(output)?, zeros(memory)?);
        let steps = (MAX_CELLS / batch.max(1)).max(1);
        let mut outputs = Vec::with_capacity(length as usize);
        for start in (0..length).step_by(steps as usize) {
            let inputs = x
                .f_narrow(1, start, steps.min(length - start))?
                .f_transpose(0, 1)?
                .f_contiguous()?
                .f_linear(&of_input, Some(&self.bias))?; // (steps, B, 4 * memory)
            for at in 0..inputs.size()[0] {
                let gates = inputs.f_select(0, at)?.f_addmm(&h, &of_output)?.f_chunk(4, 1)?;
                let [i, j, f, o] = gates.as_slice() else {
                    return Err(crate::Error::Internal("an LSTM without four gates".to_owned()));
                };
                let kept = f.f_sigmoid()?.f_mul(&c)?;
                let new = i.f_sigmoid()?.f_mul(&j.f_tanh()?)?;
                c = clipped(kept.f_add(&new)?, self.cell_clip)?; // (B, memory)
                let read = o.f_sigmoid()?.f_mul(&c.f_tanh()?)?;
                h = clipped(read.f_linear::<&Tensor>(&self.projection, None)?, self.output_clip)?;
                outputs.push(h.shallow_clone()); // (B, output)
            }
        }
        Ok(Tensor::f_stack(&outputs, 1)?)
    }
}

fn clipped(x: Tensor, most: Option<f64>) -> Result<Tensor> {
    Ok(match most {
        Some(most) => x.f_clamp(-most, most)?,
        None => x,
    })
}
