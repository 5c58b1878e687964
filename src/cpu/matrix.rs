//! [`Matrix`]: weights laid out for products with any number of rows, few ones above all.
//!
//! Sixteen outputs form a panel, which holds for each input sixteen weights side by side. A kernel
//! takes `R` rows and `P` panels at once: as many sums as registers can hold hide how long a
//! multiplication takes, for one row as for many. A single row, as the steps of an LSTM have it, takes as long as
//! its weights take from the second cache: those that were stored in 16 bits are kept so.

use half::f16;

/// Outputs of a panel: two registers of eight.
const PANEL: usize = 16;
/// The most rows that go through one panel together.
const ROWS: usize = 6;
/// How often so many go through one panel before the next panel's turn: their inputs stay in the
/// first cache, where all rows of a batch would be read from memory for every panel.
const TILES: usize = 5;

/// Weights; see the module.
#[derive(Debug)]
pub(crate) struct Matrix {
    inputs: usize,
    /// Outputs, rounded up to whole panels.
    width: usize,
    panels: Panels,
}

/// Weights: (panels, inputs, `PANEL`).
#[derive(Debug)]
enum Panels {
    Single(Vec<f32>),
    Half(Vec<f16>),
}

impl Panels {
    /// As halves, if they all are.
    fn compact(panels: Vec<f32>) -> Self {
        let halves: Vec<f16> = panels.iter().map(|&x| f16::from_f32(x)).collect();
        match panels.iter().zip(&halves).all(|(&x, half)| half.to_f32() == x) {
            true => Self::Half(halves),
            false => Self::Single(panels),
        }
    }
}

/// Rows somewhere in a slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    pub data: &'a [f32],
    /// Where each row begins.
    pub starts: &'a [usize],
}

