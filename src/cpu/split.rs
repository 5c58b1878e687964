//! [`Split`]: a linear layer over columns of which the first may come by word.
//!
//! A batch says most words several times, so what their vectors give is worked out once for each
//! distinct word, and for the most frequent words of a language once for all times. Tokens begin with it where
//! they would begin with the bias.

use super::matrix::{Matrix, Rows};

/// A layer; see the module.
#[derive(Debug)]
pub(crate) struct Split {
    shared: Matrix,
    own: Matrix,
    bias: Vec<f32>,
    /// Columns that may come by word, and the others.
    inputs: [usize; 2],
    /// What the words with which the vocabulary begins give, with the bias: (words, width).
    frequent: Vec<f32>,
}

/// What a layer reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    /// (rows, input), without the columns that `words` has.
    pub rows: &'a [f32],
    pub words: Option<Words<'a>>,
}

/// The first columns of an input, once for each distinct word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'a> {
    /// (words, columns)
    pub rows: &'a [f32],
    /// For each row of the input, its word.
    pub index: &'a [i64],
    /// For each word its place in the vocabulary, if it is there.
    pub listed: &'a [Option<usize>],
}

/// What distinct words give.
#[derive(Debug, Default)]
pub(crate) struct OfWords {
    /// (words, width), with the bias.
    rows: Vec<f32>,
    /// For each word, its row.
    place: Vec<usize>,
}

impl Split {
    /// Of `outputs` rows of weights, each as `row` gives it and zero where it gives none.
    pub(crate) fn new<'a>(
        outputs: usize,
        inputs: [usize; 2],
        row: impl Fn(usize) -> Option<&'a [f32]>,
        bias: impl Fn(usize) -> f32,
    ) -> Self {
        let [shared, own] = inputs;
        let of = |columns: std::ops::Range<usize>| {
            let row = |output| Some(&row(output)?[columns.clone()]);
            Matrix::new(outputs, columns.len(), row).compact()
        };
        let (shared, own) = (of(0..shared), of(shared..shared + own));
        let mut padded = vec![0.0; own.width()];
        padded.iter_mut().enumerate().take(outputs).for_each(|(at, x)| *x = bias(at));
        Self { shared, own, bias: padded, inputs, frequent: Vec::new() }
    }

    /// The columns of a result: outputs, rounded up to whole panels.
    pub(crate) fn width(&self) -> usize {
        self.own.width()
    }

    /// Works out what the words with which the vocabulary begins give, (words, columns by word).
    pub(crate) fn remember(&mut self, words: &[f32]) {
        let width = self.inputs[0];
        let starts: Vec<usize> = (0..words.len() / width.max(1)).map(|w| w * width).collect();
        let mut frequent = Vec::new();
        self.begin(&self.shared, Rows { data: words, starts: &starts }, &mut frequent);
        self.frequent = frequent;
    }

    /// Sets `out` to what the distinct words of `x` give, if it has them.
    pub(crate) fn of_words(&self, x: &Input, out: &mut OfWords) {
        let Some(Words { rows, listed, .. }) = x.words else { return };
        let (width, columns) = (self.inputs[0], self.width());
        let known = |word: usize| self.frequent.chunks(columns).nth(listed[word]?);
        let (new, old): (Vec<usize>, Vec<usize>) =
            (0..listed.len()).partition(|&word| known(word).is_none());
        let starts: Vec<usize> = new.iter().map(|word| word * width).collect();
        self.begin(&self.shared, Rows { data: rows, starts: &starts }, &mut out.rows);
        old.iter().filter_map(|&word| known(word)).for_each(|row| out.rows.extend_from_slice(row));
        out.place.resize(listed.len(), 0);
        new.iter().chain(&old).enumerate().for_each(|(row, &word)| out.place[word] = row);
    }

    /// Sets `out` to the results of `rows` of `x`: (rows, width). `of_words` is what [`Split::of_words`] gave.
    pub(crate) fn forward(
        &self,
        x: &Input,
        of_words: &OfWords,
        rows: &[usize],
        out: &mut Vec<f32>,
    ) {
        let [shared, own] = self.inputs;
        let starts = |width: usize, first: usize| -> Vec<usize> {
            rows.iter().map(|row| row * width + first).collect()
        };
        match x.words {
            Some(Words { index, .. }) => {
                out.resize(rows.len() * self.width(), 0.0);
                let begin = |&row: &usize| of_words.place[index[row] as usize] * self.width();
                let begins: Vec<usize> = rows.iter().map(begin).collect();
                let base = Rows { data: &of_words.rows, starts: &begins };
                self.own.product_onto(Rows { data: x.rows, starts: &starts(own, 0) }, base, out);
            }
            None => {
                let all = shared + own;
                self.begin(&self.shared, Rows { data: x.rows, starts: &starts(all, 0) }, out);
                self.own.add_product(Rows { data: x.rows, starts: &starts(all, shared) }, out);
            }
        }
    }

    /// Sets `out` to the bias and products.
    fn begin(&self, matrix: &Matrix, x: Rows, out: &mut Vec<f32>) {
        out.resize(x.starts.len() * self.width(), 0.0);
        matrix.product_onto_bias(x, &self.bias, out);
    }
}

