//! [`Batch`]: sequences of words as padded tensors of ids.

use std::collections::HashMap;

use tch::{Device, Tensor};

use super::{ElmoBatch, PADDING, Padding, PieceBatch, Vocabularies};
use crate::Result;
use crate::transfer::{host, upload_all};

/// Longer words are cut to this many characters for the character network, unless padding is
/// pooled: what tells a longer one apart stands in its first characters.
const MAX_CHARS: usize = 64;
/// Characters, padding included, in one piece of `spellings`: one endless word among thousands
/// must not make all of them as wide.
const MAX_CELLS: usize = 1 << 16;

/// Ids of some sequences. Each distinct word is spelled out once.
#[derive(Debug)]
pub struct Batch {
    /// (B, L), padding 0.
    pub words: Tensor,
    /// Characters of the distinct words, shortest first, the empty word of padding among them:
    /// pieces of (U, C), each as wide as its longest word and bounded in size.
    pub spellings: Vec<Tensor>,
    /// (B, L): rows of `spellings`, one piece after the other.
    pub spelling: Tensor,
    /// Characters of the longest word.
    pub longest_spelling: i64,
    /// For each distinct word its place in the vocabulary, if that lists it as it is spelled here.
    pub listed: Vec<Option<usize>>,
    pub padding: Padding,
    /// What a transformer reads.
    pub pieces: Option<PieceBatch>,
    /// What ELMo reads.
    pub elmo: Option<ElmoBatch>,
}

/// How sequences are turned into ids.
#[derive(Clone, Copy, Debug, Default)]
pub struct BatchOptions {
    /// Keeps words of any length whole for the character network.
    pub whole_spelling: bool,
    /// Pieces in a window and those that two share, for a transformer.
    pub window: Option<(usize, usize)>,
}

impl Batch {
    /// Sequences of at least one word each.
    pub fn new<S: AsRef<str>>(
        sequences: &[Vec<S>],
        vocab: &Vocabularies,
        options: BatchOptions,
        device: Device,
    ) -> Result<Self> {
        let lengths: Vec<usize> = sequences.iter().map(Vec::len).collect();
        let length = lengths.iter().copied().max().unwrap_or(0);
        let cells = lengths.len() * length;
        let mut words = vec![PADDING; cells];
        let mut spelling = vec![0_i64; cells];
        let mut distinct: HashMap<&str, (i64, i64)> = HashMap::new(); // spelling row, word id
        let mut spelled: Vec<Vec<i64>> = vec![Vec::new()];
        let mut places = vec![None];
        for (b, sequence) in sequences.iter().enumerate() {
            for (i, word) in sequence.iter().enumerate() {
                let word = word.as_ref();
                let at = b * length + i;
                let (row, id) = *distinct.entry(word).or_insert_with(|| {
                    let limit = if options.whole_spelling { usize::MAX } else { MAX_CHARS };
                    let mut buffer = [0; 4];
                    let id = |c: char| vocab.chars.id(c.encode_utf8(&mut buffer));
                    spelled.push(word.chars().take(limit).map(id).collect());
                    let lower = word.to_lowercase();
                    places.push(vocab.words.place(&lower).filter(|_| lower == word));
                    (spelled.len() as i64 - 1, vocab.words.id(&lower))
                });
                words[at] = id;
                spelling[at] = row;
            }
        }
        let (spellings, sorted) = spell(&spelled, PADDING, MAX_CELLS)?;
        for row in &mut spelling {
            *row = sorted[*row as usize];
        }
        let mut listed = vec![None; places.len()];
        places.iter().zip(&sorted).for_each(|(place, &row)| listed[row as usize] = *place);
        let longest = spelled.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let shape = [lengths.len() as i64, length as i64];
        let pieces = match (&vocab.pieces, options.window) {
            (Some(pieces), Some(window)) => Some(pieces.batch(sequences, window)?),
            _ => None,
        };
        let elmo = match &vocab.elmo {
            Some(options) => Some(ElmoBatch::new(sequences, options)?),
            None => None,
        };
        let mut batch = Self {
            words: host(&words)?.f_view(shape)?,
            spellings,
            longest_spelling: longest as i64,
            spelling: host(&spelling)?.f_view(shape)?,
            listed,
            padding: Padding::of_host(lengths)?,
            pieces,
            elmo,
        };
        upload_all(&mut batch.tensors(), device)?;
        Ok(batch)
    }

