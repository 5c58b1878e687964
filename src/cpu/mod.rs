//! Layers written for one core of an x86-64 CPU with AVX2: what LibTorch is slow at, because a text
//! is short and a call of LibTorch is not.
//!
//! They read weights that do not change any more, laid out anew when a model is loaded, and give
//! what LibTorch gives but for rounding. Where the CPU lacks AVX2, on a GPU and in training,
//! layers go through LibTorch.

mod chars;
mod lstm;
mod math;
mod matrix;
mod split;

pub(crate) use chars::Windows;
pub(crate) use lstm::{Lstm, LstmWeights};
pub(crate) use math::relu;
pub(crate) use matrix::{Linear, Matrix, Rows};
pub(crate) use split::{Input, OfWords, Split, Words};
use tch::{Device, Kind, Tensor};

use crate::{Error, Result};

/// Whether this CPU can run the layers.
#[cfg(target_arch = "x86_64")]
pub(crate) fn is_available() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("fma")
        && std::arch::is_x86_feature_detected!("f16c")
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn is_available() -> bool {
    false
}

/// The numbers of a contiguous float tensor on the CPU, row by row.
pub(crate) fn values(tensor: &Tensor) -> Result<&[f32]> {
    if tensor.device() != Device::Cpu || tensor.f_kind()? != Kind::Float || !tensor.is_contiguous()
    {
        return Err(Error::Internal("numbers of a tensor that is elsewhere".to_owned()));
    }
    if tensor.numel() == 0 {
        return Ok(&[]);
    }
    // SAFETY: a contiguous tensor of floats on the CPU has `numel` of them there, and they live as long
    // as it does. Nothing writes to weights of a loaded model or to results of layers.
    Ok(unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast(), tensor.numel()) })
}

/// The signed bytes of such a tensor of them.
pub(crate) fn bytes(tensor: &Tensor) -> Result<&[i8]> {
    if tensor.device() != Device::Cpu || tensor.f_kind()? != Kind::Int8 || !tensor.is_contiguous() {
        return Err(Error::Internal("bytes of a tensor that is elsewhere".to_owned()));
    }
    if tensor.numel() == 0 {
        return Ok(&[]);
    }
    // SAFETY: as above.
    Ok(unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast(), tensor.numel()) })
}

/// A tensor of `shape` with the numbers that `fill` writes; they are zero before.
pub(crate) fn tensor(shape: &[i64], fill: impl FnOnce(&mut [f32])) -> Result<Tensor> {
    let tensor = Tensor::f_zeros(shape, (Kind::Float, Device::Cpu))?;
    if tensor.numel() > 0 {
        // SAFETY: as in `values`; the tensor is new, so nothing else reads it.
        fill(unsafe { std::slice::from_raw_parts_mut(tensor.data_ptr().cast(), tensor.numel()) });
    }
    Ok(tensor)
}
