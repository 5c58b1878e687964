//! What examples teach, and that it is learned.

use hmtl::feature::Example;
use hmtl::{DocumentBuilder, Span};

use crate::small::{FLAT, NESTED, doc, gold, loss, network};

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
            let mut losses = Vec::new();
            for _ in 0..60 {
                let loss = network.loss(task, &examples).unwrap();
                loss.backward();
                losses.push(f64::try_from(loss).unwrap());
                let _guard = tch::no_grad_guard();
                for (_, tensor) in params.iter() {
                    let mut grad = tensor.grad();
                    if grad.defined() {
                        let norm = f64::try_from(grad.norm()).unwrap().max(1.0);
                        let _ = tensor.shallow_clone().g_sub_(&(&grad * (0.02 / norm)));
                        let _ = grad.zero_();
                    }
                }
            }
            let (first, last) = (losses[0], losses[59]);
            assert!(last < 0.9 * first, "{task}: {first} to {last}");
        }
    }
}
