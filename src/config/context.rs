//! The embedders that give a word a vector which depends on its sentence.

use serde::{Deserialize, Serialize};

use super::yes;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ContextConfig {
    /// An encoder of the BERT family; its sizes are those of its own description.
    Transformer(TransformerConfig),
    /// Characters and a language model in both directions; its sizes are those of its own
    /// description.
    Elmo(ElmoConfig),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransformerConfig {
    #[serde(default)]
    pub pooling: Pooling,
    /// Learns a mix of all layers instead of taking the last.
    #[serde(default)]
    pub mix: bool,
    #[serde(default = "yes")]
    pub trainable: bool,
    #[serde(default)]
    pub dropout: f64,
    /// Pieces that are read at once, the ends included; absent means all that it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<usize>,
    /// Pieces that two windows over a long sentence share.
    #[serde(default = "overlap")]
    pub overlap: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ElmoConfig {
    /// Whether more is learned than the mix of its layers.
    #[serde(default)]
    pub trainable: bool,
    #[serde(default)]
    pub dropout: f64,
}

fn overlap() -> usize {
    64
}

/// Which of its pieces a word's vector comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    #[default]
    First,
    Mean,
}
