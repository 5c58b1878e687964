//! [`SpanVectors`]: what coarse-to-fine coreference knows of a span.
//!
//! A span is projected once to `p` numbers,
//!
//! ```text
//! g = A h_first + B h_last + C sum_t(a_t x_t) + width + E tanh(mean_t D h_t)
//! ```
//!
//! with `a` a softmax over the span's tokens, `h` the encoder's output and `x` its input. The last
//! term, over all tokens of the document, is there with `genre_size`.

use tch::{Kind, Tensor};

use super::DocumentInput;
use super::candidates::Candidates;
use super::fast::{FastSpans, SpanWeights};
use super::sums::{mean_between, running_sums, sum_between};
use crate::Result;
use crate::config::MentionRankingConfig;
use crate::dropout::Dropout as _;
use crate::encode::Widths;
use crate::params::Init;

#[derive(Debug)]
pub(super) struct SpanVectors {
    first: Tensor,     // (projection, encoded)
    last: Tensor,      // (projection, encoded)
    content: Tensor,   // (projection, input)
    attention: Tensor, // (1, input)
    width: Tensor,     // (max_span_width, projection)
    genre: Option<Genre>,
    /// Columns of the encoder's input that may come by word.
    by_word: i64,
}

/// What sums up a document for its spans.
#[derive(Debug)]
struct Genre {
    down: Tensor, // (genre, encoded)
    up: Tensor,   // (projection, genre)
}

/// What tokens and their documents give to spans; `content` and `weight` are running sums.
pub(super) struct Tokens {
    first: Tensor,         // (N, p)
    last: Tensor,          // (N, p)
    content: Tensor,       // (N + 1, p)
    weight: Tensor,        // (N + 1, 1)
    genre: Option<Tensor>, // (documents, p)
    document: Tensor,      // (N)
}

impl SpanVectors {
    /// `widths` are those of the encoder.
    pub(super) fn new(
        get: &mut impl FnMut(&str, &[i64], Init) -> Result<Tensor>,
        widths: Widths,
        projection: i64,
        config: &MentionRankingConfig,
    ) -> Result<Self> {
        let (p, xavier) = (projection, Init::XavierUniform);
        let Widths { input, by_word, output: encoded } = widths;
        Ok(Self {
            by_word,
            first: get("span.first", &[p, encoded], xavier)?,
            last: get("span.last", &[p, encoded], xavier)?,
            content: get("span.content", &[p, input], xavier)?,
            attention: get("span.attention", &[1, input], xavier)?,
            width: get("span.width", &[config.max_span_width as i64, p], Init::Normal(0.1))?,
            genre: match config.genre_size {
                Some(size) => Some(Genre {
                    down: get("genre.down", &[size, encoded], xavier)?,
                    up: get("genre.up", &[p, size], xavier)?,
                }),
                None => None,
            },
        })
    }

    pub(super) fn fast(&self) -> Result<FastSpans> {
        FastSpans::new(&SpanWeights {
            first: &self.first,
            last: &self.last,
            content: &self.content,
            attention: &self.attention,
            width: &self.width,
            by_word: self.by_word as usize,
            genre: self.genre.as_ref().map(|genre| (&genre.down, &genre.up)),
        })
    }

    /// What each token gives to the spans it begins, ends and is inside of, how much attention it
    /// draws, and what it gives to the genre: (..., 3 * projection + 1 + genre).
    pub(super) fn token_rows(
        &self,
        encoded: &Tensor,
        inputs: &Tensor,
        dropout: f64,
        train: bool,
    ) -> Result<Tensor> {
        let part = |x: &Tensor, weight: &Tensor| -> Result<Tensor> {
            x.f_linear::<&Tensor>(weight, None)?.dropped(dropout, train)
        };
        let content = part(inputs, &self.content)?;
        let (first, last) = (part(encoded, &self.first)?, part(encoded, &self.last)?);
        let attention = inputs.f_linear::<&Tensor>(&self.attention, None)?;
        let mut parts = vec![first, last, content, attention];
        if let Some(genre) = &self.genre {
            parts.push(part(encoded, &genre.down)?);
        }
        Ok(Tensor::f_cat(&parts, -1)?)
    }

    /// The rows of the tokens, summed up for differences.
    pub(super) fn tokens(&self, x: &DocumentInput, candidates: &Candidates) -> Result<Tokens> {
        let p = self.first.size()[0];
        let weight = x.columns(3 * p, 1)?.f_clamp(-15.0, 15.0)?.f_to_kind(Kind::Double)?.f_exp()?; // (N, 1)
        let Candidates { document, bounds, .. } = candidates;
        let genre = |genre: &Genre| -> Result<Tensor> {
            let sums = running_sums(&x.columns(3 * p + 1, genre.down.size()[0])?)?;
            let count = x.documents.len() as i64;
            let (start, end) = (bounds.f_narrow(0, 0, count)?, bounds.f_narrow(0, 1, count)?);
            let mean = mean_between(&sums, &start, &end)?.f_tanh()?; // (documents, genre)
            Ok(mean.f_linear::<&Tensor>(&genre.up, None)?)
        };
        Ok(Tokens {
            first: x.columns(0, p)?,
            last: x.columns(p, p)?,
            content: running_sums(&x.columns(2 * p, p)?.f_mul(&weight)?)?,
            weight: running_sums(&weight)?,
            genre: self.genre.as_ref().map(genre).transpose()?,
            document: document.shallow_clone(),
        })
    }

    /// Of the spans from `first` up to `last`, (spans) each: (spans, projection).
    pub(super) fn vectors(&self, tokens: &Tokens, first: &Tensor, last: &Tensor) -> Result<Tensor> {
        let inside = last.f_sub_scalar(1)?;
        let content = sum_between(&tokens.content, first, last)?
            .f_div(&sum_between(&tokens.weight, first, last)?)?
            .f_to_kind(Kind::Float)?;
        let vectors = content
            .f_add(&tokens.first.f_index_select(0, first)?)?
            .f_add(&tokens.last.f_index_select(0, &inside)?)?
            .f_add(&self.width.f_index_select(0, &inside.f_sub(first)?)?)?;
        match &tokens.genre {
            Some(genre) if genre.size()[0] == 1 => Ok(vectors.f_add(genre)?),
            Some(genre) => {
                let document = tokens.document.f_index_select(0, first)?;
                Ok(vectors.f_add(&genre.f_index_select(0, &document)?)?)
            }
            None => Ok(vectors),
        }
    }
}
