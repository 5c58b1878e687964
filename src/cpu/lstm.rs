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
use super::values;
use crate::{Error, Result};

/// Units whose gates stand together: `i`, `f`, `g` and `o` of eight.
const GROUP: usize = 8;
const GATES: usize = 4;

thread_local! {
    /// Room for the gates of a batch: megabytes that would come from the system every time.
    static GATES_OF_BATCH: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// A layer; see the module.
#[derive(Debug)]
pub(crate) struct Lstm {
    directions: [Direction; 2],
    /// Columns of the input: those that distinct words may give, and the others.
    inputs: [usize; 2],
    hidden: usize,
}

#[derive(Debug)]
struct Direction {
    shared: Matrix,
    own: Matrix,
    recurrent: Matrix,
    bias: Vec<f32>,
}

/// What a layer reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LstmInput<'a> {
    /// (rows, input)
    pub rows: &'a [f32],
    /// The first columns of the input once for each distinct word, and for each row its word.
    pub shared: Option<(&'a [f32], &'a [usize])>,
    /// The rows of each sequence.
    pub sequences: &'a [Range<usize>],
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
    fn new(weights: LstmWeights, [shared, own]: [usize; 2], hidden: usize) -> Self {
        let columns = hidden.div_ceil(GROUP) * GROUP * GATES;
        // The row of PyTorch's weights for a column of ours; none for units that fill up a group.
        let row = |column: usize| {
            let (group, within) = (column / (GROUP * GATES), column % (GROUP * GATES));
            let (gate, unit) = (within / GROUP, group * GROUP + within % GROUP);
            (unit < hidden).then(|| gate * hidden + unit)
        };
        let matrix = |weights: &'_ [f32], width: usize, inputs: Range<usize>| {
            let of_row = |r: usize| &weights[r * width..(r + 1) * width][inputs.clone()];
            Matrix::new(columns, inputs.len(), |column| row(column).map(of_row)).compact()
        };
        let all = shared + own;
        let bias = |c| row(c).map_or(0.0, |r| weights.bias_ih[r] + weights.bias_hh[r]);
        Self {
            shared: matrix(weights.weight_ih, all, 0..shared),
            own: matrix(weights.weight_ih, all, shared..all),
            recurrent: matrix(weights.weight_hh, hidden, 0..hidden),
            bias: (0..columns).map(bias).collect(),
        }
    }
}

impl Lstm {
    /// Of the weights forwards and backwards. `inputs` are the columns that distinct words may give, which
    /// come first, and the others.
    pub(crate) fn new(weights: [LstmWeights; 2], inputs: [usize; 2], hidden: usize) -> Self {
        let directions = weights.map(|weights| Direction::new(weights, inputs, hidden));
        Self { directions, inputs, hidden }
    }

    /// To `out` (rows, 2 * hidden). Rows outside of all sequences are left as they are.
    pub(crate) fn forward(&self, x: &LstmInput, out: &mut [f32]) {
        let sequences = x.sequences;
        let mut order: Vec<Range<usize>> =
            sequences.iter().filter(|s| !s.is_empty()).cloned().collect();
        order.sort_by_key(|s| std::cmp::Reverse(s.len()));
        // The sequences that are at their step, for each step.
        let longest = order.first().map_or(0, Range::len);
        let mut active = vec![0; longest];
        order.iter().for_each(|s| active[..s.len()].iter_mut().for_each(|n| *n += 1));
        for (at, direction) in self.directions.iter().enumerate() {
            let row =
                |s: &Range<usize>, t: usize| if at == 0 { s.start + t } else { s.end - 1 - t };
            let rows: Vec<usize> = (0..longest)
                .flat_map(|t| order[..active[t]].iter().map(move |s| row(s, t)))
                .collect();
            self.run(direction, x, &rows, &active, &mut out[at * self.hidden..]);
        }
    }

    /// One direction. `rows` has the rows of the first steps, then of the second ones, and so on.
    /// `out` begins at the first column to write.
    fn run(
        &self,
        direction: &Direction,
        x: &LstmInput,
        rows: &[usize],
        active: &[usize],
        out: &mut [f32],
    ) {
        let columns = direction.bias.len();
        let units = columns / GATES;
        let mut all_gates = GATES_OF_BATCH.take();
        self.inputs(direction, x, rows, &mut all_gates);
        let most = active.first().copied().unwrap_or(0);
        let (mut h, mut c) = (vec![0.0; most * units], vec![0.0; most * units]);
        let states: Vec<usize> = (0..most).map(|s| s * units).collect();
        let mut done = 0;
        for (t, &n) in active.iter().enumerate() {
            let gates = &mut all_gates[done * columns..(done + n) * columns];
            if t > 0 {
                let h = Rows { data: &h, starts: &states[..n] };
                direction.recurrent.add_product(h, gates);
            }
            update(gates, &mut c[..n * units], &mut h[..n * units]);
            for (h, row) in h.chunks(units).zip(&rows[done..done + n]) {
                out[row * 2 * self.hidden..][..self.hidden].copy_from_slice(&h[..self.hidden]);
            }
            done += n;
        }
        GATES_OF_BATCH.set(all_gates);
    }

    /// Sets `gates` to the biases and what the inputs of `rows` add to them: (rows, gates).
    fn inputs(&self, direction: &Direction, x: &LstmInput, rows: &[usize], gates: &mut Vec<f32>) {
        let [shared, own] = self.inputs;
        let columns = direction.bias.len();
        let starts = |first: usize| -> Vec<usize> {
            rows.iter().map(|row| row * (shared + own) + first).collect()
        };
        gates.clear();
        match x.shared.filter(|_| shared > 0) {
            Some((words, word)) => {
                let starts: Vec<usize> = (0..words.len() / shared).map(|w| w * shared).collect();
                let mut of_words = direction.bias.repeat(starts.len());
                direction.shared.add_product(Rows { data: words, starts: &starts }, &mut of_words);
                let of_row = |row: &usize| &of_words[word[*row] * columns..][..columns];
                rows.iter().for_each(|row| gates.extend_from_slice(of_row(row)));
            }
            None => {
                rows.iter().for_each(|_| gates.extend_from_slice(&direction.bias));
                let rows = Rows { data: x.rows, starts: &starts(0) };
                direction.shared.add_product(rows, gates);
            }
        }
        let rows = Rows { data: x.rows, starts: &starts(shared) };
        direction.own.add_product(rows, gates);
    }
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
