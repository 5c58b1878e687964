//! [`Params`]: the named tensors of a model.
//!
//! Layers ask for their tensors by name and shape. A store that trains creates what is missing
//! with the layer's initializer; a loaded one refuses what is missing or of another shape. Layers
//! built from the same store share storage, so one set of weights serves many workers.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use crate::transfer::moved;
use crate::{Error, Result, cpu};

/// Suffix of the tensor that holds the factor of each row of a tensor of signed bytes.
pub(crate) const ROW_SCALES: &str = ".scale";

/// What the parameters of embedders and encoders begin with.
const EMBEDDERS: &str = "embedding.";
const ENCODERS: &str = "encoders.";

/// How a new tensor is filled. Fans are those of a matrix `(out, in, ...)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    Zeros,
    Constant(f64),
    /// U(-bound, bound).
    Uniform(f64),
    /// N(0, std).
    Normal(f64),
    XavierUniform,
    XavierNormal,
    KaimingNormal,
    Orthogonal,
}

/// The named tensors of a model, in name order.
#[derive(Debug)]
pub struct Params {
    tensors: BTreeMap<String, Tensor>,
    /// Names a layer has asked for: the others in a file are an error.
    used: std::collections::BTreeSet<String>,
    creates: bool,
    /// Layers may lay out the weights anew: they do not change any more.
    fast: bool,
    /// What embedders and encoders compute in.
    kind: Kind,
    device: Device,
}

impl Params {
    /// An empty store that creates trainable tensors when asked for them.
    pub fn random(device: Device) -> Self {
        Self {
            tensors: BTreeMap::new(),
            used: Default::default(),
            creates: true,
            fast: false,
            kind: Kind::Float,
            device,
        }
    }

    /// A store of given weights, which must be all that the layers ask for: floats, or bytes with [`ROW_SCALES`].
    pub fn loaded(tensors: BTreeMap<String, Tensor>, device: Device) -> Self {
        let kind = |t: &Tensor| if t.kind() == Kind::Int8 { Kind::Int8 } else { Kind::Float };
        let to = |(name, t): (String, Tensor)| {
            let kind = kind(&t);
            (name, moved(&t, device).to_kind(kind))
        };
        Self {
            tensors: tensors.into_iter().map(to).collect(),
            used: Default::default(),
            creates: false,
            fast: device == Device::Cpu && cpu::is_available(),
            kind: Kind::Float,
            device,
        }
    }

    /// Keeps all work with LibTorch.
    pub fn plain(mut self) -> Self {
        self.fast = false;
        self
    }

    /// Gives embedders and encoders their weights in bfloat16, to compute in it; the store keeps its own.
    pub fn in_bf16(mut self) -> Self {
        self.kind = Kind::BFloat16;
        self.plain()
    }

    /// What the tensor `name` is given as. cuDNN has LSTMs in single precision and not in bfloat16, in which LibTorch
    /// would take the steps one by one.
    fn kind_of(&self, name: &str, tensor: &Tensor) -> Kind {
        let encodes = name.starts_with(ENCODERS) && self.device == Device::Cpu;
        let of_kind = encodes || name.starts_with(EMBEDDERS);
        if of_kind && tensor.kind() == Kind::Float { self.kind } else { tensor.kind() }
    }

    /// Whether layers may work with a copy of their weights that suits this CPU.
    pub(crate) fn is_fast(&self) -> bool {
        self.fast
    }

    pub fn device(&self) -> Device {
        self.device
    }

    /// The tensor `name` of `shape`; a store that trains creates it with `init`.
    pub fn get(&mut self, name: &str, shape: &[i64], init: Init) -> Result<Tensor> {
        self.used.insert(name.to_owned());
        if let Some(tensor) = self.tensors.get(name) {
            if tensor.size() != shape {
                return Err(Error::Config(format!(
                    "tensor `{name}` has shape {:?}, the configuration wants {shape:?}",
                    tensor.size()
                )));
            }
            return Ok(tensor.f_to_kind(self.kind_of(name, tensor))?);
        }
        if !self.creates {
            return Err(Error::Config(format!("tensor `{name}` is missing")));
        }
        let tensor = create(shape, init, self.device)?.set_requires_grad(true);
        self.tensors.insert(name.to_owned(), tensor.shallow_clone());
        Ok(tensor)
    }

