//! `weights.safetensors`: the tensors of a model as 32-bit floats, 16-bit floats, or rows of bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use half::f16;
use memmap2::MmapMut;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, View};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::embed::WORD_TABLE;
use crate::params::ROW_SCALES;
use crate::transfer::host;
use crate::{Error, Result, cpu};

/// Floats that a tensor's place in memory is a multiple of: the line of a cache.
const ALIGNED: usize = 16;

/// How weights are stored; in memory all but rows of bytes are 32-bit floats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    #[default]
    Float32,
    Float16,
    /// The word table as signed bytes with a factor a row, the rest as 16-bit floats.
    Compact,
}

/// A tensor as the file holds it.
struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for Stored {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

pub(crate) fn write(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    precision: Precision,
) -> Result<()> {
    let mut stored = BTreeMap::new();
    for (name, tensor) in tensors {
        let shape: Vec<usize> = tensor.size().iter().map(|&n| n as usize).collect();
        let values = Vec::<f32>::try_from(
            tensor.f_detach()?.f_to_kind(Kind::Float)?.f_contiguous()?.f_view([-1])?,
        )?;
        match precision {
            Precision::Float32 => {
                let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                stored.insert(name.clone(), Stored { dtype: Dtype::F32, shape, bytes });
            }
            Precision::Compact if name == WORD_TABLE => {
                let (bytes, scales) = quantize(&values, shape[1]);
                let scale = Stored { dtype: Dtype::F32, shape: vec![shape[0]], bytes: scales };
                stored.insert(name.clone() + ROW_SCALES, scale);
                stored.insert(name.clone(), Stored { dtype: Dtype::I8, shape, bytes });
            }
            Precision::Float16 | Precision::Compact => {
                let bytes = values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect();
                stored.insert(name.clone(), Stored { dtype: Dtype::F16, shape, bytes });
            }
        }
    }
    safetensors::serialize_to_file(stored, None, path).map_err(|e| match e {
        safetensors::SafeTensorError::IoError(e) => Error::io(path, e),
        e => Error::format(path, e.to_string()),
    })
}

/// Rows as signed bytes, and the factor of each row.
fn quantize(values: &[f32], columns: usize) -> (Vec<u8>, Vec<u8>) {
    let mut bytes = Vec::with_capacity(values.len());
    let mut scales = Vec::new();
    for row in values.chunks(columns.max(1)) {
        let most = row.iter().fold(0_f32, |m, v| m.max(v.abs()));
        let scale = if most == 0.0 { 1.0 } else { most / 127.0 };
        bytes.extend(row.iter().map(|v| (v / scale).round() as i8 as u8));
        scales.extend(scale.to_le_bytes());
    }
    (bytes, scales)
}

/// Reads and checks the tensors, as floats.
pub(crate) fn read(path: &Path, bytes: &[u8]) -> Result<BTreeMap<String, Tensor>> {
    tensors(path, bytes, |shape, fill| cpu::tensor(shape, fill), false)
}

/// Reads and checks the tensors into memory of their own, which comes along with them. A word table of bytes
/// stays where it lies, beside the factors of its rows.
///
/// # Safety
///
/// The tensors and what shares their memory must not outlive `bytes` and what comes along.
pub(super) unsafe fn borrow(
    path: &Path,
    bytes: &[u8],
) -> Result<(BTreeMap<String, Tensor>, Option<MmapMut>)> {
    let file = parse(path, bytes)?;
    let numbers = |view: TensorView| match view.dtype() {
        Dtype::I8 => 0,
        _ => view.shape().iter().product::<usize>().next_multiple_of(ALIGNED),
    };
    let all = file.tensors().into_iter().map(|(_, view)| numbers(view)).sum::<usize>();
    let map = (all > 0).then(|| MmapMut::map_anon(all * size_of::<f32>())).transpose();
    let mut map = map.map_err(|e| Error::io(path, e))?;
    let start = map.as_mut().map_or(std::ptr::null_mut(), |m| m.as_mut_ptr().cast::<f32>());
    let mut used = 0;
    let borrowed = tensors(
        path,
        bytes,
        |shape, fill| {
            let length = shape.iter().product::<i64>() as usize;
            if length == 0 || used + length > all {
                return cpu::tensor(shape, fill); // bytes of another tensor than the word table
            }
            // SAFETY: as many floats of the map, zero at first, which no other tensor has.
            let own = unsafe { std::slice::from_raw_parts_mut(start.add(used), length) };
            fill(own);
            used += length.next_multiple_of(ALIGNED);
            let mut strides: Vec<i64> = shape.to_vec();
            let mut step = 1;
            for stride in strides.iter_mut().rev() {
                (*stride, step) = (step, step * *stride);
            }
            let (data, kind) = (own.as_ptr().cast(), (Kind::Float, Device::Cpu));
            // SAFETY: `own` has the numbers of the shape, row by row; the caller keeps the map.
            Ok(unsafe { Tensor::f_from_blob(data, shape, &strides, kind.0, kind.1)? })
        },
        true,
    );
    Ok((borrowed?, map))
}

/// Makes floats of a word table of bytes.
pub(super) fn to_floats(tensors: &mut BTreeMap<String, Tensor>) -> Result<()> {
    if let Some(scales) = tensors.remove(&format!("{WORD_TABLE}{ROW_SCALES}"))
        && let Some(table) = tensors.get_mut(WORD_TABLE)
    {
        *table = table.f_to_kind(Kind::Float)?.f_mul(&scales.f_unsqueeze(1)?)?;
    }
    Ok(())
}

/// What the file holds is looked at before any tensor is made.
/// `make` gives tensors of a shape with the numbers that it lets be filled in.
fn tensors(
    path: &Path,
    bytes: &[u8],
    mut make: impl FnMut(&[i64], &dyn Fn(&mut [f32])) -> Result<Tensor>,
    borrow: bool,
) -> Result<BTreeMap<String, Tensor>> {
    let file = parse(path, bytes)?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        let scales = name.strip_suffix(ROW_SCALES).and_then(|of| file.tensor(of).ok());
        if scales.is_some_and(|of| of.dtype() == Dtype::I8) {
            continue;
        }
        let scales = match view.dtype() {
            Dtype::F32 | Dtype::F16 => Vec::new(),
            Dtype::I8 => row_scales(path, &file, &name, &view)?,
            other => {
                let message = format!("tensor `{name}` has the type {other:?}, not F32, F16 or I8");
                return Err(Error::format(path, message));
            }
        };
        let shape: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
        if borrow && name == WORD_TABLE && view.dtype() == Dtype::I8 && !view.data().is_empty() {
            let strides = [shape[1], 1];
            let data = view.data().as_ptr();
            // SAFETY: a view of safetensors has as many bytes as its shape says; the caller keeps them.
            let table =
                unsafe { Tensor::f_from_blob(data, &shape, &strides, Kind::Int8, Device::Cpu)? };
            tensors.insert(name.clone() + ROW_SCALES, host(&scales)?);
            tensors.insert(name, table);
            continue;
        }
        let tensor = make(&shape, &|values| fill(values, &view, &scales))?;
        if !cpu::values(&tensor)?.iter().all(|v| v.is_finite()) {
            return Err(not_finite(path, &name));
        }
        tensors.insert(name, tensor);
    }
    Ok(tensors)
}

fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<SafeTensors<'a>> {
    SafeTensors::deserialize(bytes)
        .map_err(|e| Error::format(path, format!("is not a safetensors file: {e}")))
}

/// The factor of each row of a tensor of bytes.
fn row_scales(path: &Path, file: &SafeTensors, name: &str, view: &TensorView) -> Result<Vec<f32>> {
    let scale = format!("{name}{ROW_SCALES}");
    let scales = file.tensor(&scale).ok().filter(|s| s.dtype() == Dtype::F32);
    let scales: Vec<f32> = scales.map(|s| floats(s.data()).collect()).unwrap_or_default();
    if view.shape().len() != 2 || scales.len() != view.shape()[0] {
        let message = format!("tensor `{name}` needs a tensor `{scale}` of its rows");
        return Err(Error::format(path, message));
    }
    if !scales.iter().all(|s| (s * 128.0).is_finite()) {
        return Err(not_finite(path, name));
    }
    Ok(scales)
}

fn not_finite(path: &Path, name: &str) -> Error {
    Error::format(path, format!("tensor `{name}` holds a number that is not finite"))
}

/// The numbers of a tensor of a known type, straight into their place.
fn fill(values: &mut [f32], view: &TensorView, scales: &[f32]) {
    let data = view.data();
    let set = |(value, number): (&mut f32, f32)| *value = number;
    match view.dtype() {
        Dtype::I8 => {
            let columns = view.shape()[1].max(1);
            let rows = values.chunks_mut(columns).zip(data.chunks(columns)).zip(scales);
            for ((values, bytes), scale) in rows {
                values.iter_mut().zip(bytes).for_each(|(v, &b)| *v = f32::from(b as i8) * scale);
            }
        }
        Dtype::F16 => {
            let halves = data.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b).to_f32());
            values.iter_mut().zip(halves).for_each(set);
        }
        _ => values.iter_mut().zip(floats(data)).for_each(set),
    }
}

fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(precision: Precision) -> f64 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.safetensors");
        tch::manual_seed(1);
        let table = Tensor::randn([7, 5], tch::kind::FLOAT_CPU);
        let tensors = BTreeMap::from([(WORD_TABLE.to_owned(), table.copy())]);
        write(&path, &tensors, precision).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let read = read(&path, &bytes).unwrap();
        assert_eq!(read.len(), 1);
        // SAFETY: the bytes and the map live until the end.
        let (mut borrowed, _map) = unsafe { borrow(&path, &bytes) }.unwrap();
        to_floats(&mut borrowed).unwrap();
        assert_eq!(read, borrowed);
        f64::try_from((&read[WORD_TABLE] - table).abs().max()).unwrap()
    }

    #[test]
    fn every_precision_reads_back_as_closely_as_it_stores() {
        assert_eq!(round_trip(Precision::Float32), 0.0);
        assert!(round_trip(Precision::Float16) < 2e-3);
        assert!(round_trip(Precision::Compact) < 0.02);
    }
}
