//! Names and their ids.

use std::sync::Arc;

use foldhash::fast::RandomState;
use indexmap::{IndexMap, IndexSet};

use super::Pieces;
use crate::config::ElmoOptions;
use crate::{Error, Result};

/// Id of padding, which has no name.
pub const PADDING: i64 = 0;
/// Id of everything a vocabulary does not list.
pub const UNKNOWN: i64 = 1;

/// A list of names; ids start after padding and "unknown". Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Vocab {
    names: Arc<IndexSet<String, RandomState>>,
}

impl Vocab {
    /// Fails on a name listed twice.
    pub fn new(list: Vec<String>) -> Result<Self> {
        let mut names = IndexSet::with_capacity_and_hasher(list.len(), RandomState::default());
        for name in list {
            let (at, is_new) = names.insert_full(name);
            if !is_new {
                return Err(Error::config(format!("vocabulary lists {:?} twice", names[at])));
            }
        }
        Ok(Self { names: Arc::new(names) })
    }

    pub fn id(&self, name: &str) -> i64 {
        self.names.get_index_of(name).map_or(UNKNOWN, |at| at as i64 + UNKNOWN + 1)
    }

    pub fn contains(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// The listed names, in id order, from id 2 on.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &String> {
        self.names.iter()
    }

    /// The number of ids: the names, padding and "unknown".
    pub fn size(&self) -> i64 {
        self.names.len() as i64 + UNKNOWN + 1
    }
}

impl PartialEq for Vocab {
    fn eq(&self, other: &Self) -> bool {
        self.names.iter().eq(other.names.iter())
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
