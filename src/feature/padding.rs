//! [`Padding`]: where the tokens of sequences stand that are filled up to one length.

use tch::{Device, Tensor};

use crate::Result;
use crate::transfer::{host, upload_all};

/// The places of B sequences in (B, L), each filled up to the length of the longest.
#[derive(Debug)]
pub struct Padding {
    pub lengths: Vec<usize>,
    /// (B, L): 1 at tokens, 0 at padding; float.
    pub mask: Tensor,
    /// (B * L): where each position stands in its sequence reversed, flat; padding stays put.
    pub reversal: Tensor,
}

impl Padding {
    pub fn new(lengths: Vec<usize>, device: Device) -> Result<Self> {
        let mut padding = Self::of_host(lengths)?;
        upload_all(&mut padding.tensors(), device)?;
        Ok(padding)
    }

    /// On the host.
    pub(crate) fn of_host(lengths: Vec<usize>) -> Result<Self> {
        let length = lengths.iter().copied().max().unwrap_or(0);
        let cells = lengths.len() * length;
        let mut mask = vec![0_f32; cells];
        let mut reversal: Vec<i64> = (0..cells as i64).collect();
        for (b, &n) in lengths.iter().enumerate() {
            let start = b * length;
            mask[start..start + n].fill(1.0);
            reversal[start..start + n].reverse();
        }
        let shape = [lengths.len() as i64, length as i64];
        Ok(Self { lengths, mask: host(&mask)?.f_view(shape)?, reversal: host(&reversal)? })
    }

    /// All that a device must have.
    pub(crate) fn tensors(&mut self) -> [&mut Tensor; 2] {
        [&mut self.mask, &mut self.reversal]
    }

    pub fn shallow_clone(&self) -> Self {
        Self {
            lengths: self.lengths.clone(),
            mask: self.mask.shallow_clone(),
            reversal: self.reversal.shallow_clone(),
        }
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
        Ok(x.f_mul(&self.mask.f_to_kind(x.f_kind()?)?.f_unsqueeze(2)?)?)
    }

    /// L: of the longest sequence.
    pub fn length(&self) -> usize {
        self.lengths.iter().copied().max().unwrap_or(0)
    }

    /// The tokens of all sequences, one after the other, as places of (B * L).
    pub fn places(&self) -> Vec<i64> {
        let length = self.length();
        let rows = self.lengths.iter().enumerate();
        rows.flat_map(|(b, &n)| (b * length..b * length + n).map(|at| at as i64)).collect()
    }
}
