//! Small networks, and what the tests do with them.

use hmtl::config::ModelConfig;
use hmtl::feature::{Example, Vocabularies};
use hmtl::model::{AnnotateOptions, Network};
use hmtl::params::Params;
use hmtl::{Cancel, Document, DocumentBuilder, Span};
use tch::Device;

/// The heads of 2018, without its pooling of padding.
pub const FLAT: &str = r#"{
  "format": 1,
  "embedding": {"chars": {"type": "cnn", "size": 6, "filters": 8, "widths": [3]}, "words": {"type": "table", "size": 10}},
  "encoders": {
    "low": {"type": "lstm", "inputs": ["embedding"], "hidden": 8, "layers": 2},
    "top": {"type": "lstm", "inputs": ["embedding", "low"], "hidden": 8, "layers": 1, "orthogonal": true}
  },
  "tasks": {
    "ner": {"type": "crf_tagger", "on": "low"},
    "relation": {"type": "head_selection", "on": "top", "arguments": "ner", "hidden": 8, "threshold": 0.5},
    "coref": {"type": "mention_ranking", "on": "top", "max_span_width": 4, "spans_per_word": 0.4,
              "max_antecedents": 20, "hidden": 12, "feature_size": 4}
  }
}"#;

/// The heads of today.
pub const NESTED: &str = r#"{
  "format": 1,
  "embedding": {"chars": {"type": "cnn", "size": 6, "filters": 8, "widths": [2, 3]}, "words": {"type": "table", "size": 10}},
  "encoders": {
    "low": {"type": "lstm", "inputs": ["embedding"], "hidden": 8, "layers": 1},
    "top": {"type": "lstm", "inputs": ["embedding", "low"], "hidden": 8, "layers": 1}
  },
  "tasks": {
    "ner": {"type": "biaffine", "on": "low", "hidden": 8, "max_width": 6},
    "relation": {"type": "mention_pairs", "on": "top", "arguments": "ner", "hidden": 8, "max_sentences": 1,
                 "reader_hidden": 6, "word_match": 3},
    "coref": {"type": "mention_ranking", "on": "top", "max_span_width": 4, "spans_per_word": 0.4,
              "max_antecedents": 20, "hidden": 12, "feature_size": 4, "projection": 12, "singletons": true}
  }
}"#;

pub fn vocabularies() -> Vocabularies {
    let names = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let labels = [("ner", "PER ORG"), ("relation", "founder_of seller_of")]
        .map(|(task, l)| (task.to_owned(), names(l)));
    Vocabularies { labels: labels.into(), ..crate::common::tiny_vocabularies() }
}

pub fn network(config: &str) -> (Network, Params) {
    crate::common::one_thread();
    let config = ModelConfig::from_json(config).unwrap();
    let mut params = Params::random(Device::Cpu);
    // The generator is the process's: tests beside this one must not draw in between.
    static DRAWING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _alone = DRAWING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    tch::manual_seed(7);
    let network = Network::new(&config, &vocabularies(), &mut params).unwrap();
    (network, params)
}

pub fn doc(sentences: &[&str]) -> Document {
    let words: Vec<Vec<&str>> = sentences.iter().map(|s| s.split_whitespace().collect()).collect();
    Document::from_sentences(&words)
}

/// A network that is of another mind in every sentence, and a document that gives it cause.
pub fn moody(config: &str) -> (Network, Document) {
    let (network, params) = network(config);
    let _guard = tch::no_grad_guard();
    for (_, tensor) in params.trainable() {
        let _ = tensor.shallow_clone().g_mul_scalar_(4.0);
    }
    let words = ["Keller", "Maria", "Nordlicht", "founded", "Lübeck", "the", "company", "a", "."];
    // Sentences of four to nine words, each word about as far from the one before as any.
    let word = |at: usize| words[at * at * 7 % 11 % words.len()];
    let sentences: Vec<String> = (0..30)
        .map(|n| (0..4 + n % 6).map(|at| word(n * 5 + at)).collect::<Vec<_>>().join(" "))
        .collect();
    (network, doc(&sentences.iter().map(String::as_str).collect::<Vec<_>>()))
}

pub fn annotate(network: &Network, docs: &[Document], options: &AnnotateOptions) -> Vec<Document> {
    network.annotate(docs, options, &Cancel::new()).unwrap()
}

pub fn for_tasks(tasks: &[&str]) -> AnnotateOptions {
    let tasks = Some(tasks.iter().map(|t| (*t).to_owned()).collect());
    AnnotateOptions { tasks, ..AnnotateOptions::default() }
}

/// Equal but for rounding of the scores.
pub fn assert_same(a: &Document, b: &Document) {
    let close = |a: Option<f32>, b: Option<f32>| (a.unwrap() - b.unwrap()).abs() < 1e-5;
    let spans = |d: &Document| d.mentions.iter().map(|m| (m.span(), m.cluster)).collect::<Vec<_>>();
    assert_eq!(spans(a), spans(b));
    for (a, b) in a.mentions.iter().zip(&b.mentions) {
        assert_eq!(a.labels.len(), b.labels.len());
        for (layer, label) in &a.labels {
            assert_eq!(label.label, b.labels[layer].label);
            assert!(close(label.score, b.labels[layer].score));
        }
    }
    assert_eq!(a.relations.len(), b.relations.len());
    for (a, b) in a.relations.iter().zip(&b.relations) {
        assert_eq!((&a.label, a.head, a.tail), (&b.label, b.head, b.tail));
        assert!(close(a.score, b.score));
    }
    assert_eq!(a.clusters, b.clusters);
}

/// A document with gold labels of every task.
pub fn gold() -> Document {
    let text = ["Maria Keller founded Nordlicht .", "She sold the company ."];
    let mut build = DocumentBuilder::new(doc(&text));
    let (maria, nordlicht) = (Span::new(0, 2), Span::new(3, 4));
    build.label(maria, "ner", "PER", None);
    build.label(nordlicht, "ner", "ORG", None);
    build.relation("relation", "founder_of", maria, nordlicht, None);
    build.cluster(vec![maria, Span::new(5, 6)]);
    build.cluster(vec![nordlicht, Span::new(7, 9)]);
    build.finish()
}

pub fn loss(network: &Network, task: &str, document: &Document) -> f64 {
    f64::try_from(network.loss(task, &[Example::whole(document)]).unwrap()).unwrap()
}

/// Gradient descent on the loss of a task; the losses.
pub fn descend(
    network: &Network,
    params: &Params,
    task: &str,
    examples: &[Example],
    (steps, rate): (usize, f64),
) -> Vec<f64> {
    let step = |_| {
        let loss = network.loss(task, examples).unwrap();
        loss.backward();
        let _guard = tch::no_grad_guard();
        for (_, tensor) in params.iter() {
            let mut grad = tensor.grad();
            if grad.defined() {
                let norm = f64::try_from(grad.norm()).unwrap().max(1.0);
                let _ = tensor.shallow_clone().g_sub_(&(&grad * (rate / norm)));
                let _ = grad.zero_();
            }
        }
        f64::try_from(loss).unwrap()
    };
    (0..steps).map(step).collect()
}
