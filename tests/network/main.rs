//! Small random networks of every head: what must hold whatever the weights are.

mod clusters;
#[path = "../common/mod.rs"]
mod common;
mod losses;
mod relations;
mod small;
mod spans;

use hmtl::feature::Example;
use hmtl::head::{DocumentInput, Head};
use hmtl::model::{AnnotateOptions, Card, Parts};
use hmtl::{Cancel, Document, Error, Model, Span};
use tch::{Device, Kind, Tensor};

use crate::small::{FLAT, NESTED, annotate, assert_same, doc, for_tasks, network, vocabularies};

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
    let err = network.annotate::<Document>(&[], &for_tasks(&["pos"]), &Cancel::new()).unwrap_err();
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
        documents: std::iter::once(0..4).collect(),
        keys: vec![0, 1, 2, 3],
        capitals: vec![false; 4],
    };
    let raised = Cancel::new();
    raised.trigger();
    let Some(Head::CoarseToFine(coref)) = network.head("coref") else { panic!("coref") };
    assert!(coref.decode(&x(37), &[], &Cancel::new()).is_ok());
    assert!(matches!(coref.decode(&x(37), &[], &raised), Err(Error::Cancelled)));
    let Some(Head::MentionPairs(pairs)) = network.head("relation") else { panic!("relation") };
    let mentions = [(Span::new(0, 2), 0), (Span::new(3, 4), 1)];
    assert!(pairs.decode(&x(22), &mentions, &[], &Cancel::new()).is_ok());
    assert!(matches!(pairs.decode(&x(22), &mentions, &[], &raised), Err(Error::Cancelled)));
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

#[test]
fn workers_share_a_long_document_and_find_the_same() {
    let words = ["Maria", "Keller", "sold", "the", "company", "in", "Nordlicht"];
    let sentence = |n: usize| (0..3 + n % 40).map(|i| words[(i * i + n) % 7]).collect::<Vec<_>>();
    let long = Document::from_sentences(&(0..300).map(sentence).collect::<Vec<_>>());
    assert!(long.tokens.len() > 5000);
    for config in [FLAT, NESTED] {
        let (network, params) = network(config);
        let parts = Parts {
            config: network.config().clone(),
            vocab: vocabularies(),
            card: Card::default(),
            tensors: params.snapshot(),
        };
        let model = Model::new(parts).unwrap();
        let annotate = |docs: &[Document]| {
            let found = model.annotate_documents(docs, &Default::default(), &Cancel::new());
            found.unwrap().remove(0)
        };
        // With another document beside it, it is worked on whole.
        let (shared, whole) =
            (annotate(std::slice::from_ref(&long)), annotate(&[long.clone(), doc(&["She"])]));
        assert!(shared.mentions.len() > 100);
        assert_same(&shared, &whole);
        let raised = Cancel::new();
        raised.trigger();
        let stopped =
            model.annotate_documents(std::slice::from_ref(&long), &Default::default(), &raised);
        assert!(matches!(stopped, Err(Error::Cancelled)));
        let mut broken = long.clone();
        broken.tokens.swap(0, 1);
        let refused = model.annotate_documents(&[broken], &Default::default(), &Cancel::new());
        assert!(matches!(refused, Err(Error::InvalidArgument(_))));
    }
}
