//! [`Reliability`]: how far scores are from how often predictions are right.

use serde_json::{Value, json};

/// Bins of as many predictions each (adaptive binning, Nguyen and O'Connor, EMNLP 2015).
const BINS: usize = 10;
/// A score of 0 or 1 has no logit.
const SURE: f64 = 1e-6;
/// Keeps the slope finite where right and wrong predictions do not overlap.
const RIDGE: f64 = 1e-3;
const ITERATIONS: usize = 50;

/// Predictions with their score and whether they are right.
#[derive(Clone, Debug, Default)]
pub(super) struct Reliability(Vec<(f64, bool)>);

impl Reliability {
    pub(super) fn add(&mut self, score: Option<f32>, is_right: bool) {
        self.0.extend(score.map(|s| (f64::from(s), is_right)));
    }

    /// The expected calibration error, the mean difference of score and precision over bins of
    /// like scores; and the `scale` and `shift` of the scores' logits that would make them as
    /// likely as they can be (Platt 1999). `None` without scores.
    pub(super) fn json(&self) -> Option<Value> {
        if self.0.is_empty() {
            return None;
        }
        let (scale, shift) = self.fit();
        Some(json!({"error": self.error(), "scale": scale, "shift": shift}))
    }

    fn error(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let size = sorted.len().div_ceil(BINS);
        let (mut sum, mut start) = (0.0, 0);
        while start < sorted.len() {
            // Equal scores stay together: nothing tells them apart.
            let mut end = sorted.len().min(start + size);
            while end < sorted.len() && sorted[end].0 == sorted[end - 1].0 {
                end += 1;
            }
            let said: f64 = sorted[start..end].iter().map(|b| b.0).sum();
            let right = sorted[start..end].iter().filter(|b| b.1).count();
            sum += (said - right as f64).abs();
            start = end;
        }
        sum / sorted.len() as f64
    }

    /// Newton's method on the negative log-likelihood of `1 / (1 + exp(-(scale * logit + shift)))`.
    fn fit(&self) -> (f64, f64) {
        let (mut scale, mut shift) = (1.0, 0.0);
        for _ in 0..ITERATIONS {
            let (mut gradient, mut hessian) =
                ([RIDGE * (scale - 1.0), RIDGE * shift], [RIDGE, 0.0, RIDGE]);
            for &(score, is_right) in &self.0 {
                let p = score.clamp(SURE, 1.0 - SURE);
                let logit = (p / (1.0 - p)).ln();
                let said = 1.0 / (1.0 + (-(scale * logit + shift)).exp());
                let wrong = said - f64::from(u8::from(is_right));
                let weight = said * (1.0 - said);
                gradient = [gradient[0] + wrong * logit, gradient[1] + wrong];
                hessian = [
                    hessian[0] + weight * logit * logit,
                    hessian[1] + weight * logit,
                    hessian[2] + weight,
                ];
            }
            let [a, b, c] = hessian;
            let determinant = a * c - b * b;
            let step = [
                (c * gradient[0] - b * gradient[1]) / determinant,
                (a * gradient[1] - b * gradient[0]) / determinant,
            ];
            // Far from the minimum a whole step overshoots.
            let length = step[0].hypot(step[1]).max(1.0);
            (scale, shift) = (scale - step[0] / length, shift - step[1] / length);
        }
        (scale, shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many predictions of each score, of which so many in a hundred are right.
    fn reliability(shares: &[(f32, usize)]) -> Reliability {
        let mut all = Reliability::default();
        for &(score, right) in shares {
            (0..100).for_each(|i| all.add(Some(score), i < right));
        }
        all
    }

    #[test]
    fn scores_that_say_how_often_they_are_right_have_no_error() {
        let told = reliability(&[(0.3, 30), (0.6, 60), (0.9, 90)]);
        assert!(told.error() < 1e-6);
        let (scale, shift) = told.fit();
        assert!((scale - 1.0).abs() < 1e-3 && shift.abs() < 1e-3, "{scale} {shift}");
        assert!(Reliability::default().json().is_none());
    }

    #[test]
    fn scale_and_shift_make_boasting_scores_modest() {
        // The logits 1, 2 and 3 should be halved and lowered by a half.
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let shares: Vec<(f32, usize)> = [1.0, 2.0, 3.0]
            .map(|logit| {
                (sigmoid(logit) as f32, (100.0 * sigmoid(logit / 2.0 - 0.5)).round() as usize)
            })
            .to_vec();
        let told = reliability(&shares);
        let (scale, shift) = told.fit();
        assert!((scale - 0.5).abs() < 0.03 && (shift + 0.5).abs() < 0.05, "{scale} {shift}");
        let expected = shares.iter().map(|&(p, n)| f64::from(p) - n as f64 / 100.0).sum::<f64>();
        assert!((told.error() - expected / 3.0).abs() < 0.01, "{}", told.error());
    }

    #[test]
    fn predictions_that_are_all_right_or_sure_are_no_accident() {
        for told in [reliability(&[(1.0, 100)]), reliability(&[(0.2, 0), (0.8, 100), (0.0, 0)])] {
            let (scale, shift) = told.fit();
            assert!(scale.is_finite() && shift.is_finite() && scale > 0.0, "{scale} {shift}");
        }
    }
}
