//! [`CharCnn`]: a word's vector from its characters (dos Santos and Zadrozny 2014).
//!
//! `relu(max_t (W [c_t; ...; c_{t+w-1}] + b))` for each filter width `w`. Every distinct word of a
//! batch is spelled once. The convolution is an unfold and a matrix product: several times faster
//! on a CPU than `conv1d` for so few channels.

use tch::Tensor;

use super::CHAR_TABLE;
use crate::config::CharsConfig;
use crate::dropout::Dropout as _;
use crate::feature::{Batch, PADDING};
use crate::params::{Init, Params};
use crate::{Result, cpu};

/// A character network; see the module.
#[derive(Debug)]
pub struct CharCnn {
    table: Tensor,                       // (characters, size)
    filters: Vec<(i64, Tensor, Tensor)>, // width, (filters, size, width), (filters)
    fast: Option<Vec<cpu::Windows>>,
    dropout: f64,
    pool_padding: bool,
}

impl CharCnn {
    pub fn new(config: &CharsConfig, characters: i64, params: &mut Params) -> Result<Self> {
        let CharsConfig::Cnn { size, filters, widths, dropout, pool_padding } = config;
        let table = params.get(CHAR_TABLE, &[characters, *size], Init::XavierUniform)?;
        let conv = widths.iter().enumerate().map(|(i, &width)| {
            // PyTorch's default for a convolution.
            let init = Init::Uniform(1.0 / ((size * width) as f64).sqrt());
            let name = format!("embedding.chars.conv{i}");
            let weight = params.get(&format!("{name}.weight"), &[*filters, *size, width], init)?;
            let bias = params.get(&format!("{name}.bias"), &[*filters], init)?;
            Ok((width, weight, bias))
        });
        let filters = conv.collect::<Result<Vec<_>>>()?;
        let fast = |(_, weight, bias): &(i64, Tensor, Tensor)| -> Result<cpu::Windows> {
            let (table, weight, bias) =
                (cpu::values(&table)?, cpu::values(weight)?, cpu::values(bias)?);
            Ok(cpu::Windows::new(table, *size as usize, weight, bias))
        };
        // Pooled padding depends on the longest word of a batch.
        let fast = (params.is_fast() && !pool_padding).then(|| filters.iter().map(fast).collect());
        Ok(Self {
            fast: fast.transpose()?,
            filters,
            table,
            dropout: *dropout,
            pool_padding: *pool_padding,
        })
    }

    /// (B, L, filters * widths)
    pub fn forward(&self, batch: &Batch, train: bool) -> Result<Tensor> {
        let (rows, length) = batch.spelling.size2()?;
        let words = match self.fast_words(batch) {
            Some(words) if !train => words?,
            _ => {
                let pieces = batch.spellings.iter();
                let pieces = pieces.map(|p| self.words(p, batch.longest_spelling));
                Tensor::f_cat(&pieces.collect::<Result<Vec<_>>>()?, 0)?
            }
        };
        words
            .f_index_select(0, &batch.spelling.f_view([-1])?)?
            .f_view([rows, length, -1])?
            .dropped(self.dropout, train)
    }

    /// Vectors of the distinct words of a batch, (words, filters * widths), where LibTorch is not needed for them.
    pub(super) fn fast_words(&self, batch: &Batch) -> Option<Result<Tensor>> {
        let widths = self.fast.as_ref()?;
        let pieces: Result<Vec<_>> = batch.spellings.iter().map(|p| pooled(widths, p)).collect();
        Some(pieces.and_then(|pieces| Ok(Tensor::f_cat(&pieces, 0)?)))
    }

    /// Vectors of spelled words of a batch whose longest has `longest` characters: (U, C) to
    /// (U, filters * widths).
    fn words(&self, spellings: &Tensor, longest: i64) -> Result<Tensor> {
        let (words, chars) = spellings.size2()?;
        let (_, size) = self.table.size2()?;
        let present = spellings.f_ne(PADDING)?; // (U, C)
        let vectors = self
            .table
            .f_index_select(0, &spellings.f_view([-1])?)?
            .f_view([words, chars, size])?
            .f_mul(&present.f_unsqueeze(2)?)?; // (U, C, size)
        let mut pooled = Vec::with_capacity(self.filters.len());
        for (width, weight, bias) in &self.filters {
            let around = if self.pool_padding {
                // All windows of padding alone are equal: one stands for them.
                (0, longest.min(chars + width).max(*width) - chars)
            } else {
                // Short words have windows too.
                (width - 1, width - 1)
            };
            pooled.push(self.convolve(&vectors, &present, around, weight, bias)?);
        }
        Ok(Tensor::f_cat(&pooled, 1)?)
    }

