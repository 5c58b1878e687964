//! The coreference metrics against the cases of the official scorer.

use std::path::Path;

use hmtl::Span;
use hmtl::metric::CoreferenceCounts;
use serde_json::Value;

/// Clusters of `[first token, token after the last]`.
fn clusters(value: &Value) -> Vec<Vec<Span>> {
    let clusters: Vec<Vec<[usize; 2]>> = serde_json::from_value(value.clone()).unwrap();
    let spans = |cluster: Vec<[usize; 2]>| cluster.iter().map(|s| Span::new(s[0], s[1])).collect();
    clusters.into_iter().map(spans).collect()
}

/// `tests/data/coreference.json` has the clusters of every case and the values that were published
/// for it, without those of B1, C1, D1 and E1 that say 1 for responses which are visibly not
/// perfect: placeholders that were never filled in.
#[test]
fn official_cases() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/coreference.json");
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for case in &cases {
        let mut counts = CoreferenceCounts::default();
        for document in case["documents"].as_array().unwrap() {
            counts.add(&clusters(&document["gold"]), &clusters(&document["predicted"]));
        }
        let found = counts.score(true).details;
        for (metric, values) in case["expected"].as_object().unwrap() {
            for (value, expected) in values.as_object().unwrap() {
                compared += 1;
                let (found, expected) =
                    (found[metric][value].as_f64().unwrap(), expected.as_f64().unwrap());
                if (found - expected).abs() > 1e-4 {
                    let of = format!("{} {metric} {value}", case["id"]);
                    wrong.push(format!("{of}: {found}, not {expected}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} values differ:\n{}", wrong.len(), wrong.join("\n"));
    // Some cases publish some values only.
    assert_eq!((cases.len(), compared), (36, 282));
}
