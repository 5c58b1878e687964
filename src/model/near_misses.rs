//! Wrong mentions for relations to learn from: what the arguments' task comes nearest to finding.
//!
//! Gold mentions alone would let a relation head take everything for a mention that it is given, while a
//! third of what is found may be wrong (as the pruned spans of Luan et al. 2019 are paired, right or
//! wrong).

use std::collections::HashSet;

use tch::Tensor;

use super::Network;
use crate::config::HeadConfig;
use crate::feature::Example;
use crate::head::{Head, SequenceInput};
use crate::{Result, Span};

/// A mention as relations are learned between: span, label and entity.
type Argument = (Span, usize, Option<usize>);

impl Network {
    /// The task whose near misses a task learns from, and how many for each right mention.
    pub(super) fn near_misses_of(&self, task: &str) -> Option<(&str, f64)> {
        match &self.config.tasks[task].head {
            HeadConfig::MentionPairs { arguments, near_misses, .. } if *near_misses > 0.0 => {
                Some((arguments, *near_misses))
            }
            _ => None,
        }
    }

    /// The likeliest spans of an example beside its right mentions, with their likeliest label. `rows`
    /// are what `task` reads of its tokens, (N, D).
    pub(super) fn near_misses(
        &self,
        task: &str,
        share: f64,
        rows: &Tensor,
        example: &Example,
        right: &[Argument],
    ) -> Result<Vec<Argument>> {
        let _guard = tch::no_grad_guard();
        let start = example.tokens().start;
        let sentences: Vec<_> = example
            .by_sentence()
            .iter()
            .map(|s| s.tokens().start - start..s.tokens().end - start)
            .collect();
        let x = SequenceInput::of_rows(rows, &sentences)?;
        let likely = match &self.heads[task] {
            Head::Biaffine(head) => head.likely(&x)?,
            Head::CrfTagger(head) => head.likely(&x)?,
            _ => Vec::new(),
        };
        let right: HashSet<Span> = right.iter().map(|m| m.0).collect();
        let placed = sentences.iter().zip(likely).flat_map(|(sentence, spans)| {
            let at = sentence.start;
            spans
                .into_iter()
                .map(move |s| (Span::new(s.span.first + at, s.span.last + at), s.label, s.score))
        });
        let mut wrong: Vec<_> = placed.filter(|(span, ..)| !right.contains(span)).collect();
        wrong.sort_by(|a, b| b.2.total_cmp(&a.2).then(a.0.cmp(&b.0)));
        wrong.truncate((share * right.len() as f64).round() as usize);
        Ok(wrong.into_iter().map(|(span, label, _)| (span, label, None)).collect())
    }
}
