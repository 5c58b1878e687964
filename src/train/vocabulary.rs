//! Vocabularies from training data, and the word table from pretrained vectors.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use tch::Tensor;

use super::RunConfig;
use super::config::is_named;
use super::task_data::TaskData;
use crate::config::{ContextConfig, WordsConfig};
use crate::embed::vectors::{self, Vectors};
use crate::embed::{CHAR_TABLE, WORD_TABLE, elmo, pretrained};
use crate::feature::{Vocab, Vocabularies};
use crate::transfer::host;
use crate::{Error, Result};

/// The vocabularies of a run, and the pretrained vectors of its words. The words of the model that
/// it starts from stand first; new ones follow where the run can learn something about them.
pub(super) fn build(
    run: &RunConfig,
    data: &IndexMap<String, TaskData>,
    labels: IndexMap<String, Vec<String>>,
    start: Option<&Vocabularies>,
) -> Result<(Vocabularies, Option<Vectors>)> {
    let (config, model) = (&run.vocabulary, &run.model);
    let mut words: BTreeMap<String, usize> = BTreeMap::new();
    let mut chars: BTreeMap<char, usize> = BTreeMap::new();
    let mut seen = HashSet::new();
    // Tasks share documents: each counts once.
    let docs =
        data.values().flat_map(|t| &t.train).filter(|d| seen.insert(std::sync::Arc::as_ptr(d)));
    for doc in docs {
        for t in 0..doc.tokens.len() {
            let word = doc.token_text(t);
            *words.entry(word.to_lowercase()).or_default() += 1;
            for c in word.chars() {
                *chars.entry(c).or_default() += 1;
            }
        }
    }
    let vectors = match &config.vectors {
        Some(path) => {
            let wanted: HashSet<String> = words.keys().cloned().collect();
            let vectors = vectors::read(path, config.extra_words, &wanted)?;
            let Some(WordsConfig::Table { size, .. }) = model.embedding.words else {
                return Err(Error::config("vocabulary.vectors without embedding.words"));
            };
            if vectors.size as i64 != size {
                let message = format!("vectors have {} dimensions, the model {size}", vectors.size);
                return Err(Error::config(message));
            }
            Some(vectors)
        }
        None => None,
    };
    let known: HashSet<&str> = vectors.iter().flat_map(|v| &v.words).map(String::as_str).collect();
    let mut names: Vec<String> = by_count(&words)
        .filter(|(word, n)| *n >= config.min_count || known.contains(word.as_str()))
        .map(|(word, _)| word.clone())
        .collect();
    for word in vectors.iter().flat_map(|v| &v.words) {
        if !words.contains_key(word) {
            names.push(word.clone());
        }
    }
    // A name stands on a line of its own in the model directory.
    names.retain(|n| !n.contains(['\n', '\r']));
    let mut chars: Vec<String> = by_count(&chars)
        .filter(|(c, _)| !matches!(c, '\n' | '\r'))
        .map(|(c, _)| c.to_string())
        .collect();
    if let Some(start) = start {
        let learns = |table: &str| !is_named(table, &run.training.freeze);
        let trainable =
            matches!(model.embedding.words, Some(WordsConfig::Table { trainable: true, .. }));
        let trainable = trainable && learns(WORD_TABLE);
        // A new word without a vector, and without a chance to learn one, is an unknown word; so is
        // a character. Random rows that nothing ever learned to read would be worse.
        names.retain(|n| trainable || known.contains(n.as_str()));
        chars.retain(|_| learns(CHAR_TABLE));
        names = after(&start.words, names);
        chars = after(&start.chars, chars);
    }
    if model.embedding.words.is_none() {
        names.clear();
    }
    let context = &model.embedding.context;
    let fits = matches!(context, Some(ContextConfig::Transformer(_)));
    let known = start.and_then(|s| s.pieces.clone());
    let pieces = of_context("transformer", &config.transformer, known, fits, pretrained::pieces)?;
    let fits = matches!(context, Some(ContextConfig::Elmo(_)));
    let known = start.and_then(|s| s.elmo.clone());
    let elmo = of_context("elmo", &config.elmo, known, fits, elmo::options)?;
    let (words, chars) = (Vocab::new(names)?, Vocab::new(chars)?);
    Ok((Vocabularies { words, chars, labels, pieces, elmo }, vectors))
}

/// What a context embedder reads: that of the folder `dir`, or of the model to start from, which
/// has it already.
fn of_context<T>(
    name: &str,
    dir: &Option<PathBuf>,
    known: Option<T>,
    fits: bool,
    read: impl Fn(&Path) -> Result<T>,
) -> Result<Option<T>> {
    let refused = |what: &str| Err(Error::config(format!("vocabulary.{name}{what}")));
    let found = match (dir, known) {
        (Some(_), Some(_)) => return refused(": the model of `start` has one already"),
        (Some(dir), None) => Some(read(dir)?),
        (None, known) => known,
    };
    if found.is_some() && !fits {
        return refused(" without embedding.context of its type");
    }
    Ok(found)
}

/// The names of a vocabulary, then those that are new.
fn after(start: &Vocab, names: Vec<String>) -> Vec<String> {
    let new = names.into_iter().filter(|n| !start.contains(n));
    start.names().map(str::to_owned).chain(new).collect()
}

/// The most frequent first, equal ones in their order.
fn by_count<T: Ord>(counts: &BTreeMap<T, usize>) -> impl Iterator<Item = (&T, usize)> {
    let mut sorted: Vec<(&T, usize)> = counts.iter().map(|(t, n)| (t, *n)).collect();
    sorted.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    sorted.into_iter()
}

/// The word table: the vectors, and for other words draws from their distribution, as in 2018.
pub(super) fn word_table(vocab: &Vocab, vectors: &Vectors, rng: &mut ChaCha8Rng) -> Result<Tensor> {
    let rows: HashMap<&str, usize> =
        vectors.words.iter().enumerate().map(|(i, w)| (w.as_str(), i)).collect();
    let count = vectors.rows.len().max(1) as f64;
    let mean = vectors.rows.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
    let square = vectors.rows.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>();
    let std = (square / count).sqrt();
    let mut table = Vec::with_capacity(vocab.size() as usize * vectors.size);
    let names = [None, None].into_iter().chain(vocab.names().map(Some)); // padding, unknown
    for name in names {
        match name.and_then(|n| rows.get(n)) {
            Some(&row) => table.extend_from_slice(vectors.row(row)),
            None => table.extend((0..vectors.size).map(|_| {
                // Box and Muller: two uniform draws give a normal one.
                let (u, v): (f64, f64) = (rng.random_range(f64::MIN_POSITIVE..1.0), rng.random());
                let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
                (mean + std * normal) as f32
            })),
        }
    }
    Ok(host(&table)?.f_view([vocab.size(), vectors.size as i64])?)
}
