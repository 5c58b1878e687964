//! [`FactPool`]: scores of mention pairs to facts between entities.

use std::collections::HashMap;

use super::EntityPairs;
use crate::config::CalibrationConfig;

/// Logits beyond this are as good as sure; their exponents stay far from the limits.
const SURE: f32 = 30.0;

/// A fact, stated by two mentions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fact {
    pub head: usize,
    pub tail: usize,
    pub label: usize,
    /// Probability, calibrated.
    pub score: f32,
}

/// Which facts hold.
#[derive(Clone, Copy, Debug)]
pub struct FactRule<'a> {
    /// For each label, the probability above which a fact holds.
    pub thresholds: &'a [f64],
    /// For each label, the share of the probability of the best fact with its head and label that a
    /// fact also needs.
    pub rivalries: &'a [f64],
    /// For each label, whether its arguments have no order.
    pub symmetric: &'a [bool],
    /// Of the scores that are reported.
    pub calibration: CalibrationConfig,
}

/// Pools the logits of mention pairs: those of an entity pair are the logsumexp over its mention
/// pairs, `log sum exp(z)`, so that `sum exp(z)` are the odds of its fact.
#[derive(Debug)]
pub struct FactPool<'a> {
    pairs: &'a EntityPairs,
    labels: usize,
    /// (entity pairs, labels): odds.
    odds: Vec<f64>,
    /// The clearest statement of each: logit and mention pair.
    best: Vec<(f32, usize)>,
}

impl<'a> FactPool<'a> {
    pub fn new(pairs: &'a EntityPairs, labels: usize) -> Self {
        let cells = pairs.entities().len() * labels;
        Self { pairs, labels, odds: vec![0.0; cells], best: vec![(f32::NEG_INFINITY, 0); cells] }
    }

    /// Takes the logits of a mention pair, one a label; minus infinity says nothing.
    pub fn add(&mut self, pair: usize, logits: &[f32]) {
        let group = self.pairs.group()[pair] as usize;
        let cells = group * self.labels..(group + 1) * self.labels;
        let cells = self.odds[cells.clone()].iter_mut().zip(&mut self.best[cells]);
        for ((odds, best), logit) in cells.zip(logits).filter(|(_, l)| **l > f32::NEG_INFINITY) {
            let logit = logit.clamp(-SURE, SURE);
            *odds += f64::from(logit).exp();
            if logit > best.0 {
                *best = (logit, pair);
            }
        }
    }

    /// The facts that hold, by head, tail and label. A symmetric one has the mean of the logits of
    /// both directions and the earlier mention for its head.
    pub fn facts(mut self, rule: &FactRule) -> Vec<Fact> {
        let reversed = self.reversed();
        let labels = self.labels;
        let reverse = |cell: usize| {
            let back = reversed[cell / labels].filter(|_| rule.symmetric[cell % labels]);
            back.map(|entities| entities * labels + cell % labels)
        };
        for cell in 0..self.odds.len() {
            if let Some(back) = reverse(cell).filter(|&back| cell < back) {
                // The mean of two logits is the geometric mean of the odds.
                let odds = (self.odds[cell] * self.odds[back]).sqrt();
                (self.odds[cell], self.odds[back]) = (odds, odds);
                if self.best[back].0 > self.best[cell].0 {
                    self.best[cell] = self.best[back];
                }
            }
        }
        let probability = |cell: usize| self.odds[cell] / (1.0 + self.odds[cell]);
        let entities = self.pairs.entities();
        // The best fact of each head and label: far weaker ones beside it are seldom right.
        let heads = entities.iter().map(|pair| pair.0 + 1).max().unwrap_or(0);
        let mut strongest = vec![0.0_f64; heads * labels];
        let of_head = |cell: usize| entities[cell / labels].0 * labels + cell % labels;
        for cell in 0..self.odds.len() {
            let best = &mut strongest[of_head(cell)];
            *best = best.max(probability(cell));
        }
        let holds = |cell: usize| {
            let label = cell % labels;
            let best = strongest[of_head(cell)];
            probability(cell) > rule.thresholds[label]
                && probability(cell) >= rule.rivalries[label] * best
        };
        let mut facts = Vec::new();
        for (cell, &(_, pair)) in self.best.iter().enumerate() {
            let back = reverse(cell);
            // Both arguments of a symmetric fact are heads, and each has its rivals.
            if !holds(cell) || back.is_some_and(|back| back < cell || !holds(back)) {
                continue;
            }
            let pair = self.pairs.mention_pairs()[pair];
            let (mut head, mut tail) = (pair.head, pair.tail);
            if back.is_some() && self.pairs.is_before(tail, head) {
                (head, tail) = (tail, head);
            }
            let (label, score) = (cell % labels, rule.calibration.of_logit(self.odds[cell].ln()));
            facts.push(Fact { head, tail, label, score });
        }
        facts.sort_by_key(|f| (f.head, f.tail, f.label));
        facts
    }

