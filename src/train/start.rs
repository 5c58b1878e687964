//! [`Start`]: the model that a run goes on from.

use std::path::PathBuf;

use tch::{Device, Kind, Tensor};

use super::config::is_named;

use crate::model::{AnnotateOptions, Bundle, LoadOptions, Parts};
use crate::params::Params;
use crate::{Cancel, Document, Error, Result};

/// A model whose weights, words and labels a run takes up.
#[derive(Debug)]
pub(super) struct Start(Parts);

impl Start {
    /// Of several directories the first, with the mean of all their weights: a "model soup" (Wortsman et al. 2022).
    pub(super) fn read(dirs: &[PathBuf]) -> Result<Self> {
        let Some((first, others)) = dirs.split_first() else {
            return Err(Error::Internal("a run that starts from no model".into()));
        };
        let mut parts = Parts::read(first)?;
        let _guard = tch::no_grad_guard();
        for (n, dir) in others.iter().enumerate() {
            let other = Parts::read(dir)?;
            let differ = |what: &str| {
                let (first, dir) = (first.display(), dir.display());
                Err(Error::config(format!("start: {first} and {dir} differ in {what}")))
            };
            if other.config != parts.config {
                return differ("configuration");
            }
            if other.vocab != parts.vocab {
                return differ("words or labels");
            }
            for (name, mean) in &mut parts.tensors {
                let Some(tensor) = other.tensors.get(name).filter(|t| t.size() == mean.size())
                else {
                    return differ(&format!("tensor `{name}`"));
                };
                let (sum, tensor) = (mean.f_to_kind(Kind::Float)?, tensor.f_to_kind(Kind::Float)?);
                *mean = sum.f_lerp(&tensor, 1.0 / (n as f64 + 2.0))?;
            }
        }
        Ok(Self(parts))
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.0
    }

    /// Copies the weights into the tensors of the same name. New labels and words stand after the
    /// old ones, so that an old tensor is the first block of the new one; what is new stays as it
    /// was drawn, and so are the `fresh` parameters.
    pub(super) fn copy_into(&self, params: &Params, fresh: &[String]) -> Result<()> {
        let _guard = tch::no_grad_guard();
        for (name, tensor) in params.iter() {
            let Some(old) = self.0.tensors.get(name).filter(|_| !is_named(name, fresh)) else {
                continue;
            };
            let (new, size) = (tensor.size(), old.size());
            // Heads grow with their labels, tables with their words; encoders do not.
            let rows = |axis: usize| name.starts_with("tasks.") || axis == 0;
            let fits = new.len() == size.len()
                && new.iter().zip(&size).enumerate().all(|(axis, (new, old))| {
                    new == old || new > old && rows(axis) && !name.starts_with("encoders.")
                });
            if !fits {
                return Err(Error::config(format!(
                    "tensor `{name}` has shape {new:?}, which does not go on from {size:?} of `start`"
                )));
            }
            let mut block: Tensor = tensor.shallow_clone();
            for (axis, &length) in size.iter().enumerate() {
                block = block.f_narrow(axis as i64, 0, length)?;
            }
            block.f_copy_(old)?;
        }
        Ok(())
    }

    /// The documents as the model annotates them for `tasks`.
    pub(super) fn annotate(
        &self,
        docs: &[Document],
        tasks: &[String],
        device: Device,
    ) -> Result<Vec<Document>> {
        let Parts { config, vocab, card, tensors } = &self.0;
        let tensors = tensors.iter().map(|(n, t)| (n.clone(), t.shallow_clone())).collect();
        let parts =
            Parts { config: config.clone(), vocab: vocab.clone(), card: card.clone(), tensors };
        let load = LoadOptions { tasks: Some(tasks.to_vec()), ..LoadOptions::default() };
        let bundle = Bundle::new(parts, device, &load)?;
        let network = bundle.network();
        let options = AnnotateOptions { singletons: true, ..AnnotateOptions::default() };
        network.annotate(docs, &options, &Cancel::new())
    }
}
