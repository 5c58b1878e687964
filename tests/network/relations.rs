//! What the configuration of relations between mentions changes.

use hmtl::config::ModelConfig;
use hmtl::feature::Example;
use hmtl::head::{DocumentInput, Head};
use hmtl::model::Network;
use hmtl::params::Params;
use hmtl::{Cancel, Document, DocumentBuilder, Span};
use tch::{Device, Kind, Tensor};

use crate::small::{NESTED, annotate, descend, doc, for_tasks, gold, loss, network, vocabularies};

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
fn a_label_that_the_task_lacks_is_named() {
    for (option, added) in [
        ("symmetric", r#""symmetric": ["spouse"]"#),
        ("thresholds", r#""thresholds": {"seller_of": 0.9, "spouse": 0.5}"#),
        ("rivalries", r#""rivalries": {"seller_of": 0.9, "spouse": 0.5}"#),
    ] {
        let config = ModelConfig::from_json(&related(added)).unwrap();
        let error = Network::new(&config, &vocabularies(), &mut Params::random(Device::Cpu));
        let error = error.unwrap_err().to_string();
        assert!(error.contains(&format!("{option} names the label `spouse`")), "{error}");
        assert!(error.contains("founder_of, seller_of"), "{error}");
    }
    let error = ModelConfig::from_json(&related(r#""thresholds": {"seller_of": 2}"#)).unwrap_err();
    assert!(error.to_string().contains("threshold of `seller_of` must be"), "{error}");
    let error = ModelConfig::from_json(&related(r#""rivalries": {"seller_of": -1}"#)).unwrap_err();
    assert!(error.to_string().contains("rivalry of `seller_of` must be"), "{error}");
}

#[test]
fn a_label_with_a_threshold_or_rivalry_of_its_own_is_as_rare_as_that_says() {
    let text = ["Maria Keller founded Nordlicht .", "She sold the company ."];
    let count = |added: &str| {
        let (network, _) = network(&related(added));
        let found = &annotate(&network, &[doc(&text)], &for_tasks(&["relation"]))[0];
        ["founder_of", "seller_of"]
            .map(|label| found.relations.iter().filter(|r| r.label == label).count())
    };
    let all = count(r#""rivalry": 0"#);
    assert!(all[0] > 0 && all[0] == all[1], "{all:?}");
    assert_eq!(count(r#""thresholds": {"seller_of": 0.999}"#), [all[0], 0]);
    // Random weights find nearly alike what each entity may have founded; the best alone stay.
    let best = count(r#""rivalries": {"founder_of": 0.999}"#);
    assert!(best[0] < all[0] && best[1] == all[1], "{best:?} {all:?}");
}

#[test]
fn nothing_is_learned_to_hold_of_what_is_nearly_a_mention() {
    let document = gold();
    let crf = r#"{"type": "crf_tagger", "on": "low"}"#;
    let biaffine = r#"{"type": "biaffine", "on": "low", "hidden": 8, "max_width": 6}"#;
    for arguments in [biaffine, crf] {
        // The mean score of facts with a wrong argument, as an arguments' task finds many that was never trained.
        let wrong = |near_misses: f64| {
            let config = related(&format!(r#""near_misses": {near_misses}"#));
            let (network, params) = network(&config.replace(biaffine, arguments));
            let examples = [Example::whole(&document)];
            let losses = descend(&network, &params, "relation", &examples, (150, 0.5));
            assert!(losses[149] < losses[0], "{losses:?}");
            let text = std::slice::from_ref(&document);
            let found = &annotate(&network, text, &for_tasks(&["ner", "relation"]))[0];
            let right = [Span::new(0, 2), Span::new(3, 4)];
            let is_wrong = |&mention: &usize| !right.contains(&found.mentions[mention].span());
            let facts = found.relations.iter().filter(|r| r.label == "founder_of");
            let scores: Vec<f32> = facts
                .filter(|r| [r.head, r.tail].iter().any(is_wrong))
                .map(|r| r.score.unwrap())
                .collect();
            assert!(scores.len() > 4, "{scores:?}");
            scores.iter().sum::<f32>() / scores.len() as f32
        };
        let (without, with) = (wrong(0.0), wrong(4.0));
        assert!(with < 0.5 * without, "{with} {without}");
    }
    // Where not all arguments were looked for, what is nearly one may be one.
    let mut partly = document.clone();
    partly.covered.insert("ner".into(), Vec::new());
    let loss = |near_misses: f64, document: &Document| {
        let (network, _) = network(&related(&format!(r#""near_misses": {near_misses}"#)));
        let loss = network.loss("relation", &[Example::whole(document)]).unwrap();
        f64::try_from(loss).unwrap()
    };
    assert!(loss(4.0, &document) != loss(0.0, &document));
    assert_eq!(loss(4.0, &partly), loss(0.0, &partly));
    let error = ModelConfig::from_json(&related(r#""near_misses": -1"#)).unwrap_err().to_string();
    assert!(error.contains("near_misses must not be negative"), "{error}");
}

#[test]
fn what_stands_for_a_name_states_its_facts() {
    // Two sentences apart, which is too far: "Maria" and "Nordlicht", between them "she".
    let x = DocumentInput {
        rows: Tensor::randn([9, 16 + 2 * 3], (Kind::Float, Device::Cpu)),
        sentences: vec![0..3, 3..6, 6..9],
        documents: std::iter::once(0..9).collect(),
        keys: (0..9).collect(),
        capitals: vec![false; 9],
    };
    let at = |n: usize| Span::new(n, n + 1);
    let mentions = [(at(0), 0), (at(7), 1)];
    let clusters = [vec![at(0), at(4)]];
    let facts = |added: &str| -> Vec<(usize, usize, usize)> {
        let (network, _) = network(&related(added));
        let Some(Head::MentionPairs(head)) = network.head("relation") else { panic!() };
        let found = head.decode(&x, &mentions, &clusters, &Cancel::new()).unwrap();
        found.iter().map(|fact| (fact.head, fact.tail, fact.label)).collect()
    };
    assert_eq!(facts(r#""entities": "coref""#), []);
    let both = facts(r#""entities": "coref", "references": true"#);
    assert_eq!(both, [(0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1)]);
    let symmetric = facts(
        r#""entities": "coref", "references": true, "symmetric": ["founder_of", "seller_of"]"#,
    );
    assert_eq!(symmetric, [(0, 1, 0), (0, 1, 1)]);
    let error = ModelConfig::from_json(&related(r#""references": true"#)).unwrap_err().to_string();
    assert!(error.contains("references need `entities`"), "{error}");
}

#[test]
fn words_are_compared_whatever_the_sentence_says() {
    // Two mentions and a third, as far from both, of which the encoder knows the same.
    let at = |n: usize| Span::new(n, n + 1);
    let mentions = [(at(0), 0), (at(1), 0), (at(5), 1)];
    let scores = |word_match: bool, words: Tensor| {
        let encoded = Tensor::ones([6, 16], (Kind::Float, Device::Cpu));
        let rows = if word_match { Tensor::cat(&[encoded, words], 1) } else { encoded };
        let x = DocumentInput {
            rows,
            sentences: std::iter::once(0..6).collect(),
            documents: std::iter::once(0..6).collect(),
            keys: (0..6).collect(),
            capitals: vec![false; 6],
        };
        let mut config = related("").replace(r#""threshold": 0.0, "#, r#""threshold": 0.0"#);
        config = config.replace(r#""reader_hidden": 6, "#, "");
        if !word_match {
            config = config.replace(r#""word_match": 3"#, r#""rivalry": 0"#);
        }
        let (network, _) = network(&config);
        let Some(Head::MentionPairs(head)) = network.head("relation") else { panic!() };
        let found = head.decode(&x, &mentions, &[], &Cancel::new()).unwrap();
        let of = |head: usize| {
            let fact = found.iter().find(|f| (f.head, f.tail, f.label) == (head, 2, 0));
            fact.unwrap().score
        };
        (of(0), of(1))
    };
    let random = Tensor::randn([6, 6], (Kind::Float, Device::Cpu));
    let (one, other) = scores(true, random.shallow_clone());
    assert!((one - other).abs() > 1e-4, "{one} {other}");
    for (one, other) in [scores(true, Tensor::ones_like(&random)), scores(false, random)] {
        assert!((one - other).abs() < 1e-6, "{one} {other}");
    }
    let error = ModelConfig::from_json(&NESTED.replace(r#""word_match": 3"#, r#""word_match": 0"#));
    assert!(error.unwrap_err().to_string().contains("word_match must be between"));
}
