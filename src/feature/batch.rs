//! [`Batch`]: sequences of words as padded tensors of ids.

use std::collections::HashMap;

use tch::{Device, Kind, Tensor};

use super::{PADDING, Vocabularies};
use crate::Result;

/// Longer words are cut to this many characters for the character network, unless padding is
/// pooled: what tells a longer one apart stands in its first characters.
const MAX_CHARS: usize = 64;

/// Ids of some sequences. Each distinct word is spelled out once.
#[derive(Debug)]
pub struct Batch {
    /// (B, L), padding 0.
    pub words: Tensor,
    /// (U, C): characters of the distinct words; row 0 is the empty word of padding.
    pub spellings: Tensor,
    /// (B, L): rows of `spellings`.
    pub spelling: Tensor,
    /// (B, L): 1 at tokens, 0 at padding; float.
    pub mask: Tensor,
    /// (B * L): where each position stands in its sequence reversed, flat; padding stays put.
    pub reversal: Tensor,
    pub lengths: Vec<usize>,
}

impl Batch {
    /// Sequences of at least one word each; `whole_spelling` keeps words of any length whole.
    pub fn new<S: AsRef<str>>(
        sequences: &[Vec<S>],
        vocab: &Vocabularies,
        whole_spelling: bool,
        device: Device,
    ) -> Result<Self> {
        let lengths: Vec<usize> = sequences.iter().map(Vec::len).collect();
        let length = lengths.iter().copied().max().unwrap_or(0);
        let cells = lengths.len() * length;
        let mut words = vec![PADDING; cells];
        let mut spelling = vec![0_i64; cells];
        let mut mask = vec![0_f32; cells];
        let mut reversal: Vec<i64> = (0..cells as i64).collect();
        let mut distinct: HashMap<&str, (i64, i64)> = HashMap::new(); // spelling row, word id
        let mut spelled: Vec<Vec<i64>> = vec![Vec::new()];
        for (b, sequence) in sequences.iter().enumerate() {
            for (i, word) in sequence.iter().enumerate() {
                let word = word.as_ref();
                let at = b * length + i;
                let (row, id) = *distinct.entry(word).or_insert_with(|| {
                    let limit = if whole_spelling { usize::MAX } else { MAX_CHARS };
                    let mut buffer = [0; 4];
                    let id = |c: char| vocab.chars.id(c.encode_utf8(&mut buffer));
                    spelled.push(word.chars().take(limit).map(id).collect());
                    (spelled.len() as i64 - 1, vocab.words.id(&word.to_lowercase()))
                });
                words[at] = id;
                spelling[at] = row;
                mask[at] = 1.0;
                reversal[at] = (b * length + sequence.len() - 1 - i) as i64;
            }
        }
        let longest = spelled.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let mut spellings = vec![PADDING; spelled.len() * longest];
        for (row, chars) in spelled.iter().enumerate() {
            spellings[row * longest..row * longest + chars.len()].copy_from_slice(chars);
        }
        let shape = [lengths.len() as i64, length as i64];
        let to = |values: &[i64], shape: &[i64]| -> Result<Tensor> {
            Ok(Tensor::f_from_slice(values)?.f_view(shape)?.f_to_device(device)?)
        };
        Ok(Self {
            words: to(&words, &shape)?,
            spellings: to(&spellings, &[spelled.len() as i64, longest as i64])?,
            spelling: to(&spelling, &shape)?,
            mask: Tensor::f_from_slice(&mask)?.f_view(shape)?.f_to_device(device)?,
            reversal: to(&reversal, &[cells as i64])?,
            lengths,
        })
    }

    /// Reverses each sequence in place, padding left at the end: (B, L, D) to (B, L, D).
    pub fn reverse(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, length, width) = x.size3()?;
        Ok(x.f_reshape([-1, width])?
            .f_index_select(0, &self.reversal)?
            .f_view([batch, length, width])?)
    }

    /// Zeroes padding: (B, L, D) to (B, L, D).
    pub fn masked(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_mul(&self.mask.f_to_kind(Kind::Float)?.f_unsqueeze(2)?)?)
    }
}
