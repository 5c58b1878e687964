//! [`Pieces`]: words to the pieces that a transformer reads.
//!
//! A word is cut by the tokenizer on its own, as `transformers` does with words that are given
//! one by one. A sequence of more pieces than the transformer has positions is read in windows that
//! overlap; a word is taken from the window in whose middle it stands.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use tch::Tensor;
use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer as _, Tokenizer};

use crate::transfer::host;
use crate::{Error, Result};

/// A transformer's tokenizer, and its description, as Hugging Face's files hold them.
#[derive(Clone)]
pub struct Pieces(Arc<Inner>);

struct Inner {
    /// `config.json`.
    config: String,
    /// `tokenizer.json`.
    json: String,
    tokenizer: Tokenizer,
    /// Before and after every window, such as [CLS] and [SEP].
    ends: (u32, u32),
    padding: u32,
    /// Words are cut as they would be after a space.
    spaced: bool,
}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Pieces({})", self.0.tokenizer.get_vocab_size(true))
    }
}

impl PartialEq for Pieces {
    fn eq(&self, other: &Self) -> bool {
        (&self.0.config, &self.0.json) == (&other.0.config, &other.0.json)
    }
}

/// The pieces of a batch of sequences.
#[derive(Debug)]
pub struct PieceBatch {
    /// (R, P): windows of pieces with their ends, padded.
    pub ids: Tensor,
    /// (R, P): true at pieces.
    pub present: Tensor,
    /// (B * L): where the first piece of each word stands in `ids`, flat; 0 at padding.
    pub first: Tensor,
    /// (N): where each piece of each word stands, flat.
    pub pieces: Tensor,
    /// (N): the word, flat in (B * L), that each of `pieces` belongs to.
    pub words: Tensor,
    /// (B * L, 1): pieces of each word, at least 1; float.
    pub counts: Tensor,
}

impl PieceBatch {
    /// All that a device must have.
    pub(super) fn tensors(&mut self) -> [&mut Tensor; 6] {
        let Self { ids, present, first, pieces, words, counts } = self;
        [ids, present, first, pieces, words, counts]
    }
}

impl Pieces {
    /// Reads a tokenizer; errors name its file as `tokenizer.json`.
    pub fn new(config: String, json: String) -> Result<Self> {
        let bad = |e: &dyn fmt::Display| Error::config(format!("tokenizer.json: {e}"));
        let mut tokenizer: Tokenizer = json.parse().map_err(|e: tokenizers::Error| bad(&e))?;
        // Nothing is cut off, and padding is ours.
        tokenizer.with_truncation(None).map_err(|e| bad(&e))?;
        tokenizer.with_padding(None);
        let empty = tokenizer.encode("", true).map_err(|e| bad(&e))?;
        let &[first, last] = empty.get_ids() else {
            return Err(bad(&"does not put one piece before a text and one after it"));
        };
        let id = |names: &[&str]| names.iter().find_map(|name| tokenizer.token_to_id(name));
        let padding = id(&["[PAD]", "<pad>"]).unwrap_or(last);
        let spaced = marks_spaces(&tokenizer);
        let ends = (first, last);
        Ok(Self(Arc::new(Inner { config, json, tokenizer, ends, padding, spaced })))
    }

    pub fn config(&self) -> &str {
        &self.0.config
    }

    pub fn tokenizer(&self) -> &str {
        &self.0.json
    }

    /// The ids of a word's pieces; none if the tokenizer drops all of it.
    fn of_word(&self, word: &str) -> Result<Vec<i64>> {
        let spaced;
        let text = if self.0.spaced {
            spaced = format!(" {word}");
            &spaced
        } else {
            word
        };
        let encoding = self.0.tokenizer.encode_fast(text, false);
        let encoding = encoding.map_err(|e| Error::Internal(format!("tokenizer: {e}")))?;
        Ok(encoding.get_ids().iter().map(|&id| id.into()).collect())
    }

