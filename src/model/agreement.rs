//! What of a document agrees: the labels of one name before relations read them, and when coreference has found them, the
//! clusters of one name and the labels of one cluster.

use super::Network;
use super::annotate::Found;
use super::passages::words;
use crate::config::{AgreementConfig, NamesConfig};
use crate::decode::{Agreement, ScoredSpan, join_same_names};
use crate::feature::Example;
use crate::{Document, Span};

impl Network {
    /// Makes names of the same words agree, in all tasks that were run and want it.
    pub(super) fn agree_on_names(&self, doc: &Document, found: &mut Found) {
        let wanted = |config: &AgreementConfig| !config.names.is_empty();
        let mut of_doc = None;
        for (task, agreement) in self.agreements(wanted) {
            let Some(spans) = found.spans.get_mut(task) else { continue };
            let words = of_doc.get_or_insert_with(|| words(&Example::whole(doc)));
            // In one order, whatever the batch: sums depend on it to the last digit.
            spans.sort_unstable_by_key(|s| s.span);
            agreement.of_names(spans, words);
        }
    }

    /// Makes the clusters of `coreference` that are called by the same name one, if it wants that, and the
    /// mentions of each cluster agree, in all tasks that were run and want it.
    pub(super) fn agree_in_clusters(&self, coreference: &str, doc: &Document, found: &mut Found) {
        let Found { spans, clusters, .. } = found;
        if let Some(names) = self.config.tasks[coreference].head.same_names()
            && let (Some(spans), Some(clusters)) =
                (spans.get(&names.task), clusters.get_mut(coreference))
        {
            let names = self.names_among(spans, names);
            join_same_names(clusters, names, &words(&Example::whole(doc)));
        }
        let wanted = |config: &AgreementConfig| config.clusters.as_deref() == Some(coreference);
        for (task, agreement) in self.agreements(wanted) {
            let clusters = found.clusters.get(coreference).map_or(&[][..], Vec::as_slice);
            if let Some(spans) = found.spans.get_mut(task) {
                spans.sort_unstable_by_key(|s| s.span);
                agreement.of_clusters(spans, clusters);
            }
        }
    }

    /// What `names` calls names among the spans of its task.
    pub(super) fn names_among<'a>(
        &'a self,
        spans: &'a [ScoredSpan],
        names: &'a NamesConfig,
    ) -> impl Iterator<Item = (Span, usize)> + 'a {
        let labels = self.vocab.labels(&names.task);
        let is_name = |s: &&ScoredSpan| names.labels.contains(&labels[s.label]);
        spans.iter().filter(is_name).map(|s| (s.span, s.label))
    }

    /// The tasks whose configuration is wanted, and how their labels agree.
    fn agreements(
        &self,
        wanted: impl Fn(&AgreementConfig) -> bool,
    ) -> impl Iterator<Item = (&str, Agreement)> {
        self.config.tasks.iter().filter_map(move |(task, config)| {
            let config = config.head.agreement().filter(|config| wanted(config))?;
            let of_labels = |some: &[String]| {
                self.vocab.labels(task).iter().map(|label| some.contains(label)).collect()
            };
            let agreement = Agreement {
                names: of_labels(&config.names),
                last_tokens: of_labels(&config.last_tokens),
                sure: config.sure,
            };
            Some((task.as_str(), agreement))
        })
    }
}
