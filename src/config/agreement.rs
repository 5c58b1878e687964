//! [`AgreementConfig`]: which mentions of a document have one label.

use serde::{Deserialize, Serialize};

/// Mentions of a document that are of one thing have one label: that with the highest sum of scores (one sense per
/// discourse: Gale, Church and Yarowsky 1992). A mention that it is new to has its share of all of them as a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgreementConfig {
    /// Labels of names: mentions that have one of them and the same words are of one thing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Those of `names` whose names are called by their last token: what "Ingrid Solberg" is counts for "Solberg", too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_tokens: Vec<String>,
    /// The coreference task whose clusters are of one thing each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters: Option<String>,
    /// A mention with as high a score keeps its label: a text may speak of Washington and of Washington.
    #[serde(default = "sure")]
    pub sure: f32,
}

fn sure() -> f32 {
    0.9
}
