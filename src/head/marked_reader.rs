//! [`MarkedReader`]: reads sentences again, knowing where the mentions are and of what type.
//!
//! ```text
//! x_t = h_t + sum over mentions m of t: M[type_m, place of t in m]
//! r   = BiLSTM(x)
//! ```
//!
//! where the places are the first token, the last one, and all. What lies between and around two
//! mentions is so read as in the typed markers of Zhong and Chen (NAACL 2021), but once for all
//! pairs of a sentence.

use std::ops::Range;

use tch::{Kind, Tensor};

use super::SequenceInput;
use crate::dropout::Dropout as _;
use crate::embed::TokenVectors;
use crate::encode::{BiLstm, LstmShape};
use crate::params::{Init, Params};
use crate::transfer::{upload_columns, upload_values};
use crate::{Cancel, Result, Span};

/// First, last and all tokens of a mention.
const PLACES: i64 = 3;
/// Tokens, padding included, read at a time when annotating: bounds memory on long documents.
const BLOCK: usize = 8192;

#[derive(Debug)]
pub(super) struct MarkedReader {
    marks: Tensor, // (PLACES * argument labels, input)
    lstm: BiLstm,
    dropout: f64,
}

impl MarkedReader {
    pub(super) fn new(
        params: &mut Params,
        prefix: &str,
        [input, hidden]: [i64; 2],
        labels: i64,
        dropout: f64,
    ) -> Result<Self> {
        let shape = LstmShape { input, hidden, layers: 1, dropout: 0.0, orthogonal: false };
        Ok(Self {
            marks: params.get(
                &format!("{prefix}.marks"),
                &[PLACES * labels, input],
                Init::Normal(0.1),
            )?,
            lstm: BiLstm::new(params, &format!("{prefix}.lstm"), shape, 0)?,
            dropout,
        })
    }

    /// Columns of what it gives.
    pub(super) fn width(&self) -> i64 {
        self.lstm.width()
    }

    /// `rows` (N, input) of the tokens of `sentences` with mentions marked, read: (N, width).
    pub(super) fn read(
        &self,
        rows: &Tensor,
        sentences: &[Range<usize>],
        mentions: &[(Span, usize)],
        train: bool,
        cancel: &Cancel,
    ) -> Result<Tensor> {
        let marked = self.mark(rows, mentions)?;
        let sentences: Vec<Range<usize>> =
            sentences.iter().filter(|s| !s.is_empty()).cloned().collect();
        let mut read = Vec::new();
        for block in blocks(&sentences, if train { usize::MAX } else { BLOCK }) {
            cancel.check()?;
            let x = SequenceInput::of_rows(&marked, block)?;
            let states = self.lstm.forward(&x.padding, &TokenVectors::Whole(x.encoded), train)?;
            let index = upload_values(&x.padding.places(), &[-1], rows.device())?;
            read.push(states.f_reshape([-1, self.width()])?.f_index_select(0, &index)?);
        }
        Tensor::f_cat(&read, 0)?.dropped(self.dropout, train)
    }

    /// Adds to each token what marks it: (N, input).
    fn mark(&self, rows: &Tensor, mentions: &[(Span, usize)]) -> Result<Tensor> {
        let (mut tokens, mut marks) = (Vec::new(), Vec::new());
        for &(span, label) in mentions {
            let first = PLACES * label as i64;
            let ends = [(span.first, first), (span.last - 1, first + 1)];
            let all = (span.first..span.last).map(|token| (token, first + 2));
            for (token, mark) in ends.into_iter().chain(all) {
                tokens.push(token as i64);
                marks.push(mark);
            }
        }
        let [tokens, marks] = upload_columns(&[tokens, marks], rows.device())?;
        let added = self.marks.f_index_select(0, &marks)?;
        let none = Tensor::f_zeros_like(rows)?.f_to_kind(Kind::Float)?;
        Ok(rows.f_add(&none.f_index_add(0, &tokens, &added)?)?)
    }
}

/// Runs of sentences that are at most `most` tokens when padded, or one sentence.
fn blocks(sentences: &[Range<usize>], most: usize) -> Vec<&[Range<usize>]> {
    let (mut blocks, mut start, mut longest) = (Vec::new(), 0, 0);
    for (at, sentence) in sentences.iter().enumerate() {
        longest = longest.max(sentence.len());
        if at > start && (at + 1 - start).saturating_mul(longest) > most {
            blocks.push(&sentences[start..at]);
            (start, longest) = (at, sentence.len());
        }
    }
    if start < sentences.len() {
        blocks.push(&sentences[start..]);
    }
    blocks
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn blocks_cover_all_sentences_in_order() {
        let ends = [3, 10, 11, 40, 41, 42, 43];
        let sentences: Vec<Range<usize>> = ends
            .iter()
            .enumerate()
            .map(|(at, &end)| if at == 0 { 0..end } else { ends[at - 1]..end })
            .collect();
        for most in [1, 5, 14, 1000] {
            let blocks = blocks(&sentences, most);
            assert!(blocks.iter().all(|b| {
                let longest = b.iter().map(Range::len).max().unwrap_or(0);
                b.len() == 1 || b.len() * longest <= most
            }));
            assert_eq!(blocks.concat(), sentences);
        }
    }

    #[test]
    fn a_mention_is_read_in_its_sentence_alone() {
        tch::manual_seed(1);
        let mut params = Params::random(Device::Cpu);
        let reader = MarkedReader::new(&mut params, "r", [6, 4], 2, 0.0).unwrap();
        let rows = Tensor::randn([9, 6], (Kind::Float, Device::Cpu));
        let sentences = [0..4, 4..4, 4..9];
        let read = |mentions: &[(Span, usize)]| {
            let _guard = tch::no_grad_guard();
            reader.read(&rows, &sentences, mentions, false, &Cancel::new()).unwrap()
        };
        let changed = |a: &Tensor, b: &Tensor| -> Vec<bool> {
            let most: Vec<f32> = (a - b).abs().amax([1], false).try_into().unwrap();
            most.into_iter().map(|x| x > 1e-6).collect()
        };
        let (none, one) = (read(&[]), read(&[(Span::new(5, 7), 1)]));
        assert_eq!(none.size(), [9, 8]);
        let expected: Vec<bool> = (0..9).map(|t| t >= 4).collect();
        assert_eq!(changed(&none, &one), expected);
        let other = read(&[(Span::new(5, 7), 0)]);
        assert_eq!(changed(&one, &other), expected);
    }
}
