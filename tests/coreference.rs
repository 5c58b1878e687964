//! What coreference knows beside its spans: the kind of text, which spans are names, and
//! how far antecedents are.

mod common;

use hmtl::config::ModelConfig;
use hmtl::feature::Example;
use hmtl::model::{AnnotateOptions, Network};
use hmtl::params::Params;
use hmtl::{Cancel, Document, DocumentBuilder, Span};
use serde_json::{Value, json};
use tch::{Device, Tensor};

/// The tiny model with changes to its coreference.
fn network(changes: &Value) -> (Network, Params) {
    common::one_thread();
    let mut config: Value = serde_json::from_str(common::TINY).unwrap();
    for (key, value) in changes.as_object().unwrap() {
        config["tasks"]["coref"][key] = value.clone();
    }
    let config = ModelConfig::from_json(&config.to_string()).unwrap();
    let mut params = Params::random(Device::Cpu);
    static DRAWING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _alone = DRAWING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    tch::manual_seed(7);
    let network = Network::new(&config, &common::tiny_vocabularies(), &mut params).unwrap();
    (network, params)
}

fn tensor<'a>(params: &'a Params, name: &str) -> &'a Tensor {
    params.iter().find(|(n, _)| *n == format!("tasks.coref.{name}")).unwrap().1
}

fn doc(sentences: &[&str], cluster: &[(usize, usize)]) -> Document {
    let words: Vec<Vec<&str>> = sentences.iter().map(|s| s.split_whitespace().collect()).collect();
    let mut build = DocumentBuilder::new(Document::from_sentences(&words));
    build.cluster(cluster.iter().map(|&(a, b)| Span::new(a, b)).collect());
    build.finish()
}

fn loss(network: &Network, doc: &Document) -> f64 {
    f64::try_from(network.loss("coref", &[Example::whole(doc)]).unwrap()).unwrap()
}

/// How much the loss of a document changes at most when the elements of a row do, either way: a unit may be idle.
fn effect(network: &Network, tensor: &Tensor, row: i64, doc: &Document) -> f64 {
    // Before, too: LibTorch multiplies in another order where it remembers how.
    let _guard = tch::no_grad_guard();
    let before = loss(network, doc);
    let changed = |by: f64| {
        let _ = tensor.get(row).g_add_scalar_(by);
        let after = loss(network, doc);
        let _ = tensor.get(row).g_sub_scalar_(by);
        (after - before).abs()
    };
    changed(5.0).max(changed(-5.0))
}

#[test]
fn two_names_of_one_last_word_are_a_case_of_their_own() {
    let (network, params) = network(&json!({"names": true, "spans_per_word": 10.0}));
    let table = tensor(&params, "fine.match");
    assert_eq!(table.size(), [32, 12]);
    let names = doc(&["Maria Keller met Anna Keller ."], &[(0, 2), (3, 5)]);
    let others = doc(&["the company met a company ."], &[(0, 2), (3, 5)]);
    // Only the last token is equal: 2 without names, 18 with.
    for (row, document, other) in [(18, &names, &others), (2, &others, &names)] {
        let (own, none) =
            (effect(&network, table, row, document), effect(&network, table, row, other));
        assert!(own > 1e-4, "{row}: {own}");
        assert!(row == 2 || none < 1e-5, "{row}: {none}");
    }
}

#[test]
fn without_names_there_are_no_such_cases() {
    let (_, params) = network(&json!({}));
    assert_eq!(tensor(&params, "fine.match").size(), [16, 12]);
}

#[test]
fn antecedents_are_chosen_by_how_far_they_are() {
    let (network, params) = network(&json!({"coarse_distance": true, "spans_per_word": 10.0}));
    let table = tensor(&params, "coarse.distance");
    assert_eq!(table.size()[0], 12);
    let doc = doc(&["Maria Keller met Anna Keller ."], &[(0, 2), (3, 5)]);
    // Three words are of the second power of two, and no words of this sentence eight apart.
    assert!(effect(&network, table, 2, &doc) > 1e-4);
    assert!(effect(&network, table, 4, &doc) < 1e-6);
}

#[test]
fn a_span_knows_the_kind_of_text_it_is_in() {
    let first = "Maria Keller founded Nordlicht in Lübeck .";
    let documents = [doc(&[first], &[(0, 2)]), doc(&[first, "She sold ."], &[(0, 2)])];
    let (network, params) = network(&json!({"genre_size": 3}));
    assert_eq!(tensor(&params, "genre.down").size(), [3, 16]);
    let up = tensor(&params, "genre.up");
    let plain: Vec<f64> = documents.iter().map(|d| loss(&network, d)).collect();
    {
        let _guard = tch::no_grad_guard();
        let _ = up.shallow_clone().zero_();
    }
    for (document, before) in documents.iter().zip(plain) {
        let after = loss(&network, document);
        assert!((after - before).abs() > 1e-6, "{before} {after}");
    }
}

#[test]
fn a_short_text_keeps_a_least_number_of_spans() {
    let doc = doc(&["Maria Keller founded Nordlicht in Lübeck and sold it ."], &[]);
    let mentions = |least: usize| {
        // One of its ten tokens, and all that is kept is reported.
        let (network, _) = network(&json!({
            "projection": 12, "singletons": true, "singleton_score": -1e9, "spans_per_word": 0.1, "min_spans": least
        }));
        let options = AnnotateOptions {
            tasks: Some(vec!["coref".to_owned()]),
            singletons: true,
            ..AnnotateOptions::default()
        };
        let found = network.annotate(std::slice::from_ref(&doc), &options, &Cancel::new()).unwrap();
        found[0].mentions.len()
    };
    assert_eq!([mentions(0), mentions(3), mentions(50)], [1, 3, 4]);
}
