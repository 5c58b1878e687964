//! Encoders that read several sentences at once.

mod common;

use hmtl::config::ModelConfig;
use hmtl::feature::Example;
use hmtl::model::{AnnotateOptions, Network};
use hmtl::params::Params;
use hmtl::{Cancel, Document};
use tch::Device;

/// The tiny model whose encoders read `tokens` at once.
fn network(tokens: Option<usize>) -> Network {
    common::one_thread();
    let mut config = ModelConfig::from_json(common::TINY).unwrap();
    config.passage_tokens = tokens;
    let mut params = Params::random(Device::Cpu);
    static DRAWING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _alone = DRAWING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    tch::manual_seed(7);
    Network::new(&config, &common::tiny_vocabularies(), &mut params).unwrap()
}

fn doc(sentences: &[&str]) -> Document {
    let words: Vec<Vec<&str>> = sentences.iter().map(|s| s.split_whitespace().collect()).collect();
    Document::from_sentences(&words)
}

fn annotate(network: &Network, docs: &[Document]) -> Vec<Document> {
    let options = AnnotateOptions { singletons: true, ..AnnotateOptions::default() };
    network.annotate(docs, &options, &Cancel::new()).unwrap()
}

/// Labels with their scores to four places, relations and clusters.
fn found(doc: &Document) -> String {
    let labels = doc.mentions.iter().flat_map(|m| {
        let label = |(task, l): (&String, &hmtl::Label)| {
            let span = m.span();
            format!("{}-{} {task} {} {:.4}", span.first, span.last, l.label, l.score.unwrap())
        };
        m.labels.iter().map(label).collect::<Vec<_>>()
    });
    let labels = labels.collect::<Vec<_>>().join("; ");
    let relations = doc.relations.iter().map(|r| format!("{} {} {}", r.head, r.label, r.tail));
    let relations = relations.collect::<Vec<_>>().join("; ");
    format!("{labels} | {relations} | {:?}", doc.cluster_spans())
}

const SENTENCES: [&str; 5] = [
    "Maria Keller founded Nordlicht in Lübeck .",
    "She sold the company .",
    "Yes .",
    "The company sold extraordinarily uncharacteristic things to Maria .",
    "In Nordlicht Keller sold a b c .",
];

#[test]
fn passages_of_one_sentence_are_sentences() {
    let docs = [doc(&SENTENCES), doc(&[])];
    let (one, none) = (annotate(&network(Some(1)), &docs), annotate(&network(None), &docs));
    assert_eq!(found(&one[0]), found(&none[0]));
    let example = [Example::whole(&docs[0])];
    for task in ["ner", "emd", "relation", "coref"] {
        let loss = |tokens| f64::try_from(network(tokens).loss(task, &example).unwrap()).unwrap();
        assert_eq!(loss(Some(1)), loss(None), "{task}");
    }
}

#[test]
fn sentences_of_a_passage_know_each_other() {
    let scores = |network: &Network, second: &str| {
        found(&annotate(network, &[doc(&[SENTENCES[0], second])])[0])
            .split(" | ")
            .next()
            .unwrap()
            .split("; ")
            .filter(|l| l.split(' ').next().unwrap().ends_with(|c: char| c.is_ascii_digit()))
            .take(3)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let apart = network(None);
    assert_eq!(scores(&apart, "Yes ."), scores(&apart, "She sold the company ."));
    let joined = network(Some(40));
    assert_ne!(scores(&joined, "Yes ."), scores(&joined, "She sold the company ."));
    // Seven tokens and five are more than eleven.
    let cut = network(Some(11));
    assert_eq!(scores(&cut, "Yes ."), scores(&joined, "Yes ."));
    assert_eq!(scores(&cut, "She sold the company ."), scores(&apart, "Yes ."));
}

#[test]
fn a_document_is_annotated_alike_alone_and_beside_others() {
    let network = network(Some(14));
    let docs = [doc(&SENTENCES), doc(&["Yes ."]), doc(&[]), doc(&SENTENCES[1..4])];
    let together = annotate(&network, &docs);
    assert!(together.iter().any(|d| !d.mentions.is_empty()));
    for (document, together) in docs.iter().zip(&together) {
        let alone = annotate(&network, std::slice::from_ref(document));
        assert_eq!(found(&alone[0]), found(together));
    }
}

#[test]
fn spans_never_cross_sentences() {
    let found = annotate(&network(Some(100)), &[doc(&SENTENCES)]);
    let document = &found[0];
    assert!(document.mentions.len() > 5, "{}", document.mentions.len());
    for mention in &document.mentions {
        let inside = (0..document.sentences.len()).any(|s| {
            let tokens = document.sentence_tokens(s);
            tokens.start <= mention.first_token && mention.last_token <= tokens.end
        });
        assert!(inside, "{:?}", mention.span());
    }
}

#[test]
fn no_tokens_are_no_passage() {
    let json = common::TINY.replacen('{', r#"{"passage_tokens": 0,"#, 1);
    let error = ModelConfig::from_json(&json).unwrap_err().to_string();
    assert!(error.contains("passage_tokens must be positive"), "{error}");
}
