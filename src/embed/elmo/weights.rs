//! An ELMo as its authors keep it: `options.json` and `weights.hdf5`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hdf5_pure::File;
use tch::Tensor;

use super::PREFIX;
use crate::config::ElmoOptions;
use crate::error::first_line;
use crate::feature::ELMO_CHARACTERS;
use crate::transfer::host;
use crate::{Error, Result};

const OPTIONS: &str = "options.json";
const WEIGHTS: &str = "weights.hdf5";

/// Reads the description.
pub fn options(dir: &Path) -> Result<ElmoOptions> {
    let path = dir.join(OPTIONS);
    let text = fs::read_to_string(&path).map_err(|e| Error::io(&path, e))?;
    ElmoOptions::parse(text).map_err(|e| match e {
        Error::Config(message) => Error::format(&path, message),
        other => other,
    })
}

/// How TensorFlow's layout becomes ours.
#[derive(Clone, Copy)]
enum Layout {
    Same,
    /// A matrix, input first.
    Transposed,
    /// (1, width, size, filters).
    Filters,
    /// Without a row for padding.
    Table,
    /// A bias of gates i, j, f, o: TensorFlow adds 1 to f when it runs.
    Gates,
}

/// Reads the weights, under the names they have among the parameters of a model.
pub fn weights(dir: &Path) -> Result<BTreeMap<String, Tensor>> {
    let options = options(dir)?;
    let path = dir.join(WEIGHTS);
    let bytes = fs::read(&path).map_err(|e| Error::io(&path, e))?;
    let file = File::from_bytes(bytes).map_err(|e| {
        let message = format!("is not an HDF5 file: {}", first_line(&e.to_string()));
        Error::format(&path, message)
    })?;
    let mut found = BTreeMap::new();
    for (name, dataset, shape, layout) in sources(&options) {
        let values = read(&file, &dataset, &shape).map_err(|m| Error::format(&path, m))?;
        let tensor = host(&values)?.f_view(shape.as_slice())?;
        found.insert(format!("{PREFIX}{name}"), layout.apply(&tensor)?);
    }
    Ok(found)
}

/// Our name, the dataset, its shape and its layout, for all tensors.
fn sources(options: &ElmoOptions) -> Vec<(String, String, Vec<i64>, Layout)> {
    let (cnn, lstm, all) = (&options.char_cnn, &options.lstm, options.filters());
    let (size, memory, output) = (cnn.embedding.dim, lstm.dim, lstm.projection_dim);
    let mut found = Vec::new();
    let mut add = |name: &str, dataset: &str, shape: &[i64], layout| {
        found.push((name.to_owned(), dataset.to_owned(), shape.to_vec(), layout));
    };
    add("chars.weight", "char_embed", &[ELMO_CHARACTERS - 1, size], Layout::Table);
    for (i, &(width, count)) in cnn.filters.iter().enumerate() {
        let shape = [1, width, size, count];
        add(&format!("conv{i}.weight"), &format!("CNN/W_cnn_{i}"), &shape, Layout::Filters);
        add(&format!("conv{i}.bias"), &format!("CNN/b_cnn_{i}"), &[count], Layout::Same);
    }
    for i in 0..cnn.n_highway {
        for (part, theirs) in [("transform", "transform"), ("gate", "carry")] {
            let (name, folder) = (format!("highway{i}.{part}"), format!("CNN_high_{i}"));
            let weight = format!("{folder}/W_{theirs}");
            add(&format!("{name}.weight"), &weight, &[all, all], Layout::Transposed);
            add(&format!("{name}.bias"), &format!("{folder}/b_{theirs}"), &[all], Layout::Same);
        }
    }
    add("projection.weight", "CNN_proj/W_proj", &[all, output], Layout::Transposed);
    add("projection.bias", "CNN_proj/b_proj", &[output], Layout::Same);
    for (d, direction) in ["forward", "backward"].into_iter().enumerate() {
        for at in 0..lstm.n_layers {
            let name = |part: &str| format!("{direction}.layer{at}.{part}");
            let of = |part: &str| format!("RNN_{d}/RNN/MultiRNNCell/Cell{at}/LSTMCell/{part}");
            let weight = [2 * output, 4 * memory];
            add(&name("weight"), &of("W_0"), &weight, Layout::Transposed);
            add(&name("bias"), &of("B"), &[4 * memory], Layout::Gates);
            add(&name("projection"), &of("W_P_0"), &[memory, output], Layout::Transposed);
        }
    }
    found
}

fn read(file: &File, name: &str, shape: &[i64]) -> Result<Vec<f32>, String> {
    let bad = |e: hdf5_pure::Error| format!("dataset `{name}`: {}", first_line(&e.to_string()));
    let dataset = file.dataset(name).map_err(bad)?;
    let own = dataset.shape().map_err(bad)?;
    if own.len() != shape.len() || own.iter().zip(shape).any(|(&a, &b)| a != b as u64) {
        return Err(format!("dataset `{name}` has shape {own:?}, {OPTIONS} wants {shape:?}"));
    }
    let values = dataset.read_f32().map_err(bad)?;
    if values.len() as i64 != shape.iter().product::<i64>() {
        return Err(format!("dataset `{name}` holds {} numbers", values.len()));
    }
    if !values.iter().all(|v| v.is_finite()) {
        return Err(format!("dataset `{name}` holds a number that is not finite"));
    }
    Ok(values)
}

impl Layout {
    fn apply(self, tensor: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Same => tensor.shallow_clone(),
            Self::Transposed => tensor.f_transpose(0, 1)?.f_contiguous()?,
            Self::Filters => tensor.f_squeeze_dim(0)?.f_permute([2, 1, 0])?.f_contiguous()?,
            Self::Table => tensor.f_constant_pad_nd([0, 0, 1, 0])?,
            Self::Gates => {
                let gates = tensor.f_chunk(4, 0)?;
                let ahead = gates[2].f_add_scalar(1.0)?;
                Tensor::f_cat(&[&gates[0], &gates[1], &ahead, &gates[3]], 0)?
            }
        })
    }
}
