//! [`TokenVectors`]: what is known of the tokens of a batch, side by side or by word.

use std::rc::Rc;

use tch::{Kind, Tensor};

use crate::dropout::Dropout as _;
use crate::transfer::upload_values;
use crate::{Result, cpu};

/// Vectors of the tokens of a batch: (B, L, width).
#[derive(Debug)]
pub enum TokenVectors {
    /// (B, L, width)
    Whole(Tensor),
    /// The first columns by word, the others by token.
    ByWord(ByWord),
}

/// Vectors whose first columns are those of words, which neither depend on their sentences nor have to be
/// learned: what reads them multiplies once for each word, and nothing is copied for each token.
#[derive(Debug)]
pub struct ByWord {
    /// Of distinct words: (words, width)
    pub words: Tensor,
    /// For each of the B * L positions, its word.
    pub index: Rc<[i64]>,
    /// For each word its place in the vocabulary, if it is there.
    pub listed: Rc<[Option<usize>]>,
    pub shape: [i64; 2], // B, L
    /// The other columns, (B, L, others), if there are any.
    pub own: Option<Tensor>,
}

impl TokenVectors {
    pub fn shallow_clone(&self) -> Self {
        match self {
            Self::Whole(whole) => Self::Whole(whole.shallow_clone()),
            Self::ByWord(ByWord { words, index, listed, shape, own }) => Self::ByWord(ByWord {
                words: words.shallow_clone(),
                index: Rc::clone(index),
                listed: Rc::clone(listed),
                shape: *shape,
                own: own.as_ref().map(Tensor::shallow_clone),
            }),
        }
    }

    /// All columns side by side: (B, L, width).
    pub fn whole(&self) -> Result<Tensor> {
        match self {
            Self::Whole(whole) => Ok(whole.shallow_clone()),
            Self::ByWord(ByWord { words, index, shape: [batch, length], own, .. }) => {
                let index = upload_values(index, &[-1], words.device())?;
                let tokens = words.f_index_select(0, &index)?.f_view([*batch, *length, -1])?;
                match own {
                    Some(own) => Ok(Tensor::f_cat(&[&tokens, own], 2)?),
                    None => Ok(tokens),
                }
            }
        }
    }

    /// These columns and after them those of `others`, (B, L, any) each.
    pub fn beside(&self, others: &[Tensor]) -> Result<Self> {
        let mut all = self.shallow_clone();
        match &mut all {
            Self::Whole(whole) => {
                if let Some(all) = joined(Some(whole), others)? {
                    *whole = all;
                }
            }
            Self::ByWord(by_word) => by_word.own = joined(by_word.own.as_ref(), others)?,
        }
        Ok(all)
    }

    /// For layers of `cpu`; see [`TokenVectors::contiguous`].
    pub(crate) fn input(&self) -> Result<cpu::Input<'_>> {
        Ok(match self {
            Self::Whole(whole) => cpu::Input { rows: cpu::values(whole)?, words: None },
            Self::ByWord(ByWord { words, index, listed, own, .. }) => cpu::Input {
                rows: own.as_ref().map_or(Ok(&[][..]), cpu::values)?,
                words: Some(cpu::Words { rows: cpu::values(words)?, index, listed }),
            },
        })
    }

    /// The same, row by row in memory.
    pub(crate) fn contiguous(&self) -> Result<Self> {
        let mut all = self.shallow_clone();
        match &mut all {
            Self::Whole(x) | Self::ByWord(ByWord { own: Some(x), .. }) => *x = x.f_contiguous()?,
            Self::ByWord(_) => {}
        }
        Ok(all)
    }

    /// With dropout when learning, for which they are side by side.
    pub fn dropped(self, rate: f64, train: bool) -> Result<Self> {
        match train {
            true => Ok(Self::Whole(self.whole()?.dropped(rate, train)?)),
            false => Ok(self),
        }
    }

    /// In single precision, as they are by word.
    pub fn single(&self) -> Result<Self> {
        match self {
            Self::Whole(whole) => Ok(Self::Whole(whole.f_to_kind(Kind::Float)?)),
            Self::ByWord(_) => Ok(self.shallow_clone()),
        }
    }
}

/// One after the other; none of none.
fn joined(first: Option<&Tensor>, others: &[Tensor]) -> Result<Option<Tensor>> {
    let all: Vec<&Tensor> = first.into_iter().chain(others).collect();
    Ok(match all[..] {
        [] => None,
        [only] => Some(only.shallow_clone()),
        _ => Some(Tensor::f_cat(&all, 2)?),
    })
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn vectors_by_word_are_those_side_by_side() {
        let random = |shape: &[i64]| Tensor::randn(shape, (Kind::Float, Device::Cpu));
        let (words, more) = (random(&[3, 4]), [random(&[2, 5, 1]), random(&[2, 5, 2])]);
        let index: Vec<i64> = (0..10).map(|at| at * at % 3).collect();
        let side_by_side = words.index_select(0, &Tensor::from_slice(&index)).view([2, 5, 4]);
        let by_word = TokenVectors::ByWord(ByWord {
            words,
            index: index.into(),
            listed: vec![None; 3].into(),
            shape: [2, 5],
            own: None,
        });
        let whole = TokenVectors::Whole(side_by_side);
        for others in [&more[..0], &more[..1], &more[..]] {
            let [a, b] = [&by_word, &whole].map(|x| x.beside(others).unwrap());
            assert_eq!(a.whole().unwrap(), b.whole().unwrap());
            assert_eq!(
                a.beside(&more).unwrap().whole().unwrap().size()[2],
                b.whole().unwrap().size()[2] + 3
            );
        }
    }
}
