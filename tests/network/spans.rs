//! What the configuration of spans changes.

use crate::small::{NESTED, annotate, doc, for_tasks, network};

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
