//! What the heads learn from: the gold of examples, by position in them.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{AnnotateOptions, Network};
use crate::feature::Example;
use crate::head::{GoldRelations, GoldSpans, Head};
use crate::{Cancel, Document, Label, Mention, Result, Span};

impl Network {
    /// Labelled spans of each example. Labels that the model does not know are left out, or where
    /// the example covers some labels only, are spans of an unknown label.
    pub(super) fn gold_spans(&self, task: &str, examples: &[Example]) -> Vec<GoldSpans> {
        let layer = self.config.layer(task);
        let spans = |example: &Example| {
            let tokens = example.tokens();
            let mut gold =
                GoldSpans { open: self.open_labels(task, example), ..Default::default() };
            // Position before label: some corpora are one document of thousands of sentences.
            for mention in &example.document.mentions {
                let span = mention.span();
                if span.first < tokens.start || span.last > tokens.end || span.first >= span.last {
                    continue;
                }
                let Some(label) = mention.labels.get(layer) else { continue };
                let span = Span::new(span.first - tokens.start, span.last - tokens.start);
                match self.vocab.label(task, &label.label) {
                    Some(label) => gold.spans.push((span, label)),
                    None if gold.open.is_empty() => {}
                    None => gold.unknown.push(span),
                }
            }
            gold
        };
        examples.iter().map(spans).collect()
    }

    /// The labels of a task that were not looked for in an example.
    pub(super) fn open_labels(&self, task: &str, example: &Example) -> Vec<usize> {
        let layer = self.config.layer(task);
        let labels = self.vocab.labels(task).iter().enumerate();
        labels.filter(|(_, name)| !example.document.covers(layer, name)).map(|(l, _)| l).collect()
    }

    /// Relations of each example between the last tokens of their arguments.
    pub(super) fn gold_token_relations(
        &self,
        task: &str,
        examples: &[Example],
    ) -> Vec<GoldRelations> {
        let layer = self.config.layer(task);
        let relations = |example: &Example| {
            let (tokens, doc) = (example.tokens(), example.document);
            let last = |mention: usize| {
                let last = doc.mentions.get(mention)?.last_token.checked_sub(1)?;
                tokens.contains(&last).then(|| last - tokens.start)
            };
            let of_layer = doc.relations.iter().filter(|r| r.task == layer);
            let relations = of_layer
                .filter_map(|r| {
                    Some((last(r.head)?, last(r.tail)?, self.vocab.label(task, &r.label)?))
                })
                .collect();
            GoldRelations { relations, open: self.open_labels(task, example) }
        };
        examples.iter().map(relations).collect()
    }

    /// Mentions that can be arguments, as span, label and entity, and the relations between them
    /// by their index. In a document that the arguments' layer was not annotated in, these are
    /// the mentions that are related, labelled as any layer labels them if the arguments' task
    /// knows the label, and those that it finds elsewhere: what is not related to them.
    #[allow(clippy::type_complexity)] // mentions and relations, named above
    pub(super) fn gold_relations(
        &self,
        task: &str,
        arguments: &str,
        example: &Example,
    ) -> Result<(Vec<(Span, usize, Option<usize>)>, GoldRelations)> {
        let (tokens, doc) = (example.tokens(), example.document);
        let (layer, argument_layer) = (self.config.layer(task), self.config.layer(arguments));
        let mut index = HashMap::new();
        let mut mentions = Vec::new();
        let annotated = doc.annotates(argument_layer);
        let related: HashSet<usize> = if annotated {
            HashSet::new()
        } else {
            let of_layer = doc.relations.iter().filter(|r| r.task == layer);
            of_layer.flat_map(|r| [r.head, r.tail]).collect()
        };
        let known = |label: &Label| self.vocab.label(arguments, &label.label);
        for (m, mention) in doc.mentions.iter().enumerate() {
            let span = mention.span();
            let label = match mention.labels.get(argument_layer) {
                Some(label) => known(label),
                None if related.contains(&m) => {
                    Some(mention.labels.values().find_map(known).unwrap_or_default())
                }
                None => None,
            };
            let (Some(label), true) =
                (label, tokens.start <= span.first && span.last <= tokens.end)
            else {
                continue;
            };
            index.insert(m, mentions.len());
            let span = Span::new(span.first - tokens.start, span.last - tokens.start);
            mentions.push((span, label, mention.cluster));
        }
        let of_layer = doc.relations.iter().filter(|r| r.task == layer);
        let relations = of_layer.filter_map(|r| {
            Some((*index.get(&r.head)?, *index.get(&r.tail)?, self.vocab.label(task, &r.label)?))
        });
        let relations = relations.collect();
        if !annotated {
            let taken = mentions.clone();
            let overlaps = |s: Span| taken.iter().any(|m| m.0.first < s.last && s.first < m.0.last);
            let found = self.found_mentions(arguments, example)?;
            mentions
                .extend(found.into_iter().filter(|m| !overlaps(m.0)).map(|(s, l)| (s, l, None)));
        }
        Ok((mentions, GoldRelations { relations, open: self.open_labels(task, example) }))
    }

