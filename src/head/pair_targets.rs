//! [`PairTargets`]: what is to be learned of the relations of entity pairs.

use std::collections::HashMap;

use super::GoldRelations;
use crate::Span;
use crate::decode::{EntityPairs, TypePairs};

/// Whether each label holds for each entity pair, and whether that is known and can be predicted: (entity pairs,
/// labels) each, 0 or 1.
pub(super) struct PairTargets {
    pub(super) values: Vec<f32>,
    pub(super) weights: Vec<f32>,
}

impl PairTargets {
    /// `groups` gives each mention its entity, `symmetric` says of each label whether its arguments have no order.
    pub(super) fn new(
        pairs: &EntityPairs,
        spans: &[(Span, usize)],
        groups: &[usize],
        gold: &GoldRelations,
        symmetric: &[bool],
        allowed: Option<&TypePairs>,
    ) -> Self {
        let labels = symmetric.len();
        let index: HashMap<(usize, usize), usize> =
            pairs.entities().iter().enumerate().map(|(i, &p)| (p, i)).collect();
        let mut values = vec![0_f32; pairs.entities().len() * labels];
        let mut weights = vec![1_f32; values.len()];
        for row in weights.chunks_mut(labels).filter(|_| !gold.open.is_empty()) {
            gold.open.iter().for_each(|&label| row[label] = 0.0);
        }
        let mut hold = |head: usize, tail: usize, label: usize| {
            if let Some(pair) = index.get(&(groups[head], groups[tail])) {
                values[pair * labels + label] = 1.0;
                weights[pair * labels + label] = 1.0;
            }
        };
        for &(head, tail, label) in &gold.relations {
            hold(head, tail, label);
            if symmetric[label] {
                hold(tail, head, label);
            }
        }
        if let Some(allowed) = allowed {
            // What can never be predicted is nothing to learn: rare types that gold relates.
            let mut open = vec![false; values.len()];
            for (pair, &group) in pairs.mention_pairs().iter().zip(pairs.group()) {
                let types = allowed.labels(spans[pair.head].1, spans[pair.tail].1);
                let cells = &mut open[group as usize * labels..][..labels];
                cells.iter_mut().zip(types).for_each(|(cell, may)| *cell |= may);
            }
            weights.iter_mut().zip(open).filter(|(_, open)| !open).for_each(|(w, _)| *w = 0.0);
        }
        Self { values, weights }
    }
}
