//! [`Lstm`]: one layer of a bidirectional LSTM (Hochreiter and Schmidhuber 1997; gates as in PyTorch).
//!
//! `i, f, o = sigmoid(.)`, `g = tanh(.)` of `W x_t + b + U h_(t-1)`; `c_t = f c_(t-1) + i g`;
//! `h_t = o tanh(c_t)`. The products with the inputs are one for all tokens, and those with word
//! vectors one for all distinct words. Sequences of a batch take their steps together, the longest
//! first, so that those still running are always the first rows and padding costs nothing.

use std::cell::Cell;
use std::ops::Range;

use tch::Tensor;

use super::matrix::{Matrix, Rows};
use super::split::{Input, OfWords, Split};
use super::values;
use crate::{Error, Result};

/// Units whose gates stand together: `i`, `f`, `g` and `o` of eight.
const GROUP: usize = 8;
const GATES: usize = 4;

/// Rows whose inputs are multiplied together, before the steps they belong to: enough to be quick
/// about it, few enough that their gates stay in the second cache.
const TOGETHER: usize = 96;

thread_local! {
    /// Room for the gates of distinct words and of some steps: megabytes that would come from the
    /// system every time.
    static ROOM: Cell<(OfWords, Vec<f32>)> = Cell::default();
}

/// A layer; see the module.
#[derive(Debug)]
pub(crate) struct Lstm {
    directions: [Direction; 2],
    hidden: usize,
}

#[derive(Debug)]
struct Direction {
    input: Split,
    recurrent: Matrix,
}

/// The weights of one direction, as PyTorch has them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LstmWeights<'a> {
    pub weight_ih: &'a [f32], // (4 * hidden, input)
    pub weight_hh: &'a [f32], // (4 * hidden, hidden)
    pub bias_ih: &'a [f32],   // (4 * hidden)
    pub bias_hh: &'a [f32],   // (4 * hidden)
}

impl<'a> LstmWeights<'a> {
    /// From a direction's tensors, in the order of the fields.
    pub(crate) fn new(tensors: &'a [Tensor]) -> Result<Self> {
        let [weight_ih, weight_hh, bias_ih, bias_hh] = tensors else {
            return Err(Error::Internal("an LSTM of other than four tensors".to_owned()));
        };
        Ok(Self {
            weight_ih: values(weight_ih)?,
            weight_hh: values(weight_hh)?,
            bias_ih: values(bias_ih)?,
            bias_hh: values(bias_hh)?,
        })
    }
}

impl Direction {
    fn new<'a>(weights: LstmWeights<'a>, [shared, own]: [usize; 2], hidden: usize) -> Self {
        let columns = hidden.div_ceil(GROUP) * GROUP * GATES;
        // The row of PyTorch's weights for a column of ours; none for units that fill up a group.
        let row = |column: usize| {
            let (group, within) = (column / (GROUP * GATES), column % (GROUP * GATES));
            let (gate, unit) = (within / GROUP, group * GROUP + within % GROUP);
            (unit < hidden).then(|| gate * hidden + unit)
        };
        let of_row = |weights: &'a [f32], width, column| {
            row(column).map(|r| &weights[r * width..(r + 1) * width])
        };
        let inputs = |column| of_row(weights.weight_ih, shared + own, column);
        let states = |column| of_row(weights.weight_hh, hidden, column);
        let bias = |c| row(c).map_or(0.0, |r| weights.bias_ih[r] + weights.bias_hh[r]);
        Self {
            input: Split::new(columns, [shared, own], inputs, bias),
            recurrent: Matrix::new(columns, hidden, states).compact(),
        }
    }
}

impl Lstm {
    /// Of the weights forwards and backwards. `inputs` are the columns that distinct words may give, which
    /// come first, and the others.
    pub(crate) fn new(weights: [LstmWeights; 2], inputs: [usize; 2], hidden: usize) -> Self {
        let directions = weights.map(|weights| Direction::new(weights, inputs, hidden));
        Self { directions, hidden }
    }

    /// See [`Split::remember`].
    pub(crate) fn remember(&mut self, words: &[f32]) {
        self.directions.iter_mut().for_each(|direction| direction.input.remember(words));
    }

    /// Of the rows of each of `sequences`, to `out` (rows, 2 * hidden). Rows outside of all sequences are left as they are.
    pub(crate) fn forward(&self, x: &Input, sequences: &[Range<usize>], out: &mut [f32]) {
        for at in 0..self.directions.len() {
            self.forward_one(at, x, sequences, &mut out[at * self.hidden..], 2 * self.hidden);
        }
    }