    /// The factors of the rows of tensor `name`, (rows), if these are bytes.
    pub(crate) fn row_scales(&mut self, name: &str) -> Result<Option<Tensor>> {
        match self.tensors.get(name) {
            Some(tensor) if tensor.kind() == Kind::Int8 => {
                let rows = [tensor.size()[0]];
                self.get(&format!("{name}{ROW_SCALES}"), &rows, Init::Zeros).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The tensor `name` of `shape`, which is not trained: zeros at first, and what the layer counts
    /// in it then.
    pub fn counts(&mut self, name: &str, shape: &[i64]) -> Result<Tensor> {
        let tensor = self.get(name, shape, Init::Zeros)?;
        self.freeze(name);
        Ok(tensor)
    }

    /// An error that names a tensor no layer asked for, if there is one.
    pub fn check_all_used(&self) -> Result<()> {
        match self.tensors.keys().find(|n| !self.used.contains(*n)) {
            Some(name) => Err(Error::Config(format!("tensor `{name}` belongs to no layer"))),
            None => Ok(()),
        }
    }

    /// Begins to note anew which tensors are asked for.
    pub(crate) fn forget_use(&mut self) {
        self.used.clear();
    }

    /// The tensors that were asked for.
    pub(crate) fn into_used(self) -> BTreeMap<String, Tensor> {
        let Self { mut tensors, used, .. } = self;
        tensors.retain(|name, _| used.contains(name));
        tensors
    }

    /// Stops a tensor from being trained.
    pub fn freeze(&mut self, name: &str) {
        if let Some(tensor) = self.tensors.get_mut(name) {
            let _ = tensor.set_requires_grad(false);
        }
    }

    /// Names and tensors, in name order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// Names and tensors that are trained, in name order.
    pub fn trainable(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.iter().filter(|(_, tensor)| tensor.requires_grad())
    }

    /// Forgets all gradients.
    pub fn zero_grad(&mut self) {
        self.tensors.values_mut().for_each(Tensor::zero_grad);
    }

    /// Copies values into the tensors of the same name, which must exist with the same shape.
    pub fn assign(&mut self, values: &BTreeMap<String, Tensor>) -> Result<()> {
        let _guard = tch::no_grad_guard();
        for (name, value) in values {
            let Some(tensor) = self.tensors.get_mut(name) else {
                return Err(Error::Config(format!("tensor `{name}` belongs to no layer")));
            };
            if tensor.size() != value.size() {
                return Err(Error::Config(format!(
                    "tensor `{name}` has shape {:?}, not {:?}",
                    tensor.size(),
                    value.size()
                )));
            }
            tensor.f_copy_(value)?;
        }
        Ok(())
    }

    /// Copies of all tensors, detached.
    pub fn snapshot(&self) -> BTreeMap<String, Tensor> {
        let copy = |(name, t): (&String, &Tensor)| (name.clone(), t.detach().copy());
        self.tensors.iter().map(copy).collect()
    }
}

fn create(shape: &[i64], init: Init, device: Device) -> Result<Tensor> {
    let _guard = tch::no_grad_guard();
    let mut tensor = Tensor::f_zeros(shape, (Kind::Float, Device::Cpu))?;
    let receptive: i64 = shape.iter().skip(2).product();
    let fan_out = shape.first().copied().unwrap_or(1) * receptive;
    let fan_in = shape.get(1).copied().unwrap_or(1) * receptive;
    let (fan_in, fan_out) = (fan_in as f64, fan_out as f64);
    match init {
        Init::Zeros => {}
        Init::Constant(value) => drop(tensor.f_fill_(value)?),
        Init::Uniform(bound) => drop(tensor.f_uniform_(-bound, bound)?),
        Init::Normal(std) => drop(tensor.f_normal_(0.0, std)?),
        Init::XavierUniform => {
            let bound = (6.0 / (fan_in + fan_out)).sqrt();
            drop(tensor.f_uniform_(-bound, bound)?);
        }
        Init::XavierNormal => drop(tensor.f_normal_(0.0, (2.0 / (fan_in + fan_out)).sqrt())?),
        Init::KaimingNormal => drop(tensor.f_normal_(0.0, (2.0 / fan_in).sqrt())?),
        Init::Orthogonal => {
            let init = tch::nn::Init::Orthogonal { gain: 1.0 };
            tensor = tch::nn::f_init(init, shape, Device::Cpu, Kind::Float)?;
        }
    }
    Ok(moved(&tensor, device))
}
