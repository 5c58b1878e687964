//! [`Agreement`]: mentions of one thing have one label.

use std::collections::HashMap;

use super::ScoredSpan;
use crate::Span;

/// How the spans that a task found agree; see [`crate::config::AgreementConfig`].
#[derive(Clone, Debug)]
pub struct Agreement {
    /// For each label, whether it is one of names, and of names that are called by their last token.
    pub names: Vec<bool>,
    pub last_tokens: Vec<bool>,
    /// The score from which a span keeps its label.
    pub sure: f32,
}

/// What speaks for each label of one thing.
type Votes = Vec<f64>;

impl Agreement {
    /// Names of the same words get one label. `words` are the tokens of the document, and `spans` in text order.
    pub fn of_names(&self, spans: &mut [ScoredSpan], words: &[&str]) {
        if spans.len() < 2 {
            return;
        }
        let name = |s: &ScoredSpan| &words[s.span.first..s.span.last];
        let mut of_name: HashMap<&[&str], Votes> = HashMap::new();
        for s in spans.iter().filter(|s| self.names[s.label]) {
            self.vote(of_name.entry(name(s)).or_default(), s);
        }
        // Of the longer names, apart from what the single tokens say themselves.
        for s in spans.iter().filter(|s| self.last_tokens[s.label]) {
            if let [_, .., last] = name(s)
                && let Some(votes) = of_name.get_mut(&[*last][..])
            {
                self.vote(votes, s);
            }
        }
        for s in spans.iter_mut().filter(|s| self.names[s.label]) {
            if let Some(votes) = of_name.get(name(s)) {
                self.settle(s, votes);
            }
        }
    }

    /// Spans of one cluster get one label.
    pub fn of_clusters(&self, spans: &mut [ScoredSpan], clusters: &[Vec<Span>]) {
        let spans_of =
            |(c, cluster): (usize, &Vec<Span>)| cluster.iter().map(move |s| (*s, c)).collect();
        let cluster_of: HashMap<Span, usize> =
            clusters.iter().enumerate().flat_map::<Vec<_>, _>(spans_of).collect();
        let mut of_cluster: Vec<Votes> = vec![Votes::new(); clusters.len()];
        for s in &*spans {
            if let Some(&cluster) = cluster_of.get(&s.span) {
                self.vote(&mut of_cluster[cluster], s);
            }
        }
        for s in spans {
            if let Some(&cluster) = cluster_of.get(&s.span) {
                self.settle(s, &of_cluster[cluster]);
            }
        }
    }

    fn vote(&self, votes: &mut Votes, s: &ScoredSpan) {
        votes.resize(self.names.len(), 0.0);
        votes[s.label] += f64::from(s.score);
    }

    /// Gives a span the label that most speaks for, the first of equals.
    fn settle(&self, s: &mut ScoredSpan, votes: &[f64]) {
        let best =
            (0..votes.len()).fold(0, |best, l| if votes[l] > votes[best] { l } else { best });
        // Scores may be too small for a number: then nothing speaks for any label.
        if best != s.label && s.score < self.sure && votes[best] > 0.0 {
            s.label = best;
            s.score = (votes[best] / votes.iter().sum::<f64>()) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PER: usize = 0;
    const ORG: usize = 1;
    const TIME: usize = 2;

    fn agreement() -> Agreement {
        Agreement {
            names: vec![true, true, false],
            last_tokens: vec![true, false, false],
            sure: 0.9,
        }
    }

    fn spans(of: &[(usize, usize, usize, f32)]) -> Vec<ScoredSpan> {
        let span = |&(first, last, label, score)| ScoredSpan {
            span: Span::new(first, last),
            label,
            score,
        };
        of.iter().map(span).collect()
    }

    fn labels(spans: &[ScoredSpan]) -> Vec<usize> {
        spans.iter().map(|s| s.label).collect()
    }

    #[test]
    fn names_of_the_same_words_have_the_label_that_most_speaks_for() {
        let words = ["Kaukas", "said", "Kaukas", "May", "Kaukas", "in", "May", "kaukas"];
        let mut found = spans(&[
            (0, 1, ORG, 0.95),
            (2, 3, PER, 0.5),
            (3, 4, PER, 0.6),
            (4, 5, ORG, 0.3),
            (6, 7, TIME, 0.8),
            (7, 8, PER, 0.4),
        ]);
        agreement().of_names(&mut found, &words);
        // Neither what is no name nor what is written otherwise has a say.
        assert_eq!(labels(&found), [ORG, ORG, PER, ORG, TIME, PER]);
        assert!((f64::from(found[1].score) - 1.25 / 1.75).abs() < 1e-6);
        assert_eq!(found[3].score, 0.3);
    }

    #[test]
    fn what_is_sure_keeps_its_label() {
        let words = ["Washington", "left", "Washington", "Washington"];
        let mut found = spans(&[(0, 1, PER, 0.9), (2, 3, ORG, 0.99), (3, 4, ORG, 0.5)]);
        agreement().of_names(&mut found, &words);
        assert_eq!(labels(&found), [PER, ORG, ORG]);
    }

    #[test]
    fn a_label_that_nothing_speaks_for_stays() {
        let words = ["Alpha", "and", "Alpha"];
        for score in [0.0, f32::NAN] {
            let mut found = spans(&[(0, 1, ORG, score), (2, 3, ORG, score)]);
            agreement().of_names(&mut found, &words);
            assert_eq!(labels(&found), [ORG, ORG]);
            assert_eq!(found[0].score.to_bits(), score.to_bits());
        }
    }

    #[test]
    fn a_longer_name_counts_for_its_last_token_and_not_the_other_way_round() {
        let words =
            ["Olof", "Mörck", "met", "Mörck", "and", "Mörck", "of", "Alpha", "Bank", "Bank"];
        let found = [
            (0, 2, PER, 0.7),
            (3, 4, ORG, 0.43),
            (5, 6, ORG, 0.2),
            (7, 9, ORG, 0.8),
            (9, 10, PER, 0.3),
        ];
        let mut found = spans(&found);
        agreement().of_names(&mut found, &words);
        // A bank is not called by its last token here.
        assert_eq!(labels(&found), [PER, PER, PER, ORG, PER]);
        let mut found = spans(&[(0, 2, PER, 0.4), (3, 4, ORG, 0.8), (5, 6, ORG, 0.7)]);
        agreement().of_names(&mut found, &words);
        assert_eq!(labels(&found), [PER, ORG, ORG]);
    }

    #[test]
    fn spans_of_one_cluster_have_one_label() {
        let at = |n| Span::new(n, n + 1);
        let mut found = spans(&[
            (0, 1, ORG, 0.8),
            (2, 3, PER, 0.6),
            (4, 5, PER, 0.95),
            (6, 7, PER, 0.4),
            (7, 8, PER, 0.4),
            (8, 9, ORG, 0.8),
        ]);
        let clusters = [vec![at(0), at(1), at(2), at(8)], vec![at(4)], vec![at(6), at(0)]];
        agreement().of_clusters(&mut found, &clusters[..2]);
        assert_eq!(labels(&found), [ORG, ORG, PER, PER, PER, ORG]);
        assert!((f64::from(found[1].score) - 1.6 / 2.2).abs() < 1e-6);
        agreement().of_clusters(&mut [], &clusters);
        agreement().of_clusters(&mut found, &[]);
        assert_eq!(labels(&found), [ORG, ORG, PER, PER, PER, ORG]);
    }
}
