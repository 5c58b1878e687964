//! A transformer as Hugging Face's folders hold it: `config.json`, `tokenizer.json` and
//! `model.safetensors`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use half::{bf16, f16};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use tch::Tensor;

use super::maker::PREFIX;
use crate::feature::Pieces;
use crate::params::Params;
use crate::transfer::host;
use crate::{Error, Result};

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const WEIGHTS: &str = "model.safetensors";

/// Reads the description and the tokenizer.
pub fn pieces(dir: &Path) -> Result<Pieces> {
    let read = |name| fs::read_to_string(dir.join(name)).map_err(|e| Error::io(dir.join(name), e));
    Pieces::new(read(CONFIG)?, read(TOKENIZER)?).map_err(|e| match e {
        Error::Config(message) => Error::format(dir, message),
        other => other,
    })
}

/// Reads the weights that `params` has tensors for, under the names they have there. The names in
/// the file may begin with that of the model; what else it holds, such as a head, is left out.
pub fn weights(dir: &Path, params: &Params) -> Result<BTreeMap<String, Tensor>> {
    let path = dir.join(WEIGHTS);
    let bytes = fs::read(&path).map_err(|e| Error::io(&path, e))?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|e| Error::format(&path, format!("is not a safetensors file: {e}")))?;
    let mut found = BTreeMap::new();
    for (name, tensor) in params.iter() {
        let Some(own) = name.strip_prefix(PREFIX).filter(|n| !n.starts_with("mix.")) else {
            continue;
        };
        let known = ["", "bert.", "roberta.", "model."].iter().find_map(|begin| {
            let full = format!("{begin}{own}");
            // Old files say gamma and beta.
            let old = full.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta");
            file.tensor(&full).or_else(|_| file.tensor(&old)).ok()
        });
        let Some(view) = known else {
            return Err(Error::format(&path, format!("has no tensor `{own}`")));
        };
        let shape: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
        if shape != tensor.size() {
            let size = tensor.size();
            let message = format!("tensor `{own}` has shape {shape:?}, config.json wants {size:?}");
            return Err(Error::format(&path, message));
        }
        let Some(values) = floats(&view) else {
            let message =
                format!("tensor `{own}` has the type {:?}, not F32, F16 or BF16", view.dtype());
            return Err(Error::format(&path, message));
        };
        found.insert(name.to_owned(), host(&values)?.f_view(shape.as_slice())?);
    }
    Ok(found)
}

fn floats(view: &TensorView) -> Option<Vec<f32>> {
    let (pairs, fours) = (view.data().as_chunks::<2>().0, view.data().as_chunks::<4>().0);
    match view.dtype() {
        Dtype::F32 => Some(fours.iter().map(|b| f32::from_le_bytes(*b)).collect()),
        Dtype::F16 => Some(pairs.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect()),
        Dtype::BF16 => Some(pairs.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect()),
        _ => None,
    }
}