    /// All that a device must have.
    fn tensors(&mut self) -> Vec<&mut Tensor> {
        let mut all = vec![&mut self.words, &mut self.spelling];
        all.extend(&mut self.spellings);
        all.extend(self.padding.tensors());
        all.extend(self.pieces.iter_mut().flat_map(PieceBatch::tensors));
        all.extend(self.elmo.iter_mut().flat_map(ElmoBatch::tensors));
        all
    }
}

/// Spelled words, shortest first, filled up and cut into tensors (U, C) of at most `most` ids or of one
/// word that has more; and for each word its row, one tensor after the other.
pub(super) fn spell(
    spelled: &[Vec<i64>],
    fill: i64,
    most: usize,
) -> Result<(Vec<Tensor>, Vec<i64>)> {
    let mut order: Vec<usize> = (0..spelled.len()).collect();
    order.sort_by_key(|&word| spelled[word].len());
    let mut rows = vec![0_i64; order.len()];
    for (row, &word) in order.iter().enumerate() {
        rows[word] = row as i64;
    }
    let width = |row: usize| spelled[order[row]].len().max(1);
    let (mut pieces, mut start) = (Vec::new(), 0);
    while start < order.len() {
        let mut end = start + 1;
        while end < order.len() && (end - start + 1) * width(end) <= most {
            end += 1;
        }
        let longest = width(end - 1);
        let mut ids = vec![fill; (end - start) * longest];
        for (row, &word) in ids.chunks_mut(longest).zip(&order[start..end]) {
            row[..spelled[word].len()].copy_from_slice(&spelled[word]);
        }
        let shape = [(end - start) as i64, longest as i64];
        pieces.push(host(&ids)?.f_view(shape)?);
        start = end;
    }
    Ok((pieces, rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::Vocab;

    #[test]
    fn words_are_lower_cased_and_their_characters_are_not() {
        let names = |names: &[&str]| Vocab::new(names);
        let vocab = Vocabularies {
            words: names(&["rain"]).unwrap(),
            chars: names(&["R", "r", "a"]).unwrap(),
            ..Vocabularies::default()
        };
        let sequences = [vec!["Rain", "a", "rain"], vec!["Rain"]];
        let batch = Batch::new(&sequences, &vocab, BatchOptions::default(), Device::Cpu).unwrap();
        let rows = |t: &Tensor| Vec::<Vec<i64>>::try_from(t).unwrap();
        assert_eq!(rows(&batch.words), [[2, 1, 2], [2, 0, 0]]);
        assert_eq!(rows(&batch.spelling), [[2, 1, 3], [2, 0, 0]]);
        let spelled = [[0, 0, 0, 0], [4, 0, 0, 0], [2, 4, 1, 1], [3, 4, 1, 1]];
        assert_eq!(rows(&batch.spellings[0]), spelled);
        assert_eq!(Vec::<i64>::try_from(&batch.padding.reversal).unwrap(), [2, 1, 0, 3, 4, 5]);
    }

    #[test]
    fn an_endless_word_widens_no_other() {
        let endless = "x".repeat(MAX_CELLS + 1);
        let mut words: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        words.push(endless);
        let batch = Batch::new(
            &[words],
            &Vocabularies::default(),
            BatchOptions { whole_spelling: true, ..BatchOptions::default() },
            Device::Cpu,
        )
        .unwrap();
        let sizes: Vec<Vec<i64>> = batch.spellings.iter().map(Tensor::size).collect();
        assert_eq!(sizes, [vec![1001, 3], vec![1, MAX_CELLS as i64 + 1]]);
    }
}