    /// Windows of at most `window` pieces, ends included, over sequences of words; those of one
    /// sequence overlap in `overlap` pieces. A word longer than a window is cut to it; one without
    /// pieces is taken from the beginning of its window.
    pub fn batch<S: AsRef<str>>(
        &self,
        sequences: &[Vec<S>],
        (window, overlap): (usize, usize),
    ) -> Result<PieceBatch> {
        let room = window - 2;
        let length = sequences.iter().map(Vec::len).max().unwrap_or(0);
        let mut known: HashMap<&str, Vec<i64>> = HashMap::new();
        let mut rows: Vec<Vec<i64>> = Vec::new();
        // For each cell, its window and the places of its pieces there.
        let mut places: Vec<Option<(usize, Range<usize>)>> = vec![None; sequences.len() * length];
        for (b, sequence) in sequences.iter().enumerate() {
            let mut words: Vec<&[i64]> = Vec::with_capacity(sequence.len());
            for word in sequence {
                let word = word.as_ref();
                if !known.contains_key(word) {
                    let mut ids = self.of_word(word)?;
                    ids.truncate(room);
                    known.insert(word, ids);
                }
            }
            words.extend(sequence.iter().map(|word| known[word.as_ref()].as_slice()));
            let lengths: Vec<usize> = words.iter().map(|w| w.len()).collect();
            for (range, own) in windows(&lengths, room, overlap) {
                let mut row = vec![i64::from(self.0.ends.0)];
                for at in range {
                    if own.contains(&at) {
                        let place = match lengths[at] {
                            0 => 0..1,
                            n => row.len()..row.len() + n,
                        };
                        places[b * length + at] = Some((rows.len(), place));
                    }
                    row.extend(words[at]);
                }
                row.push(self.0.ends.1.into());
                rows.push(row);
            }
        }
        self.tensors(&rows, &places)
    }

    fn tensors(
        &self,
        rows: &[Vec<i64>],
        places: &[Option<(usize, Range<usize>)>],
    ) -> Result<PieceBatch> {
        let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut ids = vec![i64::from(self.0.padding); rows.len() * longest];
        let mut present = vec![false; ids.len()];
        for (r, row) in rows.iter().enumerate() {
            ids[r * longest..][..row.len()].copy_from_slice(row);
            present[r * longest..][..row.len()].fill(true);
        }
        let (mut first, mut counts) = (vec![0_i64; places.len()], vec![1_f32; places.len()]);
        let (mut pieces, mut words) = (Vec::new(), Vec::new());
        for (cell, place) in places.iter().enumerate() {
            if let Some((row, range)) = place {
                first[cell] = (row * longest + range.start) as i64;
                counts[cell] = range.len() as f32;
                pieces.extend(range.clone().map(|at| (row * longest + at) as i64));
                words.extend(range.clone().map(|_| cell as i64));
            }
        }
        let shape = [rows.len() as i64, longest as i64];
        Ok(PieceBatch {
            ids: host(&ids)?.f_view(shape)?,
            present: host(&present)?.f_view(shape)?,
            first: host(&first)?,
            pieces: host(&pieces)?,
            words: host(&words)?,
            counts: host(&counts)?.f_unsqueeze(1)?,
        })
    }
}

/// Whether a space is part of the piece after it, as in byte-level BPE.
fn marks_spaces(tokenizer: &Tokenizer) -> bool {
    let Some(cutter) = tokenizer.get_pre_tokenizer() else { return false };
    let mut text = PreTokenizedString::from(" a");
    if cutter.pre_tokenize(&mut text).is_err() {
        return false;
    }
    let splits = text.get_splits(OffsetReferential::Original, OffsetType::Byte);
    splits.first().is_some_and(|(piece, ..)| piece.chars().count() > 1)
}

/// Windows over words of so many pieces, each with the words that are taken from it.
fn windows(lengths: &[usize], room: usize, overlap: usize) -> Vec<(Range<usize>, Range<usize>)> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    while start < lengths.len() {
        let (mut end, mut taken) = (start, 0);
        while end < lengths.len() && taken + lengths[end] <= room {
            taken += lengths[end];
            end += 1;
        }
        found.push(start..end);
        if end == lengths.len() {
            break;
        }
        let (mut next, mut shared) = (end, 0);
        while next > start + 1 && shared + lengths[next - 1] <= overlap {
            next -= 1;
            shared += lengths[next];
        }
        start = next;
    }
    let middle = |a: &Range<usize>, b: &Range<usize>| (b.start + a.end).div_ceil(2);
    (0..found.len())
        .map(|w| {
            let range = found[w].clone();
            let from = if w == 0 { 0 } else { middle(&found[w - 1], &range) };
            let to = found.get(w + 1).map_or(range.end, |next| middle(&range, next));
            (range, from..to)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_word_is_taken_from_one_window_that_holds_it(
            lengths in prop::collection::vec(0_usize..6, 0..60),
            room in 6_usize..20,
            overlap in 0_usize..12,
        ) {
            let windows = windows(&lengths, room, overlap);
            let mut next = 0;
            for (range, own) in &windows {
                prop_assert!(lengths[range.clone()].iter().sum::<usize>() <= room);
                prop_assert!(range.start <= own.start && own.end <= range.end);
                prop_assert_eq!(own.start, next);
                next = own.end;
            }
            prop_assert_eq!(next, lengths.len());
        }
    }

    #[test]
    fn a_word_in_two_windows_is_taken_from_the_nearer_middle() {
        let windows = windows(&[1; 10], 6, 4);
        assert_eq!(windows[0], (0..6, 0..4));
        assert_eq!(windows[1], (2..8, 4..6));
        assert_eq!(windows[2], (4..10, 6..10));
    }
}
