//! [`ElmoBatch`]: words to the characters that ELMo reads (Peters et al. 2018).
//!
//! As in `bilm-tf`, a word is its UTF-8 bytes between two marks, filled up to a fixed length; one that
//! is longer is cut. A sentence stands between two words of its own. Ids are one more than there, so
//! that 0 is left for padding: bytes 1 to 256, then the marks below.

use std::collections::HashMap;

use tch::Tensor;

use super::batch::spell;
use crate::Result;
use crate::config::ElmoOptions;
use crate::transfer::host;

/// Number of ids, padding among them.
pub const ELMO_CHARACTERS: i64 = 262;
/// What a word is filled up with.
pub const ELMO_FILL: i64 = 261;

const SENTENCE_BEGIN: i64 = 257;
const SENTENCE_END: i64 = 258;
const WORD_BEGIN: i64 = 259;
const WORD_END: i64 = 260;

/// Characters in one piece of `spellings`: each is convolved with a thousand filters.
const MAX_CELLS: usize = 1 << 14;

/// What ELMo reads of some sequences. Each distinct word is spelled out once.
#[derive(Debug)]
pub struct ElmoBatch {
    /// Characters of the distinct words, shortest first, both boundaries among them: pieces of
    /// (U, C), each as wide as its longest word; what is not there is fill.
    pub spellings: Vec<Tensor>,
    /// (B, L + 2): rows of `spellings`, one piece after the other, for each sequence with its
    /// boundaries; that of some word at padding.
    pub rows: Tensor,
    /// (B * (L + 2)): where each position stands in its sequence reversed, flat; padding stays put.
    pub reversal: Tensor,
}

impl ElmoBatch {
    pub fn new<S: AsRef<str>>(sequences: &[Vec<S>], options: &ElmoOptions) -> Result<Self> {
        let most = options.char_cnn.max_characters_per_token as usize;
        let length = sequences.iter().map(Vec::len).max().unwrap_or(0) + 2;
        let mut spelled =
            vec![marked(std::iter::once(SENTENCE_BEGIN)), marked(std::iter::once(SENTENCE_END))];
        let mut distinct: HashMap<&str, usize> = HashMap::new();
        let mut rows = vec![0_usize; sequences.len() * length];
        let mut reversal: Vec<i64> = (0..rows.len() as i64).collect();
        for (b, sequence) in sequences.iter().enumerate() {
            let start = b * length;
            for (i, word) in sequence.iter().enumerate() {
                let word = word.as_ref();
                rows[start + 1 + i] = *distinct.entry(word).or_insert_with(|| {
                    let bytes = word.bytes().take(most - 2);
                    spelled.push(marked(bytes.map(|b| i64::from(b) + 1)));
                    spelled.len() - 1
                });
            }
            let end = start + sequence.len() + 1;
            rows[end] = 1;
            reversal[start..=end].reverse();
        }
        let (spellings, sorted) = spell(&spelled, ELMO_FILL, MAX_CELLS)?;
        let rows: Vec<i64> = rows.into_iter().map(|row| sorted[row]).collect();
        let shape = [sequences.len() as i64, length as i64];
        Ok(Self { spellings, rows: host(&rows)?.f_view(shape)?, reversal: host(&reversal)? })
    }

    /// All that a device must have.
    pub(super) fn tensors(&mut self) -> impl Iterator<Item = &mut Tensor> {
        self.spellings.iter_mut().chain([&mut self.rows, &mut self.reversal])
    }

    /// Reverses each sequence with its boundaries in place: (B, L + 2, D) to (B, L + 2, D).
    pub fn reverse(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, length, width) = x.size3()?;
        Ok(x.f_reshape([-1, width])?
            .f_index_select(0, &self.reversal)?
            .f_view([batch, length, width])?)
    }
}

fn marked(characters: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut word = vec![WORD_BEGIN];
    word.extend(characters);
    word.push(WORD_END);
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> ElmoOptions {
        let text = serde_json::json!({
            "lstm": {"dim": 2, "projection_dim": 2, "n_layers": 1},
            "char_cnn": {"activation": "relu", "filters": [[1, 2]], "n_highway": 0,
                         "embedding": {"dim": 2}, "max_characters_per_token": 5},
        });
        ElmoOptions::parse(text.to_string()).unwrap()
    }

    #[test]
    fn words_are_bytes_between_marks() {
        let sequences = [vec!["\u{e9}a", "a"], vec!["abcdef"]];
        let batch = ElmoBatch::new(&sequences, &options()).unwrap();
        let rows = |t: &Tensor| Vec::<Vec<i64>>::try_from(t).unwrap();
        let (begin, end, fill) = (WORD_BEGIN, WORD_END, ELMO_FILL);
        let spelled = [
            [begin, SENTENCE_BEGIN, end, fill, fill],
            [begin, SENTENCE_END, end, fill, fill],
            [begin, 98, end, fill, fill],
            [begin, 196, 170, 98, end],
            [begin, 98, 99, 100, end],
        ];
        assert_eq!(rows(&batch.spellings[0]), spelled);
        assert_eq!(rows(&batch.rows), [[0, 3, 2, 1], [0, 4, 1, 0]]);
        let reversal = Vec::<i64>::try_from(&batch.reversal).unwrap();
        assert_eq!(reversal, [3, 2, 1, 0, 6, 5, 4, 7]);
    }
}
