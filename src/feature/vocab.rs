//! Names and their ids.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::Pieces;
use crate::config::ElmoOptions;
use crate::{Error, Result};

/// Id of padding, which has no name.
pub const PADDING: i64 = 0;
/// Id of everything a vocabulary does not list.
pub const UNKNOWN: i64 = 1;

/// A list of names; ids start after padding and "unknown".
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vocab {
    names: Vec<String>,
    ids: HashMap<String, i64>,
}

impl Vocab {
    /// Fails on a name listed twice.
    pub fn new(names: Vec<String>) -> Result<Self> {
        let mut ids = HashMap::with_capacity(names.len());
        for (i, name) in names.iter().enumerate() {
            if ids.insert(name.clone(), i as i64 + UNKNOWN + 1).is_some() {
                return Err(Error::config(format!("vocabulary lists {name:?} twice")));
            }
        }
        Ok(Self { names, ids })
    }

    pub fn id(&self, name: &str) -> i64 {
        self.ids.get(name).copied().unwrap_or(UNKNOWN)
    }

    pub fn contains(&self, name: &str) -> bool {
        self.ids.contains_key(name)
    }

    /// The listed names, in id order, from id 2 on.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of ids: the names, padding and "unknown".
    pub fn size(&self) -> i64 {
        self.names.len() as i64 + UNKNOWN + 1
    }
}

/// All that a model knows by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vocabularies {
    /// Lower-cased words.
    pub words: Vocab,
    /// Characters, case kept.
    pub chars: Vocab,
    /// Labels of each task, without "none".
    pub labels: IndexMap<String, Vec<String>>,
    /// What a transformer reads.
    pub pieces: Option<Pieces>,
    /// How an ELMo reads.
    pub elmo: Option<ElmoOptions>,
}

impl Vocabularies {
    /// The labels of `task`; empty for a task without labels, such as coreference.
    pub fn labels(&self, task: &str) -> &[String] {
        self.labels.get(task).map_or(&[], Vec::as_slice)
    }

    /// Index of a label of `task`, if the model knows it.
    pub fn label(&self, task: &str, label: &str) -> Option<usize> {
        self.labels(task).iter().position(|l| l == label)
    }
}