    /// The same forwards or backwards alone, to `out` (rows, hidden).
    pub(crate) fn forward_one_way(
        &self,
        is_backwards: bool,
        x: &Input,
        sequences: &[Range<usize>],
        out: &mut [f32],
    ) {
        self.forward_one(usize::from(is_backwards), x, sequences, out, self.hidden);
    }

    /// One direction. `out` begins at the first column to write of rows of `stride`.
    fn forward_one(
        &self,
        at: usize,
        x: &Input,
        sequences: &[Range<usize>],
        out: &mut [f32],
        stride: usize,
    ) {
        let mut order: Vec<&Range<usize>> = sequences.iter().filter(|s| !s.is_empty()).collect();
        order.sort_by_key(|s| std::cmp::Reverse(s.len()));
        // The sequences that are at their step, for each step.
        let longest = order.first().map_or(0, |s| s.len());
        let mut active = vec![0; longest];
        order.iter().for_each(|s| active[..s.len()].iter_mut().for_each(|n| *n += 1));
        let row = |s: &Range<usize>, t: usize| if at == 0 { s.start + t } else { s.end - 1 - t };
        let rows: Vec<usize> =
            (0..longest).flat_map(|t| order[..active[t]].iter().map(move |s| row(s, t))).collect();
        self.run(&self.directions[at], x, &rows, &active, out, stride);
    }

    /// `rows` has the rows of the first steps, then of the second ones, and so on.
    fn run(
        &self,
        direction: &Direction,
        x: &Input,
        rows: &[usize],
        active: &[usize],
        out: &mut [f32],
        stride: usize,
    ) {
        let columns = direction.input.width();
        let units = columns / GATES;
        let (mut of_words, mut all_gates) = ROOM.take();
        direction.input.of_words(x, &mut of_words);
        let most = active.first().copied().unwrap_or(0);
        let (mut h, mut c) = (vec![0.0; most * units], vec![0.0; most * units]);
        let states: Vec<usize> = (0..most).map(|s| s * units).collect();
        let mut rest = rows;
        let mut step = 0;
        while step < active.len() {
            let (end, count) = together(active, step);
            let (some, later) = rest.split_at(count);
            direction.input.forward(x, &of_words, some, &mut all_gates);
            let mut done = 0;
            for (t, &n) in active.iter().enumerate().take(end).skip(step) {
                let gates = &mut all_gates[done * columns..(done + n) * columns];
                if t > 0 {
                    let h = Rows { data: &h, starts: &states[..n] };
                    direction.recurrent.add_product(h, gates);
                }
                update(gates, &mut c[..n * units], &mut h[..n * units]);
                for (h, row) in h.chunks(units).zip(&some[done..done + n]) {
                    out[row * stride..][..self.hidden].copy_from_slice(&h[..self.hidden]);
                }
                done += n;
            }
            (rest, step) = (later, end);
        }
        ROOM.set((of_words, all_gates));
    }
}

/// The steps from `step` on whose inputs are multiplied together: their end, and how many rows they have.
fn together(active: &[usize], step: usize) -> (usize, usize) {
    let mut rows = active[step];
    let mut end = step + 1;
    while end < active.len() && rows + active[end] <= TOGETHER {
        rows += active[end];
        end += 1;
    }
    (end, rows)
}

/// New states from the sums of the gates: (rows, 4 * units) and twice (rows, units).
fn update(gates: &[f32], c: &mut [f32], h: &mut [f32]) {
    assert!(gates.len() == GATES * c.len() && c.len() == h.len() && c.len().is_multiple_of(GROUP));
    // SAFETY: a layer is only made where the CPU has AVX2; the sizes are asserted.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        update_groups(gates, c, h);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn update_groups(gates: &[f32], c: &mut [f32], h: &mut [f32]) {
    use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_loadu_ps, _mm256_mul_ps, _mm256_storeu_ps};

    use super::math::{sigmoid, tanh};
    for group in 0..c.len() / GROUP {
        // SAFETY: each group has its gates and its units, as the caller says.
        unsafe {
            let gate = |n| _mm256_loadu_ps(gates.as_ptr().add((group * GATES + n) * GROUP));
            let c = c.as_mut_ptr().add(group * GROUP);
            let kept = _mm256_mul_ps(sigmoid(gate(1)), _mm256_loadu_ps(c));
            let next = _mm256_fmadd_ps(sigmoid(gate(0)), tanh(gate(2)), kept);
            _mm256_storeu_ps(c, next);
            let out = _mm256_mul_ps(sigmoid(gate(3)), tanh(next));
            _mm256_storeu_ps(h.as_mut_ptr().add(group * GROUP), out);
        }
    }
}
