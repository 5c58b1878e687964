//! What the configuration of spans changes.

use hmtl::Mention;
use hmtl::config::ModelConfig;
use hmtl::model::AnnotateOptions;

use crate::small::{FLAT, NESTED, annotate, doc, for_tasks, network};

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
