//! [`Matrix`]: weights laid out for products with any number of rows, few ones above all.
//!
//! Sixteen outputs form a panel, which holds for each input sixteen weights side by side. A kernel
//! takes `R` rows and `P` panels at once: as many sums as registers can hold hide how long a
//! multiplication takes, for one row as for many.

/// Outputs of a panel: two registers of eight.
const PANEL: usize = 16;
/// Rows that go through one panel together when there are many.
const ROWS: usize = 6;

/// Weights; see the module.
#[derive(Debug)]
pub(crate) struct Matrix {
    inputs: usize,
    /// Outputs, rounded up to whole panels.
    width: usize,
    /// (panels, inputs, `PANEL`)
    panels: Vec<f32>,
}

/// Rows somewhere in a slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    pub data: &'a [f32],
    /// Where each row begins.
    pub starts: &'a [usize],
}

impl Matrix {
    /// Of `outputs` rows of weights, each as `row` gives it.
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
        Self { inputs, width, panels }
    }

    /// Outputs, rounded up to whole panels: the columns of a product.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Adds to each row of `out`, (rows, width), the product with the same row of `x`.
    pub(crate) fn add_product(&self, x: Rows, out: &mut [f32]) {
        let rows = x.starts.len();
        assert_eq!(out.len(), rows * self.width());
        assert!(x.starts.iter().all(|&start| start + self.inputs <= x.data.len()));
        if rows == 0 || self.inputs == 0 {
            return;
        }
        // SAFETY: rows and panels have `inputs` steps, out has `width` columns for each row, as asserted; a
        // matrix is only made where the CPU has AVX2.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            self.product(x, out);
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn product(&self, x: Rows, out: &mut [f32]) {
        let width = self.width();
        let panels = width / PANEL;
        let many = x.starts.len() / ROWS * ROWS;
        for panel in 0..panels {
            for row in (0..many).step_by(ROWS) {
                // SAFETY: as the caller says.
                unsafe { self.tile::<ROWS, 1>(x, row, panel, out) };
            }
        }
        // SAFETY: as the caller says.
        unsafe {
            match x.starts.len() - many {
                1 => self.strip::<1, 4>(x, many, out),
                2 => self.strip::<2, 2>(x, many, out),
                3 => self.strip::<3, 2>(x, many, out),
                4 => self.strip::<4, 1>(x, many, out),
                5 => self.strip::<5, 1>(x, many, out),
                _ => {}
            }
        }
    }

    /// `R` rows through all panels, `P` at a time.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn strip<const R: usize, const P: usize>(&self, x: Rows, row: usize, out: &mut [f32]) {
        let panels = self.width() / PANEL;
        let together = panels / P * P;
        for panel in (0..together).step_by(P) {
            // SAFETY: as the caller says.
            unsafe { self.tile::<R, P>(x, row, panel, out) };
        }
        for panel in together..panels {
            // SAFETY: as the caller says.
            unsafe { self.tile::<R, 1>(x, row, panel, out) };
        }
    }

    /// Adds the products of `R` rows with `P` panels.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    unsafe fn tile<const R: usize, const P: usize>(
        &self,
        x: Rows,
        row: usize,
        panel: usize,
        out: &mut [f32],
    ) {
        use std::arch::x86_64::{
            _mm256_add_ps, _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps,
            _mm256_setzero_ps, _mm256_storeu_ps,
        };
        let (inputs, width) = (self.inputs, self.width());
        // SAFETY: the caller promises that rows, panels and columns are there.
        unsafe {
            let x: [*const f32; R] =
                std::array::from_fn(|r| x.data.as_ptr().add(x.starts[row + r]));
            let weights: [*const f32; P] =
                std::array::from_fn(|p| self.panels.as_ptr().add((panel + p) * inputs * PANEL));
            let out: [*mut f32; R] =
                std::array::from_fn(|r| out.as_mut_ptr().add((row + r) * width + panel * PANEL));
            let mut sums = [[[_mm256_setzero_ps(); 2]; P]; R];
            for k in 0..inputs {
                let step: [[_; 2]; P] = std::array::from_fn(|p| {
                    let at = weights[p].add(k * PANEL);
                    [_mm256_loadu_ps(at), _mm256_loadu_ps(at.add(8))]
                });
                for r in 0..R {
                    let x = _mm256_broadcast_ss(&*x[r].add(k));
                    for p in 0..P {
                        sums[r][p][0] = _mm256_fmadd_ps(x, step[p][0], sums[r][p][0]);
                        sums[r][p][1] = _mm256_fmadd_ps(x, step[p][1], sums[r][p][1]);
                    }
                }
            }
            for (out, sums) in out.iter().zip(&sums) {
                for (p, halves) in sums.iter().enumerate() {
                    for (half, sum) in halves.iter().enumerate() {
                        let at = out.add(p * PANEL + half * 8);
                        _mm256_storeu_ps(at, _mm256_add_ps(_mm256_loadu_ps(at), *sum));
                    }
                }
            }
        }
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
        let matrix = Matrix::new(outputs, inputs, |o| Some(&weights[o * inputs..(o + 1) * inputs]));
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
        let mut out = self.bias.repeat(x.starts.len());
        self.matrix.add_product(x, &mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_equal_plain_sums_for_any_number_of_rows_and_outputs() {
        if !super::super::is_available() {
            return;
        }
        let number = |i: usize| ((i * 37 + 11) % 101) as f32 / 101.0 - 0.5;
        for (outputs, inputs) in [(1, 1), (5, 0), (16, 3), (17, 8), (100, 41), (416, 100)] {
            let weights: Vec<f32> = (0..outputs * inputs).map(number).collect();
            let bias: Vec<f32> = (0..outputs).map(|i| number(i + 5)).collect();
            let layer = Linear::new(&weights, Some(&bias), outputs);
            for rows in 0..15 {
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
}
