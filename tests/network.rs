//! Small random networks of every head: what must hold whatever the weights are.

mod common;

use hmtl::config::ModelConfig;
use hmtl::feature::{Example, Vocab, Vocabularies};
use hmtl::head::{DocumentInput, Head};
use hmtl::model::{AnnotateOptions, Network};
use hmtl::params::Params;
use hmtl::{Cancel, Document, DocumentBuilder, Error, Span};
use tch::{Device, Kind, Tensor};

/// The heads of 2018, without its pooling of padding.
const FLAT: &str = r#"{
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
const NESTED: &str = r#"{
  "format": 1,
  "embedding": {"chars": {"type": "cnn", "size": 6, "filters": 8, "widths": [2, 3]}, "words": {"type": "table", "size": 10}},
  "encoders": {
    "low": {"type": "lstm", "inputs": ["embedding"], "hidden": 8, "layers": 1},
    "top": {"type": "lstm", "inputs": ["embedding", "low"], "hidden": 8, "layers": 1}
  },
  "tasks": {
    "ner": {"type": "biaffine", "on": "low", "hidden": 8, "max_width": 6},
    "relation": {"type": "mention_pairs", "on": "top", "arguments": "ner", "hidden": 8, "max_sentences": 1},
    "coref": {"type": "mention_ranking", "on": "top", "max_span_width": 4, "spans_per_word": 0.4,
              "max_antecedents": 20, "hidden": 12, "feature_size": 4, "projection": 12, "singletons": true}
  }
}"#;

fn vocabularies() -> Vocabularies {
    let names = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    Vocabularies {
        words: Vocab::new(names("maria keller founded nordlicht she sold the company in ."))
            .unwrap(),
        chars: Vocab::new(('a'..='z').chain('A'..='Z').map(String::from).collect()).unwrap(),
        labels: [
            ("ner".to_owned(), names("PER ORG")),
            ("relation".to_owned(), names("founder_of seller_of")),
        ]
        .into(),
        pieces: None,
        elmo: None,
    }
}

fn network(config: &str) -> (Network, Params) {
    common::one_thread();
    let config = ModelConfig::from_json(config).unwrap();
    let mut params = Params::random(Device::Cpu);
    // The generator is the process's: tests beside this one must not draw in between.
    static DRAWING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _alone = DRAWING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    tch::manual_seed(7);
    let network = Network::new(&config, &vocabularies(), &mut params).unwrap();
    (network, params)
}

fn doc(sentences: &[&str]) -> Document {
    let words: Vec<Vec<&str>> = sentences.iter().map(|s| s.split_whitespace().collect()).collect();
    Document::from_sentences(&words)
}

fn annotate(network: &Network, docs: &[Document], options: &AnnotateOptions) -> Vec<Document> {
    network.annotate(docs, options, &Cancel::new()).unwrap()
}

fn for_tasks(tasks: &[&str]) -> AnnotateOptions {
    let tasks = Some(tasks.iter().map(|t| (*t).to_owned()).collect());
    AnnotateOptions { tasks, ..AnnotateOptions::default() }
}

