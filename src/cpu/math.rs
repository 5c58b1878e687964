//! Functions of eight numbers at a time.

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::{sigmoid, tanh};

/// `max(x, 0)` of each.
pub(crate) fn relu(x: &mut [f32]) {
    x.iter_mut().for_each(|x| *x = x.max(0.0));
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256, _mm256_add_epi32, _mm256_add_ps, _mm256_castsi256_ps, _mm256_cvtps_epi32,
        _mm256_div_ps, _mm256_fmadd_ps, _mm256_fnmadd_ps, _mm256_max_ps, _mm256_min_ps,
        _mm256_mul_ps, _mm256_round_ps, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps,
        _mm256_slli_epi32, _mm256_sub_ps,
    };

    /// `e^x`, to 2 units in the last place; beyond +-87 as at 87. Range reduction by `ln 2` in two parts and
    /// the polynomial of Cephes' `expf` (Moshier).
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    fn exp(x: __m256) -> __m256 {
        let x = _mm256_max_ps(_mm256_min_ps(x, _mm256_set1_ps(87.0)), _mm256_set1_ps(-87.0));
        let n = _mm256_round_ps::<8>(_mm256_mul_ps(x, _mm256_set1_ps(std::f32::consts::LOG2_E)));
        let r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693_359_4), x);
        let r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.121_944_4e-4), r);
        let mut p = _mm256_set1_ps(1.987_569_1e-4);
        for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5] {
            p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(c));
        }
        let p = _mm256_fmadd_ps(_mm256_mul_ps(r, r), p, _mm256_add_ps(r, _mm256_set1_ps(1.0)));
        let power = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
        _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32::<23>(power)))
    }

    /// `1 / (1 + e^-x)`
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub fn sigmoid(x: __m256) -> __m256 {
        let one = _mm256_set1_ps(1.0);
        let e = exp(_mm256_sub_ps(_mm256_setzero_ps(), x));
        _mm256_div_ps(one, _mm256_add_ps(one, e))
    }

    /// `1 - 2 / (1 + e^2x)`
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub fn tanh(x: __m256) -> __m256 {
        let one = _mm256_set1_ps(1.0);
        let e = exp(_mm256_add_ps(x, x));
        _mm256_sub_ps(one, _mm256_div_ps(_mm256_set1_ps(2.0), _mm256_add_ps(one, e)))
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use std::arch::x86_64::{__m256, _mm256_loadu_ps, _mm256_storeu_ps};

    /// `f` of eight numbers.
    #[target_feature(enable = "avx2,fma")]
    fn eight(x: [f32; 8], f: impl Fn(__m256) -> __m256) -> [f32; 8] {
        let mut y = [0.0; 8];
        // SAFETY: both arrays have eight numbers.
        unsafe { _mm256_storeu_ps(y.as_mut_ptr(), f(_mm256_loadu_ps(x.as_ptr()))) };
        y
    }

    #[test]
    fn functions_equal_those_of_the_standard_library() {
        if !super::super::is_available() {
            return;
        }
        for at in (-1200..1200).step_by(8) {
            let x: [f32; 8] = std::array::from_fn(|i| (at + i as i32) as f32 / 10.0);
            // SAFETY: the CPU has AVX2.
            let (sigmoid, tanh) =
                unsafe { (eight(x, |x| super::sigmoid(x)), eight(x, |x| super::tanh(x))) };
            for (i, x) in x.into_iter().enumerate() {
                let x = f64::from(x);
                assert!((f64::from(sigmoid[i]) - 1.0 / (1.0 + (-x).exp())).abs() < 2e-7, "{x}");
                assert!((f64::from(tanh[i]) - x.tanh()).abs() < 3e-7, "{x}");
            }
        }
    }
}