#[cfg(test)]
mod tests {
    use super::super::matrix::tests::number;
    use super::*;

    #[test]
    fn by_word_or_not_results_are_plain_sums() {
        if !super::super::is_available() {
            return;
        }
        for [shared, own] in [[3, 5], [0, 4], [6, 0]] {
            let (outputs, rows, all) = (19, 23, shared + own);
            let weights: Vec<f32> = (0..outputs * all).map(number).collect();
            let row = |o: usize| Some(&weights[o * all..(o + 1) * all]).filter(|_| o != 7);
            let mut layer = Split::new(outputs, [shared, own], row, |o| number(o + 50));
            let words: Vec<f32> = (0..4 * shared).map(|i| number(i + 9)).collect();
            let words_of = |word: usize| &words[word * shared..(word + 1) * shared];
            let index: Vec<i64> = (0..rows).map(|r| (r * r % 4) as i64).collect();
            let tokens: Vec<f32> = (0..rows * own).map(|i| number(i + 4)).collect();
            let side_by_side: Vec<f32> = (0..rows)
                .flat_map(|r| {
                    [words_of(index[r] as usize), &tokens[r * own..(r + 1) * own]].concat()
                })
                .collect();
            // Some of the rows, in another order.
            let some: Vec<usize> = (0..rows).rev().step_by(2).collect();
            let listed = [None, Some(2), Some(0), Some(1)];
            let by_word = Words { rows: &words, index: &index, listed: &listed };
            let by_word = Some(by_word).filter(|_| shared > 0);
            for (words, remembered) in [(None, 0), (by_word, 0), (by_word, 2)] {
                // The vocabulary begins with the third and the fourth word.
                let first = [words_of(2), words_of(3)].concat();
                layer.remember(&first[..remembered * shared]);
                let x = match words {
                    Some(_) => Input { rows: &tokens, words },
                    None => Input { rows: &side_by_side, words },
                };
                // What was there before does not matter.
                let mut of_words = OfWords { rows: vec![5.0; 7], place: vec![9; 2] };
                let mut out = vec![5.0; 7];
                layer.of_words(&x, &mut of_words);
                layer.forward(&x, &of_words, &some, &mut out);
                assert_eq!(out.len(), some.len() * layer.width());
                for (at, r) in some.iter().enumerate() {
                    for o in 0..outputs {
                        let x = &side_by_side[r * all..(r + 1) * all];
                        let dot = |w: &[f32]| x.iter().zip(w).map(|(x, w)| x * w).sum::<f32>();
                        let plain = row(o).map_or(0.0, dot) + number(o + 50);
                        let got = out[at * layer.width() + o];
                        assert!((got - plain).abs() < 1e-5, "{got} {plain}");
                    }
                }
            }
        }
    }
}