impl Matrix {
    /// Of `outputs` rows of weights, each as `row` gives it, for some products.
    pub(crate) fn new<'a>(
        outputs: usize,
        inputs: usize,
        row: impl Fn(usize) -> Option<&'a [f32]>,
    ) -> Self {
        let width = outputs.div_ceil(PANEL) * PANEL;
        let mut panels = vec![0.0; width * inputs];
        for output in 0..outputs {
            let (panel, column) = (output / PANEL, output % PANEL);
            let Some(weights) = row(output) else { continue };
            for (input, &weight) in weights[..inputs].iter().enumerate() {
                panels[(panel * inputs + input) * PANEL + column] = weight;
            }
        }
        Self { inputs, width, panels: Panels::Single(panels) }
    }

    /// The same for many products.
    pub(crate) fn compact(self) -> Self {
        let panels = match self.panels {
            Panels::Single(panels) => Panels::compact(panels),
            halves => halves,
        };
        Self { panels, ..self }
    }

    /// Outputs, rounded up to whole panels: the columns of a product.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Adds to each row of `out`, (rows, width), the product with the same row of `x`.
    pub(crate) fn add_product(&self, x: Rows, out: &mut [f32]) {
        self.product(x, None, out);
    }

    /// Sets each row of `out`, (rows, width), to the same row of `base` and the product with the same row of `x`.
    pub(crate) fn product_onto(&self, x: Rows, base: Rows, out: &mut [f32]) {
        if self.inputs == 0 {
            let rows = out.chunks_mut(self.width).zip(base.starts);
            rows.for_each(|(out, &start)| out.copy_from_slice(&base.data[start..][..self.width]));
        }
        self.product(x, Some(base), out);
    }

    /// Sets each row of `out`, (rows, width), to `bias` and the product with the same row of `x`.
    pub(crate) fn product_onto_bias(&self, x: Rows, bias: &[f32], out: &mut [f32]) {
        self.product_onto(x, Rows { data: bias, starts: &vec![0; x.starts.len()] }, out);
    }

    /// Without a `base` it is what is in `out`.
    fn product(&self, x: Rows, base: Option<Rows>, out: &mut [f32]) {
        let rows = x.starts.len();
        let all_in =
            |rows: Rows, width| rows.starts.iter().all(|&start| start + width <= rows.data.len());
        assert_eq!(out.len(), rows * self.width);
        assert!(all_in(x, self.inputs));
        assert!(base.is_none_or(|base| base.starts.len() == rows && all_in(base, self.width)));
        if rows == 0 || self.inputs == 0 {
            return;
        }
        // SAFETY: rows and panels have `inputs` steps, base and out `width` columns for each row, as asserted; a
        // matrix is only made where the CPU has AVX2.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            match &self.panels {
                Panels::Single(panels) => self.tiles(panels, x, base, out),
                Panels::Half(panels) => self.tiles(panels, x, base, out),
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn tiles<W: Weight>(&self, panels: &[W], x: Rows, base: Option<Rows>, out: &mut [f32]) {
        let rows = x.starts.len();
        // SAFETY, of all: as the caller says.
        match rows {
            0 => {}
            1 => unsafe { self.strip::<W, 1, 4>(panels, x, base, 0, out) },
            2 => unsafe { self.strip::<W, 2, 3>(panels, x, base, 0, out) },
            3 => unsafe {
                // The sums of three and what they are made of are more than the registers hold.
                self.strip::<W, 2, 3>(panels, x, base, 0, out);
                self.strip::<W, 1, 4>(panels, x, base, 2, out);
            },
            _ => {
                // As even as can be: a last row alone would have all weights read again for it.
                let tiles = rows.div_ceil(ROWS);
                let begin = |tile: usize| rows * tile / tiles;
                let blocks = tiles.div_ceil(TILES);
                for block in 0..blocks {
                    let some = tiles * block / blocks..tiles * (block + 1) / blocks;
                    for panel in 0..self.width / PANEL {
                        for tile in some.clone() {
                            let (row, next) = (begin(tile), begin(tile + 1));
                            match next - row {
                                6 => unsafe {
                                    self.tile::<W, 6, 1>(panels, x, base, row, panel, out)
                                },
                                5 => unsafe {
                                    self.tile::<W, 5, 1>(panels, x, base, row, panel, out)
                                },
                                4 => unsafe {
                                    self.tile::<W, 4, 1>(panels, x, base, row, panel, out)
                                },
                                _ => unsafe {
                                    self.tile::<W, 3, 1>(panels, x, base, row, panel, out)
                                },
                            }
                        }
                    }
                }
            }
        }
    }

    /// `R` rows from `row` on through all panels, `P` at a time.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn strip<W: Weight, const R: usize, const P: usize>(
        &self,
        panels: &[W],
        x: Rows,
        base: Option<Rows>,
        row: usize,
        out: &mut [f32],
    ) {
        let count = self.width / PANEL;
        let together = count / P * P;
        for panel in (0..together).step_by(P) {
            // SAFETY: as the caller says.
            unsafe { self.tile::<W, R, P>(panels, x, base, row, panel, out) };
        }
        for panel in together..count {
            // SAFETY: as the caller says.
            unsafe { self.tile::<W, R, 1>(panels, x, base, row, panel, out) };
        }
    }

    /// The products of `R` rows with `P` panels.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn tile<W: Weight, const R: usize, const P: usize>(
        &self,
        panels: &[W],
        x: Rows,
        base: Option<Rows>,
        row: usize,
        panel: usize,
        out: &mut [f32],
    ) {
        use std::arch::x86_64::{
            _mm256_add_ps, _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps,
            _mm256_setzero_ps, _mm256_storeu_ps,
        };
        let (inputs, width) = (self.inputs, self.width);
        // SAFETY: the caller promises that rows, panels and columns are there.
        unsafe {
            let x: [*const f32; R] =
                std::array::from_fn(|r| x.data.as_ptr().add(x.starts[row + r]));
            let weights: [*const W; P] =
                std::array::from_fn(|p| panels.as_ptr().add((panel + p) * inputs * PANEL));
            let out: [*mut f32; R] =
                std::array::from_fn(|r| out.as_mut_ptr().add((row + r) * width + panel * PANEL));
            let base: [*const f32; R] = std::array::from_fn(|r| match base {
                Some(base) => base.data.as_ptr().add(base.starts[row + r] + panel * PANEL),
                None => out[r].cast_const(),
            });
            let mut sums = [[[_mm256_setzero_ps(); 2]; P]; R];
            for k in 0..inputs {
                // What there is fewer of stays in registers while the other comes and goes.
                if P == 1 {
                    let at = weights[0].add(k * PANEL);
                    let [low, high] = [W::load(at), W::load(at.add(8))];
                    for (sums, x) in sums.iter_mut().zip(x) {
                        let x = _mm256_broadcast_ss(&*x.add(k));
                        sums[0][0] = _mm256_fmadd_ps(x, low, sums[0][0]);
                        sums[0][1] = _mm256_fmadd_ps(x, high, sums[0][1]);
                    }
                } else {
                    let x = x.map(|x| _mm256_broadcast_ss(&*x.add(k)));
                    for p in 0..P {
                        let at = weights[p].add(k * PANEL);
                        let low = W::load(at);
                        for (sums, x) in sums.iter_mut().zip(x) {
                            sums[p][0] = _mm256_fmadd_ps(x, low, sums[p][0]);
                        }
                        let high = W::load(at.add(8));
                        for (sums, x) in sums.iter_mut().zip(x) {
                            sums[p][1] = _mm256_fmadd_ps(x, high, sums[p][1]);
                        }
                    }
                }
            }
            for ((out, base), sums) in out.into_iter().zip(base).zip(&sums) {
                for (p, halves) in sums.iter().enumerate() {
                    for (half, sum) in halves.iter().enumerate() {
                        let at = p * PANEL + half * 8;
                        let sum = _mm256_add_ps(_mm256_loadu_ps(base.add(at)), *sum);
                        _mm256_storeu_ps(out.add(at), sum);
                    }
                }
            }
        }
    }
}

