//! Names and their ids.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use indexmap::IndexMap;

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
    names: Arc<Names>,
}

/// Names in one text: a hundred thousand strings would take several times the memory, and
/// as many pieces of it.
#[derive(Debug, Default)]
struct Names {
    text: String,
    /// Where each name ends; the next begins there.
    ends: Vec<usize>,
    /// The names by hash.
    places: HashTable<u32>,
    hasher: RandomState,
}

impl Names {
    fn name(&self, at: usize) -> &str {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[at]]
    }

    fn place(&self, name: &str) -> Option<usize> {
        let is_it = |at: &u32| self.name(*at as usize) == name;
        self.places.find(self.hasher.hash_one(name), is_it).map(|at| *at as usize)
    }

    /// Fails on a name that is there.
    fn push(&mut self, name: &str) -> Result<()> {
        if self.place(name).is_some() {
            return Err(Error::config(format!("vocabulary lists {name:?} twice")));
        }
        let at = u32::try_from(self.ends.len())
            .map_err(|_| Error::config("vocabulary lists over four billion names"))?;
        self.text.push_str(name);
        self.ends.push(self.text.len());
        let Self { text, ends, places, hasher } = self;
        let hash = |at: &u32| {
            let start = (*at as usize).checked_sub(1).map_or(0, |before| ends[before]);
            hasher.hash_one(&text[start..ends[*at as usize]])
        };
        places.insert_unique(hasher.hash_one(name), at, hash);
        Ok(())
    }
}

impl Vocab {
    /// Fails on a name listed twice.
    pub fn new<S: AsRef<str>>(list: impl IntoIterator<Item = S>) -> Result<Self> {
        let mut names = Names::default();
        for name in list {
            names.push(name.as_ref())?;
        }
        Ok(Self { names: Arc::new(names) })
    }

    pub fn id(&self, name: &str) -> i64 {
        self.place(name).map_or(UNKNOWN, |at| at as i64 + UNKNOWN + 1)
    }

    /// Where a name is among [`Vocab::names`].
    pub fn place(&self, name: &str) -> Option<usize> {
        self.names.place(name)
    }

    pub fn contains(&self, name: &str) -> bool {
        self.names.place(name).is_some()
    }

    /// The listed names, in id order, from id 2 on.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.names.ends.len()).map(|at| self.names.name(at))
    }

    /// The number of ids: the names, padding and "unknown".
    pub fn size(&self) -> i64 {
        self.names.ends.len() as i64 + UNKNOWN + 1
    }
}

impl PartialEq for Vocab {
    fn eq(&self, other: &Self) -> bool {
        self.names.text == other.names.text && self.names.ends == other.names.ends
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_ids_and_others_are_unknown() {
        let list: Vec<String> = (0..5000).map(|n| format!("{}", n * n)).collect();
        let vocab = Vocab::new(&list).unwrap();
        assert_eq!(vocab.size(), 5002);
        assert!(vocab.names().eq(list.iter()));
        for (at, name) in list.iter().enumerate() {
            assert_eq!(vocab.id(name), at as i64 + 2);
        }
        // Parts of names are none.
        assert!(vocab.id("41") == UNKNOWN && vocab.id("") == UNKNOWN && !vocab.contains("00"));
        let twice = Vocab::new(["a", "b", "a"]).unwrap_err().to_string();
        assert!(twice.contains("\"a\" twice"), "{twice}");
        assert_eq!(Vocab::new(["", "ab"]).unwrap().id(""), 2);
        assert_ne!(Vocab::new(["ab", "c"]).unwrap(), Vocab::new(["a", "bc"]).unwrap());
    }
}
