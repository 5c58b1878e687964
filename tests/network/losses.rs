//! What examples teach, and that it is learned.

use hmtl::feature::Example;
use hmtl::{Document, DocumentBuilder, Span};

use crate::small::{FLAT, NESTED, descend, doc, gold, loss, network};

#[test]
fn relations_are_learned_without_gold_mentions_of_the_arguments() {
    let (network, _) = network(NESTED);
    let text = ["Maria Keller founded Nordlicht .", "She sold the company ."];
    let mut build = DocumentBuilder::new(doc(&text));
    build.relation("relation", "founder_of", Span::new(0, 2), Span::new(3, 4), None);
    let document = build.finish();
    let loss = network.loss("relation", &[Example::whole(&document)]).unwrap();
    assert!(f64::try_from(loss).unwrap() > 0.0);
}

#[test]
fn what_was_not_looked_for_costs_nothing() {
    let text = ["Maria Keller founded Nordlicht ."];
    let covering = |ner: &[&str], relation: &[&str]| {
        let names = |labels: &[&str]| labels.iter().map(|l| (*l).to_owned()).collect();
        let mut build = DocumentBuilder::new(doc(&text));
        build.cover("ner", names(ner));
        build.cover("relation", names(relation));
        build
    };
    let (maria, nordlicht) = (Span::new(0, 2), Span::new(3, 4));
    for config in [FLAT, NESTED] {
        let (network, _) = network(config);
        let nothing = covering(&[], &[]).finish();
        assert!(loss(&network, "ner", &nothing).abs() < 1e-4);
        let of_ner = |build: DocumentBuilder| loss(&network, "ner", &build.finish());
        let all = of_ner(covering(&["PER", "ORG"], &[]));
        let complete = loss(&network, "ner", &doc(&text));
        assert!((all - complete).abs() < 1e-3, "{all} {complete}");
        // The less is known, the more agrees with it.
        let some = of_ner(covering(&["PER"], &[]));
        assert!(0.0 < some && some < all, "{some} {all}");
        // A span of some label leaves open which one.
        let with = |label: &str| {
            let mut build = covering(&["PER"], &[]);
            build.label(maria, "ner", label, None);
            of_ner(build)
        };
        assert!(with("NAME") < some && with("NAME") < with("PER") && with("NAME") < with("ORG"));
        // Relations: a fact teaches, whether its label is covered or not; its absence only if it is.
        let relation = |relation: &[&str], fact: bool| {
            let mut build = covering(&["PER", "ORG"], relation);
            build.label(maria, "ner", "PER", None);
            build.label(nordlicht, "ner", "ORG", None);
            if fact {
                build.relation("relation", "founder_of", maria, nordlicht, None);
            }
            loss(&network, "relation", &build.finish())
        };
        assert_eq!(relation(&[], false), 0.0);
        assert!(relation(&["seller_of"], false) > 0.0);
        assert!(relation(&[], true) > 0.0);
        assert!(relation(&["seller_of"], true) > relation(&[], true));
    }
}

#[test]
fn every_loss_falls_by_gradient_descent() {
    let document = gold();
    for config in [FLAT, NESTED] {
        let (network, params) = network(config);
        for task in ["ner", "relation", "coref"] {
            let examples: Vec<Example> = match network.config().tasks[task].head.unit() {
                hmtl::config::Unit::Sentence => {
                    (0..2).map(|s| Example { document: &document, sentences: s..s + 1 }).collect()
                }
                hmtl::config::Unit::Document => vec![Example::whole(&document)],
            };
            let losses = descend(&network, &params, task, &examples, (60, 0.02));
            let (first, last) = (losses[0], losses[59]);
            assert!(last < 0.9 * first, "{task}: {first} to {last}");
        }
    }
}

/// Sentences of many lengths with gold mentions.
fn sentences_of_many_lengths() -> Document {
    let words = ["Maria", "Keller", "sold", "the", "company", "in", "Nordlicht"];
    let sentence = |n: usize| (0..n).map(|i| words[(i * i + n) % 7]).collect::<Vec<_>>().join(" ");
    let lengths = [90, 3, 40, 1, 17, 5, 60, 28, 2, 33, 90, 11];
    let sentences = lengths.map(sentence);
    let mut build = DocumentBuilder::new(doc(&sentences.each_ref().map(String::as_str)));
    let mut start = 0;
    for (at, n) in lengths.into_iter().enumerate() {
        let label = if at % 2 == 0 { "PER" } else { "ORG" };
        build.label(Span::new(start, start + n.min(2)), "ner", label, None);
        start += n;
    }
    build.finish()
}

#[test]
fn a_loss_is_that_of_its_sentences_whatever_they_are_encoded_with() {
    let document = sentences_of_many_lengths();
    let examples: Vec<Example> =
        (0..12).map(|s| Example { document: &document, sentences: s..s + 1 }).collect();
    // A CRF's is a sum, a biaffine's a mean.
    for (config, is_mean) in [(FLAT, false), (NESTED, true)] {
        let (network, _) = network(config);
        let value = |loss: tch::Tensor| f64::try_from(loss).unwrap();
        let alone: Vec<f64> = examples
            .iter()
            .map(|e| value(network.loss("ner", std::slice::from_ref(e)).unwrap()))
            .collect();
        let expected = |of: &dyn Fn(usize) -> bool| {
            let own: Vec<f64> = (0..12).filter(|&s| of(s)).map(|s| alone[s]).collect();
            own.iter().sum::<f64>() / if is_mean { own.len() as f64 } else { 1.0 }
        };
        let together = value(network.loss("ner", &examples).unwrap());
        assert!((together / expected(&|_| true) - 1.0).abs() < 1e-4);
        // Some have no gold for the task.
        let learned = |s: usize| !s.is_multiple_of(3);
        let gold: Vec<Option<&Document>> =
            (0..12).map(|s| learned(s).then_some(&document)).collect();
        let some = network.losses(&examples, &[("ner", &gold)]).unwrap().remove(0).unwrap();
        assert!((value(some) / expected(&learned) - 1.0).abs() < 1e-4);
        let none: Vec<Option<&Document>> = vec![None; 12];
        assert!(network.losses(&examples, &[("ner", &none)]).unwrap()[0].is_none());
    }
}
