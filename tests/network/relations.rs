//! What the configuration of relations between mentions changes.

use hmtl::config::ModelConfig;
use hmtl::head::Head;
use hmtl::model::Network;
use hmtl::params::Params;
use hmtl::{DocumentBuilder, Span};
use tch::Device;

use crate::small::{NESTED, annotate, doc, for_tasks, loss, network, vocabularies};

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
