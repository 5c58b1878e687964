//! [`Card`]: what a user should know about a model before trusting it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The card of a model, `card.json` in its directory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Card {
    pub name: String,
    pub version: String,
    pub description: String,
    pub language: String,
    pub license: String,
    /// Corpora and pretrained parts, with their licences.
    pub data: Vec<Source>,
    /// Dev score of each task, and what it was measured on.
    pub scores: BTreeMap<String, Value>,
    /// How the model was made.
    pub recipe: Value,
    /// Where it fails.
    pub limits: Vec<String>,
}

/// Something that a model was made from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Source {
    pub name: String,
    pub license: String,
    /// Which part was used, and for what.
    pub used: String,
}