    /// Pools the windows of words with padding before and after them: (U, filters).
    fn convolve(
        &self,
        vectors: &Tensor,
        present: &Tensor,
        (before, after): (i64, i64),
        weight: &Tensor,
        bias: &Tensor,
    ) -> Result<Tensor> {
        let (words, chars, size) = vectors.size3()?;
        let width = weight.size()[2];
        let padded = vectors.f_constant_pad_nd([0, 0, before, after])?;
        let windows = chars + before + after - width + 1;
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
                .f_to_kind(scores.kind())?
                .f_constant_pad_nd([before, after])?
                .f_unfold(1, width, 1)?
                .f_amax([-1], false)?; // (U, windows)
            scores.f_mul(&seen.f_unsqueeze(2)?)?
        };
        Ok(scores.f_amax([1], false)?)
    }
}

/// As [`CharCnn::words`].
fn pooled(widths: &[cpu::Windows], spellings: &Tensor) -> Result<Tensor> {
    let (words, chars) = spellings.size2()?;
    let ids = Vec::<i64>::try_from(spellings.f_view([-1])?)?;
    let width: usize = widths.iter().map(cpu::Windows::filters).sum();
    let mut sum = Vec::new();
    cpu::tensor(&[words, width as i64], |out| {
        for (mut out, ids) in out.chunks_mut(width).zip(ids.chunks(chars as usize)) {
            let length = ids.iter().position(|&id| id == PADDING).unwrap_or(ids.len());
            for windows in widths {
                let (own, rest) = out.split_at_mut(windows.filters());
                windows.pool(&ids[..length], &mut sum, own);
                out = rest;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tch::{Device, Kind};

    use super::*;
    use crate::feature::{BatchOptions, Vocab, Vocabularies};

    /// The vectors of the first word of each list, all from one network.
    fn first_vectors(
        params: &mut Params,
        pool_padding: bool,
        lists: [&[&str]; 2],
    ) -> [Vec<f32>; 2] {
        let chars = ('a'..='z').map(String::from);
        let vocab = Vocabularies { chars: Vocab::new(chars).unwrap(), ..Default::default() };
        let widths = vec![2, 3];
        let config = CharsConfig::Cnn { size: 4, filters: 6, widths, dropout: 0.0, pool_padding };
        let cnn = CharCnn::new(&config, vocab.chars.size(), params).unwrap();
        let options = BatchOptions { whole_spelling: pool_padding, ..BatchOptions::default() };
        lists.map(|words| {
            let batch = Batch::new(&[words.to_vec()], &vocab, options, Device::Cpu).unwrap();
            Vec::try_from(cnn.forward(&batch, false).unwrap().get(0).get(0)).unwrap()
        })
    }

    #[test]
    fn a_word_has_one_vector_whatever_its_neighbours() {
        let lists: [&[&str]; 2] = [&["i"], &["i", "strengthening", "of"]];
        let [alone, beside] = first_vectors(&mut Params::random(Device::Cpu), false, lists);
        assert!(alone.iter().zip(&beside).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn pooled_padding_depends_on_the_longest_word_as_in_2018() {
        let full =
            |shape: &[i64], value: f64| Tensor::full(shape, value, (Kind::Float, Device::Cpu));
        let mut tensors =
            BTreeMap::from([("embedding.chars.weight".to_owned(), full(&[28, 4], 1.0))]);
        for (i, width) in [2, 3].into_iter().enumerate() {
            let name = format!("embedding.chars.conv{i}");
            tensors.insert(format!("{name}.weight"), full(&[6, 4, width], -1.0));
            tensors.insert(format!("{name}.bias"), full(&[6], 1.0));
        }
        // Every window over a letter is negative; one over padding alone has the bias.
        let lists: [&[&str]; 2] = [&["ab"], &["ab", "strengthening"]];
        let mut params = Params::loaded(tensors, Device::Cpu);
        let [alone, beside] = first_vectors(&mut params, true, lists);
        assert_eq!((alone, beside), (vec![0.0; 12], vec![1.0; 12]));
    }
}
