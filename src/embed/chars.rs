//! [`CharCnn`]: a word's vector from its characters (dos Santos and Zadrozny 2014).
//!
//! `relu(max_t (W [c_t; ...; c_{t+w-1}] + b))` for each filter width `w`. Every distinct word of a
//! batch is spelled once. The convolution is an unfold and a matrix product: several times faster
//! on a CPU than `conv1d` for so few channels.

use tch::{Kind, Tensor};

use crate::Result;
use crate::config::CharsConfig;
use crate::feature::{Batch, PADDING};
use crate::params::{Init, Params};

/// A character network; see the module.
#[derive(Debug)]
pub struct CharCnn {
    table: Tensor,                       // (characters, size)
    filters: Vec<(i64, Tensor, Tensor)>, // width, (filters, size, width), (filters)
    dropout: f64,
    pool_padding: bool,
}

impl CharCnn {
    pub fn new(config: &CharsConfig, characters: i64, params: &mut Params) -> Result<Self> {
        let CharsConfig::Cnn { size, filters, widths, dropout, pool_padding } = config;
        let table =
            params.get("embedding.chars.weight", &[characters, *size], Init::XavierUniform)?;
        let conv = widths.iter().enumerate().map(|(i, &width)| {
            // PyTorch's default for a convolution.
            let init = Init::Uniform(1.0 / ((size * width) as f64).sqrt());
            let name = format!("embedding.chars.conv{i}");
            let weight = params.get(&format!("{name}.weight"), &[*filters, *size, width], init)?;
            let bias = params.get(&format!("{name}.bias"), &[*filters], init)?;
            Ok((width, weight, bias))
        });
        Ok(Self {
            filters: conv.collect::<Result<_>>()?,
            table,
            dropout: *dropout,
            pool_padding: *pool_padding,
        })
    }

    /// (B, L, filters * widths)
    pub fn forward(&self, batch: &Batch, train: bool) -> Result<Tensor> {
        let (words, longest) = batch.spellings.size2()?;
        let (_, size) = self.table.size2()?;
        let present = batch.spellings.f_ne(PADDING)?; // (U, C)
        let vectors = self
            .table
            .f_index_select(0, &batch.spellings.f_view([-1])?)?
            .f_view([words, longest, size])?
            .f_mul(&present.f_unsqueeze(2)?)?; // (U, C, size)
        let mut pooled = Vec::with_capacity(self.filters.len());
        for (width, weight, bias) in &self.filters {
            pooled.push(self.convolve(&vectors, &present, *width, weight, bias)?);
        }
        let (rows, length) = batch.spelling.size2()?;
        Ok(Tensor::f_cat(&pooled, 1)?
            .f_index_select(0, &batch.spelling.f_view([-1])?)?
            .f_view([rows, length, -1])?
            .f_dropout(self.dropout, train)?)
    }

    /// (U, filters)
    fn convolve(
        &self,
        vectors: &Tensor,
        present: &Tensor,
        width: i64,
        weight: &Tensor,
        bias: &Tensor,
    ) -> Result<Tensor> {
        let (words, longest, size) = vectors.size3()?;
        // One padding character on both sides gives short words a window; 2018 has none there.
        let (before, after) =
            if self.pool_padding { (0, (width - longest).max(0)) } else { (width - 1, width - 1) };
        let padded = vectors.f_constant_pad_nd([0, 0, before, after])?;
        let windows = longest + before + after - width + 1;
        let flat = padded
            .f_unfold(1, width, 1)? // (U, windows, size, width)
            .f_reshape([words * windows, size * width])?;
        let filters = weight.size()[0];
        let scores = flat
            .f_linear(&weight.f_view([filters, size * width])?, Some(bias))?
            .f_view([words, windows, filters])?
            .f_relu()?;
        let scores = if self.pool_padding {
            scores
        } else {
            // A window counts if it holds a character of the word, whatever else the batch holds.
            let seen = present
                .f_to_kind(Kind::Float)?
                .f_constant_pad_nd([before, after])?
                .f_unfold(1, width, 1)?
                .f_amax([-1], false)?; // (U, windows)
            scores.f_mul(&seen.f_unsqueeze(2)?)?
        };
        Ok(scores.f_amax([1], false)?)
    }
}
