//! `weights.safetensors`: the tensors of a model as 32-bit floats, 16-bit floats, or rows of bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use half::f16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, View};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::embed::WORD_TABLE;
use crate::{Error, Result, cpu};

/// Suffix of the tensor that holds the factor of each row of a tensor of bytes.
const SCALE: &str = ".scale";

/// How weights are stored; in memory they are 32-bit floats.
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
                stored.insert(name.clone() + SCALE, scale);
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

/// Reads and checks the tensors; what the file holds is looked at before any tensor is made.
pub(crate) fn read(path: &Path, bytes: &[u8]) -> Result<BTreeMap<String, Tensor>> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|e| Error::format(path, format!("is not a safetensors file: {e}")))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        let scales = name.strip_suffix(SCALE).and_then(|of| file.tensor(of).ok());
        if scales.is_some_and(|of| of.dtype() == Dtype::I8) {
            continue;
        }
        let shape: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
        let scales = match view.dtype() {
            Dtype::F32 | Dtype::F16 => Vec::new(),
            Dtype::I8 => {
                let scale = name.clone() + SCALE;
                let scales = file.tensor(&scale).ok().filter(|s| s.dtype() == Dtype::F32);
                let scales = scales.map(|s| floats(s.data()).collect()).unwrap_or_default();
                if shape.len() != 2 || Vec::len(&scales) != view.shape()[0] {
                    let message = format!("tensor `{name}` needs a tensor `{scale}` of its rows");
                    return Err(Error::format(path, message));
                }
                scales
            }
            other => {
                let message = format!("tensor `{name}` has the type {other:?}, not F32, F16 or I8");
                return Err(Error::format(path, message));
            }
        };
        let tensor = cpu::tensor(&shape, |values| fill(values, &view, &scales))?;
        if !cpu::values(&tensor)?.iter().all(|v| v.is_finite()) {
            return Err(Error::format(
                path,
                format!("tensor `{name}` holds a number that is not finite"),
            ));
        }
        tensors.insert(name, tensor);
    }
    Ok(tensors)
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
        let read = read(&path, &std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(read.len(), 1);
        f64::try_from((&read[WORD_TABLE] - table).abs().max()).unwrap()
    }

    #[test]
    fn every_precision_reads_back_as_closely_as_it_stores() {
        assert_eq!(round_trip(Precision::Float32), 0.0);
        assert!(round_trip(Precision::Float16) < 2e-3);
        assert!(round_trip(Precision::Compact) < 0.02);
    }
}
