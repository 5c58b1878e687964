//! [`Characters`]: a word's vector from its bytes (Kim et al. 2016).
//!
//! `P highway(...(highway(activation(max_t (W_w [c_t; ...; c_{t+w-1}] + b_w)))))` over filters of
//! several widths `w`, with `highway(x) = g * relu(A x + a) + (1 - g) * x`, `g = sigmoid(C x + c)`.
//!
//! All words have the same length, so that windows over what fills them take part in the maximum;
//! windows over nothing else are all equal, and one stands for them.

use tch::Tensor;

use super::Maker;
use crate::Result;
use crate::config::{ElmoActivation, ElmoOptions};
use crate::feature::{ELMO_CHARACTERS, ELMO_FILL, ElmoBatch};
use crate::params::Init;

type Linear = (Tensor, Tensor); // (out, in), (out)

/// A character network; see the module.
#[derive(Debug)]
pub(super) struct Characters {
    table: Tensor,                       // (characters, size)
    filters: Vec<(i64, Tensor, Tensor)>, // width, (filters, size, width), (filters)
    activation: ElmoActivation,
    highways: Vec<(Linear, Linear)>, // the transform and its gate
    projection: Linear,
    /// Characters of every word, the fill included.
    length: i64,
}

fn linear(make: &mut Maker, name: &str, out: i64, input: i64) -> Result<Linear> {
    let weight = make.get(&format!("{name}.weight"), &[out, input], Init::XavierUniform)?;
    Ok((weight, make.get(&format!("{name}.bias"), &[out], Init::Zeros)?))
}

impl Characters {
    pub(super) fn new(options: &ElmoOptions, make: &mut Maker) -> Result<Self> {
        let cnn = &options.char_cnn;
        let (size, all) = (cnn.embedding.dim, options.filters());
        let table = make.get("chars.weight", &[ELMO_CHARACTERS, size], Init::XavierUniform)?;
        let mut filters = Vec::new();
        for (i, &(width, count)) in cnn.filters.iter().enumerate() {
            let init = Init::Uniform(1.0 / ((size * width) as f64).sqrt());
            let weight = make.get(&format!("conv{i}.weight"), &[count, size, width], init)?;
            filters.push((width, weight, make.get(&format!("conv{i}.bias"), &[count], init)?));
        }
        let mut highways = Vec::new();
        for i in 0..cnn.n_highway {
            let transform = linear(make, &format!("highway{i}.transform"), all, all)?;
            highways.push((transform, linear(make, &format!("highway{i}.gate"), all, all)?));
        }
        Ok(Self {
            table,
            filters,
            activation: cnn.activation,
            highways,
            projection: linear(make, "projection", options.lstm.projection_dim, all)?,
            length: cnn.max_characters_per_token,
        })
    }

    /// (B, L + 2, columns)
    pub(super) fn forward(&self, batch: &ElmoBatch) -> Result<Tensor> {
        let pieces = batch.spellings.iter().map(|p| self.words(p));
        let (rows, length) = batch.rows.size2()?;
        Ok(Tensor::f_cat(&pieces.collect::<Result<Vec<_>>>()?, 0)?
            .f_index_select(0, &batch.rows.f_view([-1])?)?
            .f_view([rows, length, -1])?)
    }

    /// Vectors of spelled words: (U, C) to (U, columns).
    fn words(&self, spellings: &Tensor) -> Result<Tensor> {
        let (words, chars) = spellings.size2()?;
        let (_, size) = self.table.size2()?;
        let widest = self.filters.iter().map(|f| f.0).max().unwrap_or(0);
        let length = self.length.min(chars + widest);
        let ids = spellings.f_constant_pad_nd([0, length - chars])?; // zeros, for which fill stands
        let ids = ids.f_masked_fill(&ids.f_eq(0)?, ELMO_FILL)?;
        let vectors =
            self.table.f_index_select(0, &ids.f_view([-1])?)?.f_view([words, length, size])?;
        let mut pooled = Vec::with_capacity(self.filters.len());
        for (width, weight, bias) in &self.filters {
            // As far as one window that holds nothing but fill.
            let vectors = vectors.f_narrow(1, 0, self.length.min(chars + width))?;
            pooled.push(convolve(&vectors, weight, bias)?);
        }
        let pooled = Tensor::f_cat(&pooled, 1)?; // (U, filters)
        let mut x = match self.activation {
            ElmoActivation::Relu => pooled.f_relu()?,
            ElmoActivation::Tanh => pooled.f_tanh()?,
        };
        for (transform, gate) in &self.highways {
            let gate = x.f_linear(&gate.0, Some(&gate.1))?.f_sigmoid()?;
            let transformed = x.f_linear(&transform.0, Some(&transform.1))?.f_relu()?;
            x = x.f_lerp_tensor(&transformed, &gate)?;
        }
        Ok(x.f_linear(&self.projection.0, Some(&self.projection.1))?)
    }
}

/// The largest score of each filter in all windows: (U, T, size) to (U, filters).
fn convolve(vectors: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let (words, length, size) = vectors.size3()?;
    let (filters, _, width) = weight.size3()?;
    let windows = length - width + 1;
    Ok(vectors
        .f_unfold(1, width, 1)? // (U, windows, size, width)
        .f_reshape([words * windows, size * width])?
        .f_linear(&weight.f_reshape([filters, size * width])?, Some(bias))?
        .f_view([words, windows, filters])?
        .f_amax([1], false)?)
}
