//! [`FastBiaffine`]: see [`crate::head::Biaffine`].

use tch::Tensor;

use super::{every, linear};
use crate::Result;
use crate::cpu::{Linear, Matrix, Rows, relu, values};

/// Ends and scores; the ones beside the ends are in the biases.
#[derive(Debug)]
pub(in crate::head) struct FastBiaffine {
    start: Linear,
    end: Linear,
    /// hidden -> classes * (hidden + 1)
    product: Linear,
    width: Vec<f32>, // (widths, classes)
    classes: usize,
    hidden: usize,
}

impl FastBiaffine {
    /// `product` is (hidden + 1, classes, hidden + 1), `width` (widths, classes).
    pub(in crate::head) fn new(
        start: &(Tensor, Tensor),
        end: &(Tensor, Tensor),
        product: &Tensor,
        width: &Tensor,
    ) -> Result<Self> {
        let (rows, classes, _) = product.size3()?;
        let columns = (classes * rows) as usize;
        let weights = values(product)?;
        let hidden = rows as usize - 1;
        // (classes * (hidden + 1), hidden), and the row of the one as the bias.
        let turned: Vec<f32> = (0..columns)
            .flat_map(|column| (0..hidden).map(move |row| weights[row * columns + column]))
            .collect();
        Ok(Self {
            start: linear(&start.0, Some(&start.1))?,
            end: linear(&end.0, Some(&end.1))?,
            product: Linear::new(&turned, Some(&weights[hidden * columns..]), columns),
            width: values(width)?.to_vec(),
            classes: classes as usize,
            hidden,
        })
    }

    /// What the tokens at `starts` of `x` give as ends of spans: starts and ends, (tokens, padded hidden).
    pub(in crate::head) fn ends(&self, x: Rows) -> [Vec<f32>; 2] {
        [&self.start, &self.end].map(|layer| {
            let mut out = layer.forward(x);
            relu(&mut out);
            out
        })
    }

    /// Columns of the ends.
    pub(in crate::head) fn stride(&self) -> usize {
        self.start.width()
    }

    /// The best class and its probability for the spans that begin at one of `starts` and end at one of `ends`,
    /// rows as [`ends`](Self::ends) gives them, the first start and the first end being one token:
    /// calls `found` with row, column, class and probability where a class is better than none. No span is
    /// wider than `widest`.
    pub(in crate::head) fn best(
        &self,
        starts: &[f32],
        ends: &[f32],
        widest: usize,
        mut found: impl FnMut(usize, usize, usize, f32),
    ) {
        let (stride, classes, hidden) = (self.stride(), self.classes, self.hidden);
        let (at, data) = every(starts, stride);
        let products = self.product.forward(Rows { data, starts: &at }); // (rows, classes * (hidden + 1))
        let columns = ends.len() / stride;
        let ends = Matrix::new(columns, hidden, |c| Some(&ends[c * stride..c * stride + hidden]));
        let of_class =
            |row: usize| (row / classes) * self.product.width() + row % classes * (hidden + 1);
        let at: Vec<usize> = (0..at.len() * classes).map(of_class).collect();
        let mut scores = Vec::with_capacity(at.len() * ends.width());
        for &row in &at {
            scores.extend(std::iter::repeat_n(products[row + hidden], ends.width()));
        }
        ends.add_product(Rows { data: &products, starts: &at }, &mut scores);
        let widths = self.width.len() / classes;
        let mut logits = vec![0.0; classes];
        for (row, scores) in scores.chunks(classes * ends.width()).enumerate() {
            for column in row..columns.min(row + widest) {
                let width = &self.width[(column - row).min(widths - 1) * classes..][..classes];
                let (mut best, mut class) = (f32::NEG_INFINITY, 0);
                for (c, logit) in logits.iter_mut().enumerate() {
                    *logit = scores[c * ends.width() + column] + width[c];
                    if *logit > best {
                        (best, class) = (*logit, c);
                    }
                }
                if class > 0 {
                    let sum: f32 = logits.iter().map(|logit| (logit - best).exp()).sum();
                    found(row, column, class, 1.0 / sum);
                }
            }
        }
    }
}