    /// For each entity pair, that of the other direction.
    fn reversed(&self) -> Vec<Option<usize>> {
        let entities = self.pairs.entities();
        let index: HashMap<(usize, usize), usize> =
            entities.iter().enumerate().map(|(at, &pair)| (pair, at)).collect();
        entities.iter().map(|&(head, tail)| index.get(&(tail, head)).copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Span;

    const SENTENCE: std::ops::Range<usize> = 0..9;
    const RULE: FactRule = FactRule {
        thresholds: &[0.5, 0.5],
        rivalries: &[0.0; 2],
        symmetric: &[true, false],
        calibration: CalibrationConfig::NONE,
    };

    /// Three entities of a mention each in one sentence; the mentions come in no order.
    fn pairs() -> EntityPairs {
        let mentions = [(4, 5), (0, 2), (6, 7)].map(|(a, b)| (Span::new(a, b), 0));
        EntityPairs::new(&mentions, &[0, 1, 2], [std::slice::from_ref(&SENTENCE); 2], 0, None)
    }

    /// The facts of some logits of (head, tail), 0 by 2 labels; all others are -9.
    fn facts(logits: &[((usize, usize), [f32; 2])], rule: &FactRule) -> Vec<Fact> {
        let pairs = pairs();
        let mut pool = FactPool::new(&pairs, 2);
        for (at, pair) in pairs.mention_pairs().iter().enumerate() {
            let given = logits.iter().find(|(p, _)| *p == (pair.head, pair.tail));
            pool.add(at, &given.map_or([-9.0; 2], |g| g.1));
        }
        pool.facts(rule)
    }

    fn logit(p: f32) -> f32 {
        (p / (1.0 - p)).ln()
    }

    #[test]
    fn a_symmetric_fact_is_stated_once_with_the_mean_of_both_directions() {
        // One direction alone would not pass, both together do.
        let found = facts(&[((0, 1), [2.0, 2.0]), ((1, 0), [-1.0, -1.0])], &RULE);
        let stated: Vec<_> = found.iter().map(|f| (f.head, f.tail, f.label)).collect();
        // Mention 1 stands before mention 0; the directed label keeps its direction.
        assert_eq!(stated, [(0, 1, 1), (1, 0, 0)]);
        assert!((logit(found[0].score) - 2.0).abs() < 1e-4);
        assert!((logit(found[1].score) - 0.5).abs() < 1e-4);
        assert!(facts(&[((0, 1), [2.0, -9.0]), ((1, 0), [-3.0, -9.0])], &RULE).is_empty());
    }

    #[test]
    fn both_arguments_of_a_symmetric_fact_have_rivals() {
        let rule = FactRule { rivalries: &[0.9; 2], ..RULE };
        let both = |p, q, z| [((p, q), [z, z]), ((q, p), [z, z])];
        let found = facts(&[both(0, 1, 5.0), both(1, 2, 0.5)].concat(), &rule);
        let of = |label| found.iter().filter(move |f| f.label == label).map(|f| (f.head, f.tail));
        assert_eq!(of(0).collect::<Vec<_>>(), [(1, 0)]);
        // Directed, 2 has no better fact than that with 1.
        assert_eq!(of(1).collect::<Vec<_>>(), [(0, 1), (1, 0), (2, 1)]);
    }

    #[test]
    fn a_label_has_its_rivalry() {
        // Probabilities 0.88 and 0.73.
        let logits = [((0, 1), [-9.0, 2.0]), ((0, 2), [-9.0, 1.0])];
        let count = |rivalries| facts(&logits, &FactRule { rivalries, ..RULE }).len();
        assert_eq!([&[0.9, 0.8], &[0.8, 0.9]].map(|r| count(r)), [2, 1]);
    }

    #[test]
    fn a_label_has_its_threshold() {
        let logits = [((0, 1), [-9.0, 2.0]), ((1, 2), [-9.0, 3.0])];
        let count = |thresholds| facts(&logits, &FactRule { thresholds, ..RULE }).len();
        assert_eq!([&[0.9, 0.5], &[0.5, 0.9], &[0.5, 0.96]].map(|t| count(t)), [2, 1, 0]);
    }

    #[test]
    fn calibration_changes_scores_and_no_facts() {
        let logits = [((0, 1), [-9.0, 2.0]), ((1, 2), [-9.0, 0.5])];
        let rule = FactRule { calibration: CalibrationConfig { scale: 0.5, shift: -1.0 }, ..RULE };
        let (plain, modest) = (facts(&logits, &RULE), facts(&logits, &rule));
        let stated =
            |facts: &[Fact]| facts.iter().map(|f| (f.head, f.tail, f.label)).collect::<Vec<_>>();
        assert_eq!(stated(&plain), stated(&modest));
        let logits: Vec<f32> = modest.iter().map(|f| logit(f.score)).collect();
        assert!((logits[0] - 0.0).abs() < 1e-4 && (logits[1] + 0.75).abs() < 1e-4, "{logits:?}");
    }

    #[test]
    fn mention_pairs_of_two_entities_add_up() {
        let mentions = [(0, 1), (2, 3), (4, 5)].map(|(a, b)| (Span::new(a, b), 0));
        let pairs =
            EntityPairs::new(&mentions, &[0, 1, 0], [std::slice::from_ref(&SENTENCE); 2], 0, None);
        let mut pool = FactPool::new(&pairs, 1);
        for (at, pair) in pairs.mention_pairs().iter().enumerate() {
            pool.add(at, &[if pair.tail == 1 { -0.2 + pair.head as f32 * 0.1 } else { -40.0 }]);
        }
        let found = pool.facts(&FactRule { symmetric: &[false], ..RULE });
        let odds = (-0.2_f64).exp() + 0.0_f64.exp();
        assert_eq!((found.len(), found[0].head, found[0].tail), (1, 2, 1));
        assert!((f64::from(found[0].score) - odds / (1.0 + odds)).abs() < 1e-6);
    }
}