/// Equal but for rounding of the scores.
fn assert_same(a: &Document, b: &Document) {
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
fn gold() -> Document {
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

#[test]
fn a_document_is_annotated_alike_alone_in_a_batch_and_in_another_order() {
    let docs = [
        doc(&["Maria Keller founded Nordlicht in Lübeck .", "She sold the company ."]),
        doc(&["Yes ."]),
        doc(&["The company sold extraordinarily uncharacteristic things to Maria ; a b c d e f ."]),
        doc(&[]),
        doc(&["In .", "Keller sold Nordlicht .", "The company sold Maria Keller ."]),
    ];
    for config in [FLAT, NESTED] {
        let (network, _) = network(config);
        let options = AnnotateOptions { singletons: true, ..AnnotateOptions::default() };
        let together = annotate(&network, &docs, &options);
        let reversed: Vec<Document> = docs.iter().rev().cloned().collect();
        let reversed = annotate(&network, &reversed, &options);
        assert!(together.iter().any(|d| !d.mentions.is_empty()));
        for (i, document) in docs.iter().enumerate() {
            let alone = annotate(&network, std::slice::from_ref(document), &options);
            assert_same(&alone[0], &together[i]);
            assert_same(&alone[0], &reversed[docs.len() - 1 - i]);
        }
    }
}

#[test]
fn the_smallest_documents_are_annotated_and_learned_from() {
    for config in [FLAT, NESTED] {
        let (network, _) = network(config);
        let long = "x".repeat(5000);
        for text in [&[][..], &["a"], &["a ."], &["I am ."], &["a", "b"], &[long.as_str()]] {
            let document = doc(text);
            let found = annotate(&network, std::slice::from_ref(&document), &Default::default());
            assert_eq!(found[0].tasks, ["ner", "relation", "coref"]);
            assert_eq!(found[0].tokens, document.tokens);
            for task in ["ner", "relation", "coref"] {
                let loss = network.loss(task, &[Example::whole(&document)]);
                match loss {
                    Ok(loss) => assert!(f64::try_from(loss).unwrap().is_finite()),
                    Err(e) => assert!(document.tokens.is_empty(), "{task} {text:?}: {e}"),
                }
            }
        }
        assert!(annotate(&network, &[], &AnnotateOptions::default()).is_empty());
    }
}

#[test]
fn empty_sentences_between_others_are_passed_over() {
    let mut document = doc(&["Maria sold Nordlicht .", "She sold the company ."]);
    let first = document.sentences[0];
    let empty = hmtl::Sentence { start: first.end, first_token: first.last_token, ..first };
    document.sentences.insert(1, empty);
    for config in [FLAT, NESTED] {
        let (network, _) = network(config);
        let found = annotate(&network, std::slice::from_ref(&document), &Default::default());
        assert_eq!(found[0].sentences, document.sentences);
        for task in ["ner", "relation", "coref"] {
            let sentences = (0..3).map(|s| Example { document: &document, sentences: s..s + 1 });
            assert!(network.loss(task, &sentences.collect::<Vec<_>>()).is_ok());
            assert!(network.loss(task, &[Example::whole(&document)]).is_ok());
        }
    }
}

#[test]
fn documents_that_contradict_themselves_are_refused() {
    let (network, _) = network(FLAT);
    let good = doc(&["Maria sold Nordlicht ."]);
    let refused = |change: fn(&mut Document)| {
        let mut document = good.clone();
        change(&mut document);
        let result = network.annotate(&[document], &AnnotateOptions::default(), &Cancel::new());
        assert!(matches!(result, Err(Error::InvalidArgument(_))), "{result:?}");
    };
    refused(|d| d.sentences.clear());
    refused(|d| d.sentences[0].last_token = 9);
    refused(|d| d.sentences[0].first_token = 1);
    refused(|d| d.tokens[1].end = 1000);
    refused(|d| d.tokens.swap(0, 1));
    refused(|d| d.offsets = hmtl::OffsetUnit::Utf16);
}

#[test]
fn only_wanted_tasks_are_reported_though_relations_need_mentions() {
    for config in [FLAT, NESTED] {
        let (network, _) = network(config);
        let document = doc(&["Maria Keller founded Nordlicht .", "She sold the company ."]);
        let all = annotate(&network, std::slice::from_ref(&document), &AnnotateOptions::default());
        let some = annotate(&network, &[document], &for_tasks(&["relation"]));
        assert_eq!(some[0].tasks, ["relation"]);
        assert!(
            some[0].mentions.iter().all(|m| m.labels.is_empty()) && some[0].clusters.is_empty()
        );
        let spans = |d: &Document| {
            let span = |m: usize| d.mentions[m].span();
            let relations = d.relations.iter();
            relations.map(|r| (r.label.clone(), span(r.head), span(r.tail))).collect::<Vec<_>>()
        };
        assert_eq!(spans(&some[0]), spans(&all[0]));
    }
}

#[test]
fn an_unknown_task_is_an_error_that_names_the_known_ones() {
    let (network, _) = network(FLAT);
    let err = network.annotate(&[], &for_tasks(&["pos"]), &Cancel::new()).unwrap_err();
    assert_eq!(err.to_string(), "the model has no task `pos`, only ner, relation, coref");
}

#[test]
fn weak_labels_and_relations_are_left_out() {
    let (network, _) = network(FLAT);
    let document = doc(&["Maria Keller founded Nordlicht .", "She sold the company ."]);
    let options = AnnotateOptions { min_score: Some(1.1), ..for_tasks(&["ner", "relation"]) };
    let found = annotate(&network, &[document], &options);
    assert!(found[0].mentions.is_empty() && found[0].relations.is_empty());
}

#[test]
fn a_raised_flag_stops_the_work() {
    let (network, _) = network(FLAT);
    let cancel = Cancel::new();
    cancel.trigger();
    let result = network.annotate(&[doc(&["a b ."])], &AnnotateOptions::default(), &cancel);
    assert!(matches!(result, Err(Error::Cancelled)));
}

#[test]
fn a_raised_flag_stops_the_work_inside_a_document() {
    let (network, _) = network(NESTED);
    let x = |width: i64| DocumentInput {
        rows: Tensor::zeros([4, width], (Kind::Float, Device::Cpu)),
        sentences: std::iter::once(0..4).collect(),
        keys: vec![0, 1, 2, 3],
        capitals: vec![false; 4],
    };
    let raised = Cancel::new();
    raised.trigger();
    let Some(Head::CoarseToFine(coref)) = network.head("coref") else { panic!("coref") };
    assert!(coref.decode(&x(37), &Cancel::new()).is_ok());
    assert!(matches!(coref.decode(&x(37), &raised), Err(Error::Cancelled)));
    let Some(Head::MentionPairs(pairs)) = network.head("relation") else { panic!("relation") };
    let mentions = [(Span::new(0, 2), 0), (Span::new(3, 4), 1)];
    assert!(pairs.decode(&x(16), &mentions, &[], &Cancel::new()).is_ok());
    assert!(matches!(pairs.decode(&x(16), &mentions, &[], &raised), Err(Error::Cancelled)));
}

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

fn loss(network: &Network, task: &str, document: &Document) -> f64 {
    f64::try_from(network.loss(task, &[Example::whole(document)]).unwrap()).unwrap()
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

/// [`NESTED`] with something added to the configuration of its relations.
fn related(added: &str) -> String {
    NESTED.replace(
        "\"max_sentences\": 1",
        &format!("\"max_sentences\": 1, \"threshold\": 0.0, {added}"),
    )
}

#[test]
fn a_symmetric_relation_is_reported_once_and_learned_in_both_directions() {
    let (network, _) = network(&related(r#""symmetric": ["founder_of"]"#));
    let text = ["Maria Keller founded Nordlicht .", "She sold the company ."];
    let found = &annotate(&network, &[doc(&text)], &for_tasks(&["relation"]))[0];
    // Without a threshold every pair is related.
    let of = |label: &str| -> Vec<(usize, usize)> {
        let relations = found.relations.iter().filter(|r| r.label == label);
        relations.map(|r| (r.head, r.tail)).collect()
    };
    let (both, once) = (of("seller_of"), of("founder_of"));
    assert!(!once.is_empty() && both.len() == 2 * once.len(), "{both:?} {once:?}");
    assert!(
        once.iter()
            .all(|(head, tail)| { found.mentions[*head].span() < found.mentions[*tail].span() })
    );

    let (maria, nordlicht) = (Span::new(0, 2), Span::new(3, 4));
    let gold = |label: &str, head: Span, tail: Span| {
        let mut build = DocumentBuilder::new(doc(&text[..1]));
        build.label(maria, "ner", "PER", None);
        build.label(nordlicht, "ner", "ORG", None);
        build.relation("relation", label, head, tail, None);
        loss(&network, "relation", &build.finish())
    };
    let ways = |label| (gold(label, maria, nordlicht), gold(label, nordlicht, maria));
    let (there, back) = ways("founder_of");
    assert_eq!(there, back);
    let (there, back) = ways("seller_of");
    assert_ne!(there, back);
}

#[test]
fn a_constrained_relation_holds_between_types_it_was_seen_with() {
    let (network, params) = network(&related(r#""constrain": {}"#));
    let trainable = params.trainable().any(|(name, _)| name == "tasks.relation.seen");
    assert!(params.tensor("tasks.relation.seen").is_some() && !trainable);
    let text =
        ["Maria Keller founded Nordlicht .", "She sold the company .", "In Nordlicht she sold ."];
    let types = |network: &Network, label: &str| -> std::collections::BTreeSet<(String, String)> {
        let found = &annotate(network, &[doc(&text)], &for_tasks(&["ner", "relation"]))[0];
        let of = |mention: usize| found.mentions[mention].labels["ner"].label.clone();
        let relations = found.relations.iter().filter(|r| r.label == label);
        relations.map(|r| (of(r.head), of(r.tail))).collect()
    };
    // Nothing was seen yet: nothing is forbidden.
    let before = types(&network, "founder_of");
    let (head_type, tail_type) = before.first().unwrap().clone();
    let Some(Head::MentionPairs(head)) = network.head("relation") else { panic!() };
    let index = |label: &str| usize::from(label == "ORG");
    let count = |of: usize| head.count(&[(of, index(&tail_type), 0)]).unwrap();
    count(1 - index(&head_type));
    let after = types(&network, "founder_of");
    assert!(!after.contains(&(head_type.clone(), tail_type.clone())), "{before:?} {after:?}");
    assert_eq!(types(&network, "seller_of"), before);
    count(index(&head_type));
    assert!(types(&network, "founder_of").contains(&(head_type, tail_type)));
}

#[test]
fn entities_come_from_a_coreference_task_of_the_model() {
    let (network, _) = network(&related(r#""entities": "coref""#));
    // Whether the clusters are wanted or not, the relations are those between their entities.
    let document = doc(&["Maria Keller founded Nordlicht .", "She sold the company ."]);
    let relations = |network: &Network, tasks: &[&str]| {
        let found = annotate(network, std::slice::from_ref(&document), &for_tasks(tasks));
        assert!(tasks.len() == 3 || found[0].clusters.is_empty());
        found[0].relations.len()
    };
    let count = relations(&network, &["relation"]);
    assert_eq!(relations(&network, &["ner", "relation", "coref"]), count);
    // What coreference takes for one entity is not related to itself.
    let one_cluster = |config: String| {
        let all = config.replace("\"spans_per_word\": 0.4", "\"spans_per_word\": 9.0");
        all.replace("\"singletons\": true", "\"none_score\": -1000.0")
    };
    let (joined, _) = self::network(&one_cluster(related(r#""entities": "coref""#)));
    let (apart, _) = self::network(&one_cluster(related(r#""symmetric": []"#)));
    let (joined, apart) = (relations(&joined, &["relation"]), relations(&apart, &["relation"]));
    assert!(joined < apart, "{joined} {apart}");
    let config = ModelConfig::from_json(&related(r#""entities": "coref""#)).unwrap();
    let part = config.restrict(&["relation".to_owned()]).unwrap();
    assert_eq!(part.tasks.keys().collect::<Vec<_>>(), ["ner", "relation", "coref"]);
    let error = ModelConfig::from_json(&related(r#""entities": "ner""#)).unwrap_err().to_string();
    assert!(error.contains("entities `ner` is no coreference task"), "{error}");
}

#[test]
fn a_symmetric_label_that_the_task_lacks_is_named() {
    let config = ModelConfig::from_json(&related(r#""symmetric": ["spouse"]"#)).unwrap();
    let error = Network::new(&config, &vocabularies(), &mut Params::random(Device::Cpu));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("`spouse`") && error.contains("founder_of, seller_of"), "{error}");
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

#[test]
fn a_long_document_and_a_long_sentence_are_annotated() {
    let words = ["Maria", "Keller", "sold", "the", "company", "in", "Nordlicht"];
    let many = |n: usize| (0..n).map(|i| words[i * i % 7]).collect::<Vec<_>>();
    let (network, _) = network(FLAT);
    for document in
        [Document::from_sentences(&vec![many(25); 800]), Document::from_sentences(&[many(5000)])]
    {
        let found =
            annotate(&network, std::slice::from_ref(&document), &for_tasks(&["ner", "coref"]));
        assert_eq!(found[0].tokens.len(), document.tokens.len());
    }
}
