//! What the configuration of spans changes.

use std::collections::{BTreeMap, BTreeSet};

use hmtl::config::ModelConfig;
use hmtl::model::AnnotateOptions;
use hmtl::{Cluster, Document, Mention, Sentence};

use crate::small::{self, FLAT, NESTED, annotate, doc, for_tasks, moody, network};

#[test]
fn the_score_of_being_no_mention_decides_how_many_there_are() {
    let document = doc(&["Maria Keller founded Nordlicht in Lübeck .", "She sold the company ."]);
    let found = |none: &str| {
        let config = NESTED.replace("\"max_width\": 6", &format!("\"max_width\": 6, {none}"));
        let (network, _) = network(&config);
        annotate(&network, std::slice::from_ref(&document), &for_tasks(&["ner"])).remove(0).mentions
    };
    let (few, some, many) =
        (found("\"none_score\": 0.1"), found("\"none_score\": 0"), found("\"none_score\": -0.1"));
    assert!(few.len() < some.len() && some.len() < many.len());
    // What is surer has no lower a score where all is less sure.
    for (a, b) in few.iter().zip(some.iter().filter(|m| few.iter().any(|f| f.span() == m.span()))) {
        assert!(a.labels["ner"].score <= b.labels["ner"].score);
    }
}

#[test]
fn calibration_changes_the_scores_of_spans_and_nothing_else() {
    let document = doc(&["Maria Keller founded Nordlicht in Lübeck .", "She sold the company ."]);
    let found = |config: &str, least: Option<f32>| {
        let options = AnnotateOptions { min_score: least, ..for_tasks(&["ner"]) };
        annotate(&network(config).0, std::slice::from_ref(&document), &options).remove(0).mentions
    };
    for (config, head) in [(FLAT, "\"crf_tagger\""), (NESTED, "\"biaffine\"")] {
        let set = r#", "calibration": {"scale": 0.5, "shift": -1.0}"#;
        let calibrated = config.replace(head, &format!("{head}{set}"));
        let (plain, shifted) = (found(config, None), found(&calibrated, None));
        assert!(!plain.is_empty() && plain.len() == shifted.len());
        let of = |m: &Mention| (m.span(), m.labels["ner"].label.clone());
        let score = |m: &Mention| m.labels["ner"].score.unwrap();
        for (before, after) in plain.iter().zip(&shifted) {
            assert_eq!(of(before), of(after));
            let logit = 0.5 * (score(before) / (1.0 - score(before))).ln() - 1.0;
            let expected = 1.0 / (1.0 + (-logit).exp());
            assert!((score(after) - expected).abs() < 1e-5, "{} {expected}", score(after));
        }
        // What is asked for by score is asked of the score that is reported.
        let least = shifted.iter().map(score).fold(0.0, f32::max);
        assert!(found(&calibrated, Some(least)).len() < plain.len());
    }
    let flat = FLAT.replace("\"crf_tagger\"", r#""crf_tagger", "calibration": {"scale": 0}"#);
    let error = ModelConfig::from_json(&flat).unwrap_err().to_string();
    assert!(error.contains("task `ner`: calibration.scale must be positive"), "{error}");
}

/// What each mention of a task is called, and its label.
fn labels(document: &Document) -> Vec<(String, String)> {
    let label = |m: &Mention| Some((m.text.clone(), m.labels.get("ner")?.label.clone()));
    document.mentions.iter().filter_map(label).collect()
}

#[test]
fn names_of_the_same_words_agree_wherever_their_sentences_stand() {
    for (config, head) in [(FLAT, "\"crf_tagger\""), (NESTED, "\"biaffine\"")] {
        let set = r#", "agreement": {"names": ["PER", "ORG"], "sure": 1}"#;
        let agreed = config.replace(head, &format!("{head}{set}"));
        let found = |config: &str, apart: bool| {
            let (network, document) = moody(config);
            let sentence = |s: &Sentence| {
                let words = s.first_token..s.last_token;
                words.map(|t| document.token_text(t).to_owned()).collect::<Vec<_>>()
            };
            let alone = |s| Document::from_sentences(&[sentence(s)]);
            let docs = match apart {
                true => document.sentences.iter().map(alone).collect(),
                false => vec![document.clone()],
            };
            let found = annotate(&network, &docs, &for_tasks(&["ner"]));
            found.iter().flat_map(labels).collect::<Vec<_>>()
        };
        let of_words = |found: &[(String, String)]| {
            let mut of: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
            found.iter().for_each(|(text, label)| {
                of.entry(text).or_default().insert(label);
            });
            of.values().map(BTreeSet::len).max().unwrap_or(0)
        };
        let (plain, all) = (found(config, false), found(&agreed, false));
        assert_eq!(of_words(&plain), 2, "this says nothing: nothing disagrees");
        assert_eq!(of_words(&all), 1);
        let texts = |found: Vec<(String, String)>| found.into_iter().map(|x| x.0);
        assert!(texts(plain).eq(texts(all)), "only labels change");
        // Another document has no say.
        assert_eq!(of_words(&found(config, true)), 2);
        assert_eq!(of_words(&found(&agreed, true)), 2);
    }
}

#[test]
fn mentions_of_a_cluster_agree_whether_or_not_coreference_is_asked_for() {
    // Nearly all spans are linked with one before.
    let linked = NESTED
        .replace("\"projection\"", "\"none_score\": -50, \"projection\"")
        .replace("\"spans_per_word\": 0.4", "\"spans_per_word\": 4");
    let set = r#""biaffine", "agreement": {"clusters": "coref", "sure": 1}"#;
    let agreed = linked.replace("\"biaffine\"", set);
    let all = |config: &str, options: &AnnotateOptions| {
        let (network, document) = moody(config);
        annotate(&network, &[document], options).remove(0)
    };
    let disagree = |document: &Document| {
        let label = |m: &usize| document.mentions[*m].labels.get("ner").map(|l| l.label.clone());
        let labels = |c: &Cluster| c.mentions.iter().filter_map(label).collect::<BTreeSet<_>>();
        document.clusters.iter().any(|c| labels(c).len() > 1)
    };
    let every = AnnotateOptions::default();
    assert!(disagree(&all(&linked, &every)), "this says nothing: nothing disagrees");
    let found = all(&agreed, &every);
    assert!(!disagree(&found) && !found.clusters.is_empty());
    let alone = all(&agreed, &for_tasks(&["ner"]));
    assert_eq!(alone.tasks, ["ner"]);
    assert_eq!(labels(&alone), labels(&found));
    // Independent tasks find what they find without it, alone and with it.
    for tasks in [&["ner"][..], &["ner", "coref"]] {
        let independent = AnnotateOptions { independent: true, ..for_tasks(tasks) };
        let (found, plain) = (all(&agreed, &independent), all(&linked, &for_tasks(tasks)));
        assert_eq!((found.mentions, found.clusters), (plain.mentions, plain.clusters));
    }
    // Relations read the mentions, and so need what these need.
    let relations = ModelConfig::from_json(&agreed).unwrap().restrict(&["relation".to_owned()]);
    assert!(relations.unwrap().tasks.keys().eq(["ner", "relation", "coref"]));
}

#[test]
fn an_agreement_that_cannot_be_is_refused() {
    let error = |agreement: &str| {
        let set = format!(r#""crf_tagger", "agreement": {agreement}"#);
        let config = ModelConfig::from_json(&FLAT.replace("\"crf_tagger\"", &set));
        let built = config
            .and_then(|config| config.check_labels(&small::vocabularies().labels).map(|()| config));
        built.unwrap_err().to_string()
    };
    for (agreement, expected) in [
        ("{}", "task `ner`: agreement needs names or clusters"),
        (r#"{"names": ["PER"], "last_tokens": ["ORG"]}"#, "agreement.last_tokens has `ORG`"),
        (r#"{"clusters": "relation"}"#, "agreement.clusters `relation` is no coreference task"),
        (r#"{"clusters": "who"}"#, "agreement.clusters `who` is no coreference task"),
        (r#"{"names": ["PER"], "sure": 2}"#, "agreement.sure must be from 0 to 1, not 2"),
        (r#"{"names": ["PERSON"]}"#, "agreement.names names the label `PERSON`"),
    ] {
        let error = error(agreement);
        assert!(error.contains(expected) && !error.contains('\n'), "{error}");
    }
}
