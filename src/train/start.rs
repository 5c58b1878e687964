//! [`Start`]: the model that a run goes on from.

use std::path::Path;

use tch::{Device, Tensor};

use super::config::is_named;

use crate::model::{AnnotateOptions, Bundle, LoadOptions, Parts};
use crate::params::Params;
use crate::{Cancel, Document, Error, Result};

/// A model whose weights, words and labels a run takes up.
#[derive(Debug)]
pub(super) struct Start(Parts);

impl Start {
    pub(super) fn read(dir: &Path) -> Result<Self> {
        Parts::read(dir).map(Self)
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
