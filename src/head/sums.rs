//! Means of rows over spans, by differences of running sums.

use tch::{Device, Kind, Tensor};

use crate::Result;

/// Sums of the rows before each position, (N + 1, D), in double precision: differences of long
/// sums would lose too much in single precision.
pub(super) fn running_sums(rows: &Tensor) -> Result<Tensor> {
    let first = Tensor::f_zeros([1, rows.size()[1]], (Kind::Double, rows.device()))?;
    let sums = match rows.device() {
        Device::Cpu => rows.f_cumsum(0, Kind::Double)?,
        // A GPU gives each column to one thread, unless the columns lie along memory.
        _ => {
            rows.f_transpose(0, 1)?.f_contiguous()?.f_cumsum(1, Kind::Double)?.f_transpose(0, 1)?
        }
    };
    Ok(Tensor::f_cat(&[first, sums], 0)?)
}

/// Sums of the rows from `first` up to `last`: (spans, D), double.
pub(super) fn sum_between(sums: &Tensor, first: &Tensor, last: &Tensor) -> Result<Tensor> {
    Ok(sums.f_index_select(0, last)?.f_sub(&sums.f_index_select(0, first)?)?)
}

/// Means of the rows from `first` up to `last`, zero where there are none: (spans, D).
pub(super) fn mean_between(sums: &Tensor, first: &Tensor, last: &Tensor) -> Result<Tensor> {
    let count = last.f_sub(first)?.f_clamp_min(1)?.f_unsqueeze(1)?;
    Ok(sum_between(sums, first, last)?.f_div(&count)?.f_to_kind(Kind::Float)?)
}
