//! BLANC for predicted mentions (Luo, Pradhan, Recasens and Hovy, ACL 2014).
//!
//! Two mentions are linked when they are coreferent and apart when not. Both relations are scored
//! over pairs of mentions, and the score is their mean: `F = (F_linked + F_apart) / 2`, the same
//! for recall and precision. As in the official scorer, a kind that the gold has no pairs of is left
//! out, so that a gold standard of one entity, or of singletons only, can be matched in full.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::Counts;

/// Pairs of mentions, pooled over documents.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Blanc {
    linked: Counts,
    apart: Counts,
    /// Documents in which both sides have one mention and so no pairs: it is the same or not.
    lone: Counts,
}

impl Blanc {
    /// Adds a document by the sizes of its clusters and their overlaps
    /// (gold cluster, predicted cluster, mentions in both).
    pub(super) fn add(
        &mut self,
        gold: &[usize],
        predicted: &[usize],
        overlaps: &[(usize, usize, usize)],
    ) {
        let mentions = |sizes: &[usize]| sizes.iter().sum::<usize>();
        let both: usize = overlaps.iter().map(|o| o.2).sum();
        if mentions(gold) == 1 && mentions(predicted) == 1 {
            let lone = Counts { gold: 1, predicted: 1, correct: both };
            self.lone = self.lone.plus(&lone);
            return;
        }
        let linked = |sizes: &[usize]| sizes.iter().map(|&n| pairs(n)).sum::<usize>();
        // Pairs of the mentions that both sides have, as each side links them.
        let shared = |of: fn(&(usize, usize, usize)) -> usize| -> usize {
            let mut sizes: HashMap<usize, usize> = HashMap::new();
            for overlap in overlaps {
                *sizes.entry(of(overlap)).or_default() += overlap.2;
            }
            sizes.values().map(|&n| pairs(n)).sum()
        };
        let agreed: usize = overlaps.iter().map(|o| pairs(o.2)).sum();
        self.linked = self.linked.plus(&Counts {
            gold: linked(gold),
            predicted: linked(predicted),
            correct: agreed,
        });
        self.apart = self.apart.plus(&Counts {
            gold: pairs(mentions(gold)) - linked(gold),
            predicted: pairs(mentions(predicted)) - linked(predicted),
            correct: pairs(both) + agreed - shared(|o| o.0) - shared(|o| o.1),
        });
    }

    pub(super) fn json(&self) -> Value {
        let used = |c: &&Counts| c.gold > 0;
        let mut kinds: Vec<&Counts> =
            [&self.linked, &self.apart].into_iter().filter(used).collect();
        if kinds.is_empty() {
            kinds.push(&self.lone);
        }
        let mean =
            |of: fn(&Counts) -> f64| kinds.iter().map(|c| of(c)).sum::<f64>() / kinds.len() as f64;
        json!({
            "precision": mean(Counts::precision),
            "recall": mean(Counts::recall),
            "f1": mean(Counts::f1),
        })
    }
}

fn pairs(n: usize) -> usize {
    n * n.saturating_sub(1) / 2
}
