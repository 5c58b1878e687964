//! [`WordTable`]: the vectors of the known words.

use tch::Tensor;

use super::WORD_TABLE;
use crate::params::{Init, Params};
use crate::{Result, cpu};

/// A row for each word, of floats, or of signed bytes with a factor for each row, a quarter of the memory.
#[derive(Debug)]
pub(super) struct WordTable {
    rows: Tensor,           // (words, size)
    scales: Option<Tensor>, // (words)
    size: i64,
}

impl WordTable {
    pub(super) fn new(
        params: &mut Params,
        [words, size]: [i64; 2],
        trainable: bool,
    ) -> Result<Self> {
        let rows = params.get(WORD_TABLE, &[words, size], Init::Normal(0.1))?;
        if !trainable {
            params.freeze(WORD_TABLE);
        }
        Ok(Self { rows, scales: params.row_scales(WORD_TABLE)?, size })
    }

    /// The vectors of `ids`, any shape: (..., size).
    pub(super) fn vectors(&self, ids: &Tensor) -> Result<Tensor> {
        let shape = [ids.size(), vec![self.size]].concat();
        let ids = ids.f_view([-1])?;
        let rows = self.rows.f_index_select(0, &ids)?;
        let rows = match &self.scales {
            Some(scales) => rows
                .f_to_kind(scales.kind())?
                .f_mul(&scales.f_index_select(0, &ids)?.f_unsqueeze(1)?)?,
            None => rows,
        };
        Ok(rows.f_view(shape.as_slice())?)
    }

    /// The same into rows of memory, each with its id. For weights on the CPU.
    pub(super) fn copy<'a>(&self, rows: impl Iterator<Item = (i64, &'a mut [f32])>) -> Result<()> {
        let size = self.size as usize;
        match &self.scales {
            Some(scales) => {
                let (table, scales) = (cpu::bytes(&self.rows)?, cpu::values(scales)?);
                for (id, row) in rows {
                    let (id, scale) = (id as usize, scales[id as usize]);
                    let bytes = &table[id * size..(id + 1) * size];
                    row.iter_mut().zip(bytes).for_each(|(x, &b)| *x = f32::from(b) * scale);
                }
            }
            None => {
                let table = cpu::values(&self.rows)?;
                rows.for_each(|(id, row)| {
                    row.copy_from_slice(&table[id as usize * size..(id as usize + 1) * size]);
                });
            }
        }
        Ok(())
    }
}