    /// Counts for a relation task which types of arguments a document relates by which label: those
    /// of any mentions of the two entities, once a fact.
    pub(crate) fn count_types(&self, task: &str, doc: &Document) -> Result<()> {
        let (Some(Head::MentionPairs(head)), Some(config)) =
            (self.heads.get(task), self.config.tasks.get(task))
        else {
            return Ok(());
        };
        let arguments = config.head.arguments().unwrap_or_default();
        let (layer, argument_layer) = (self.config.layer(task), self.config.layer(arguments));
        let known = |label: &Label| self.vocab.label(arguments, &label.label);
        // As in `gold_relations`: where the arguments' layer is silent, another may say the type.
        let label = |m: &Mention| match m.labels.get(argument_layer) {
            Some(label) => known(label),
            None => m.labels.values().find_map(known),
        };
        let types = |mention: usize| -> BTreeSet<usize> {
            let mention = &doc.mentions[mention];
            let cluster = mention.cluster.and_then(|c| doc.clusters.get(c));
            let others = cluster.into_iter().flat_map(|c| &c.mentions).map(|&m| &doc.mentions[m]);
            others.chain([mention]).filter_map(label).collect()
        };
        let entity = |mention: usize| match doc.mentions[mention].cluster {
            Some(cluster) => (1, cluster),
            None => (0, mention),
        };
        let mut seen = BTreeSet::new();
        for relation in doc.relations.iter().filter(|r| r.task == layer) {
            let Some(label) = self.vocab.label(task, &relation.label) else { continue };
            let (heads, tails) = (types(relation.head), types(relation.tail));
            let fact = (entity(relation.head), entity(relation.tail));
            let pairs = heads.iter().flat_map(|&h| tails.iter().map(move |&t| (h, t)));
            seen.extend(pairs.map(|(head, tail)| (fact, (head, tail, label))));
        }
        head.count(&seen.into_iter().map(|(_, types)| types).collect::<Vec<_>>())
    }

    /// The mentions that `task` finds in an example, as it now is.
    fn found_mentions(&self, task: &str, example: &Example) -> Result<Vec<(Span, usize)>> {
        let options =
            AnnotateOptions { tasks: Some(vec![task.to_owned()]), ..AnnotateOptions::default() };
        let document = std::slice::from_ref(example.document);
        let found = self.annotate(document, &options, &Cancel::new())?;
        let tokens = example.tokens();
        let spans = found.iter().flat_map(|doc| doc.labelled(task)).filter_map(|(span, label)| {
            let inside = tokens.start <= span.first && span.last <= tokens.end;
            let label = self.vocab.label(task, &label.label).filter(|_| inside)?;
            Some((Span::new(span.first - tokens.start, span.last - tokens.start), label))
        });
        Ok(spans.collect())
    }
}

/// Clusters of an example, by position in it; those that it cuts to nothing are left out.
pub(super) fn gold_clusters(example: &Example) -> Vec<Vec<Span>> {
    let tokens = example.tokens();
    let inside = |s: &Span| tokens.start <= s.first && s.last <= tokens.end;
    let shift = |s: Span| Span::new(s.first - tokens.start, s.last - tokens.start);
    let clusters = example.document.cluster_spans().into_iter();
    clusters
        .map(|c| c.into_iter().filter(inside).map(shift).collect::<Vec<_>>())
        .filter(|c| !c.is_empty())
        .collect()
}
