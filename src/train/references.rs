//! What stands for the entities of a training text, "she" and "the company", so that relations learn from it what
//! they will read.
//!
//! Corpora of facts between names rarely say who "she" is; the model that a run starts from does.

use crate::decode::references;
use crate::{Document, DocumentBuilder, Span};

/// The document with the mentions that `found` joins with the names of one of its entities alone. They get the
/// label of those in `layer`, and are in their cluster.
pub(super) fn refer(doc: &Document, found: &Document, layer: &str) -> Document {
    let (mut names, mut labels, mut entities) = (Vec::new(), Vec::new(), Vec::new());
    let mut clusters = doc.cluster_spans();
    for mention in &doc.mentions {
        let Some(label) = mention.labels.get(layer) else { continue };
        let label = label.label.as_str();
        let known = labels.iter().position(|l| *l == label).unwrap_or_else(|| {
            labels.push(label);
            labels.len() - 1
        });
        names.push((mention.span(), known));
        entities.push(mention.cluster.unwrap_or_else(|| {
            clusters.push(vec![mention.span()]);
            clusters.len() - 1
        }));
    }
    let found = references(&entities, &names, &found.cluster_spans());
    if found.is_empty() {
        return doc.clone();
    }
    let mut build = DocumentBuilder::new(doc.clone());
    build.copy(doc, |span| span);
    let mut grown: Vec<Vec<Span>> = clusters;
    for ((span, label), entity) in found {
        build.label(span, layer, labels[label], None);
        grown[entity].push(span);
    }
    let has = |c: usize, spans: &Vec<Span>| c < doc.clusters.len() || spans.len() > 1;
    for (_, spans) in grown.into_iter().enumerate().filter(|(c, spans)| has(*c, spans)) {
        build.cluster(spans);
    }
    build.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_of_the_entity_and_the_type_of_the_names_beside_them() {
        let words =
            "Ada met Bo . She and he left Rome . It rained .".split(' ').collect::<Vec<_>>();
        let text = Document::from_sentences(&[words]);
        let at = |n: usize| Span::new(n, n + 1);
        let mut build = DocumentBuilder::new(text.clone());
        for (n, label) in [(0, "PER"), (2, "PER"), (8, "LOC")] {
            build.label(at(n), "ner", label, None);
        }
        build.cluster(vec![at(0)]);
        build.relation("relation", "knows", at(0), at(2), None);
        let doc = build.finish();
        let annotated = |clusters: &[&[usize]]| {
            let mut build = DocumentBuilder::new(text.clone());
            clusters.iter().for_each(|c| build.cluster(c.iter().map(|&n| at(n)).collect()));
            build.finish()
        };
        let new = refer(&doc, &annotated(&[&[0, 4], &[2, 6], &[10, 11]]), "ner");
        let labels: Vec<(&str, &str)> =
            new.mentions.iter().map(|m| (&*m.text, &*m.labels["ner"].label)).collect();
        let expected =
            [("Ada", "PER"), ("Bo", "PER"), ("She", "PER"), ("he", "PER"), ("Rome", "LOC")];
        assert_eq!(labels, expected);
        assert_eq!(new.cluster_spans(), [[at(0), at(4)], [at(2), at(6)]]);
        assert_eq!(new.relations, doc.relations);
        // Of two people, or of what is no entity, nothing is known.
        assert_eq!(refer(&doc, &annotated(&[&[0, 2, 4], &[10, 11]]), "ner"), doc);
    }
}