/// What weights are kept as.
#[cfg(target_arch = "x86_64")]
trait Weight: Copy {
    /// Eight of them as floats. `at` must have as many, and the CPU AVX2 and F16C.
    unsafe fn load(at: *const Self) -> std::arch::x86_64::__m256;
}

#[cfg(target_arch = "x86_64")]
impl Weight for f32 {
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn load(at: *const Self) -> std::arch::x86_64::__m256 {
        // SAFETY: as the caller says.
        unsafe { std::arch::x86_64::_mm256_loadu_ps(at) }
    }
}

#[cfg(target_arch = "x86_64")]
impl Weight for f16 {
    #[target_feature(enable = "avx2,f16c")]
    #[inline]
    unsafe fn load(at: *const Self) -> std::arch::x86_64::__m256 {
        use std::arch::x86_64::{_mm_loadu_si128, _mm256_cvtph_ps};
        // SAFETY: as the caller says.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(at.cast())) }
    }
}

/// A linear layer, `W x + b`.
#[derive(Debug)]
pub(crate) struct Linear {
    matrix: Matrix,
    bias: Vec<f32>,
}

impl Linear {
    /// Of weights (outputs, inputs) and a bias, which may be missing.
    pub(crate) fn new(weights: &[f32], bias: Option<&[f32]>, outputs: usize) -> Self {
        let inputs = weights.len() / outputs.max(1);
        let row = |o: usize| Some(&weights[o * inputs..(o + 1) * inputs]);
        let matrix = Matrix::new(outputs, inputs, row).compact();
        let mut padded = vec![0.0; matrix.width()];
        if let Some(bias) = bias {
            padded[..outputs].copy_from_slice(bias);
        }
        Self { matrix, bias: padded }
    }

    /// The columns of a result: outputs, rounded up to whole panels, zero there.
    pub(crate) fn width(&self) -> usize {
        self.matrix.width()
    }

    /// Results of the rows of `x`, (rows, width).
    pub(crate) fn forward(&self, x: Rows) -> Vec<f32> {
        let mut out = vec![0.0; x.starts.len() * self.width()];
        self.matrix.product_onto_bias(x, &self.bias, &mut out);
        out
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Numbers around zero that are no halves.
    pub(in crate::cpu) fn number(i: usize) -> f32 {
        ((i * 37 + 11) % 101) as f32 / 101.0 - 0.5
    }

    #[test]
    fn products_equal_plain_sums_for_any_number_of_rows_and_outputs() {
        if !super::super::is_available() {
            return;
        }
        for (outputs, inputs) in [(1, 1), (5, 0), (16, 3), (17, 8), (100, 41), (416, 100)] {
            check(outputs, inputs, number);
            check(outputs, inputs, |i| ((i * 37 + 11) % 101) as f32 / 128.0 - 0.5); // halves
        }
    }

    fn check(outputs: usize, inputs: usize, number: impl Fn(usize) -> f32) {
        let weights: Vec<f32> = (0..outputs * inputs).map(&number).collect();
        let bias: Vec<f32> = (0..outputs).map(|i| number(i + 5)).collect();
        let layer = Linear::new(&weights, Some(&bias), outputs);
        for rows in 0..30 {
            let stride = inputs + 2;
            let x: Vec<f32> = (0..rows * stride).map(|i| number(i + 3)).collect();
            // Rows in another order than they lie.
            let starts: Vec<usize> = (0..rows).rev().map(|r| r * stride).collect();
            let out = layer.forward(Rows { data: &x, starts: &starts });
            for (r, start) in starts.iter().enumerate() {
                for o in 0..outputs {
                    let dot: f32 =
                        (0..inputs).map(|k| x[start + k] * weights[o * inputs + k]).sum();
                    let got = out[r * layer.width() + o];
                    assert!((got - dot - bias[o]).abs() < 1e-4, "{got} {dot}");
                }
            }
        }
    }
}
