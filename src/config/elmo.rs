//! [`ElmoOptions`]: the `options.json` beside the weights of an ELMo.

use serde::Deserialize;

use crate::{Error, Result};

/// Sizes past this are typing errors; they would end in an allocation failure.
const MAX_SIZE: i64 = 1 << 16;

/// Layers and highway layers past this are typing errors.
const MAX_LAYERS: i64 = 64;

/// What the layers of an ELMo follow, and the text that said so.
#[derive(Clone, Debug, PartialEq)]
pub struct ElmoOptions {
    pub lstm: ElmoLstmOptions,
    pub char_cnn: ElmoCnnOptions,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ElmoLstmOptions {
    /// Columns of the memory.
    pub dim: i64,
    /// Columns of the output of one direction.
    pub projection_dim: i64,
    pub n_layers: i64,
    /// Largest absolute value of the memory; absent means any.
    #[serde(default)]
    pub cell_clip: Option<f64>,
    /// Largest absolute value of the output; absent means any.
    #[serde(default)]
    pub proj_clip: Option<f64>,
    /// Adds to the output of each layer but the first its input.
    #[serde(default)]
    pub use_skip_connections: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ElmoCnnOptions {
    pub activation: ElmoActivation,
    /// Width and number of each kind of filter.
    pub filters: Vec<(i64, i64)>,
    pub n_highway: i64,
    pub embedding: ElmoCharacterOptions,
    /// The marks of a word among them.
    pub max_characters_per_token: i64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ElmoCharacterOptions {
    pub dim: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ElmoActivation {
    Relu,
    Tanh,
}

impl ElmoOptions {
    /// Reads and checks the text of an `options.json`; errors name it so.
    pub fn parse(text: String) -> Result<Self> {
        #[derive(Deserialize)]
        struct Parsed {
            lstm: ElmoLstmOptions,
            char_cnn: ElmoCnnOptions,
        }
        let bad = |message: String| Error::config(format!("ELMo's options.json: {message}"));
        let Parsed { lstm, char_cnn } =
            serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
        let options = Self { lstm, char_cnn, text };
        options.check().map_err(bad)?;
        Ok(options)
    }

    /// The file as it was read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Columns of a word's vector: both directions.
    pub fn width(&self) -> i64 {
        2 * self.lstm.projection_dim
    }

    /// Filters of all widths.
    pub fn filters(&self) -> i64 {
        self.char_cnn.filters.iter().map(|(_, count)| count).sum()
    }

    fn check(&self) -> Result<(), String> {
        let Self { lstm, char_cnn, .. } = self;
        let within = |name: &str, value: i64, least: i64, most: i64| match value {
            v if (least..=most).contains(&v) => Ok(()),
            v => Err(format!("{name} must be between {least} and {most}, not {v}")),
        };
        within("lstm.dim", lstm.dim, 1, MAX_SIZE)?;
        within("lstm.projection_dim", lstm.projection_dim, 1, MAX_SIZE)?;
        within("lstm.n_layers", lstm.n_layers, 1, MAX_LAYERS)?;
        for (name, clip) in [("cell_clip", lstm.cell_clip), ("proj_clip", lstm.proj_clip)] {
            if clip.is_some_and(|c| !(c > 0.0 && c.is_finite())) {
                return Err(format!("lstm.{name} must be positive"));
            }
        }
        within("char_cnn.embedding.dim", char_cnn.embedding.dim, 1, MAX_SIZE)?;
        within("char_cnn.n_highway", char_cnn.n_highway, 0, MAX_LAYERS)?;
        // Both marks and one byte at least.
        let longest = char_cnn.max_characters_per_token;
        within("char_cnn.max_characters_per_token", longest, 3, MAX_SIZE)?;
        if char_cnn.filters.is_empty() {
            return Err("char_cnn.filters is empty".to_owned());
        }
        for &(width, count) in &char_cnn.filters {
            within("the width of char_cnn.filters", width, 1, longest)?;
            within("the number of char_cnn.filters", count, 1, MAX_SIZE)?;
        }
        within("all char_cnn.filters", self.filters(), 1, MAX_SIZE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{
        "lstm": {"use_skip_connections": true, "projection_dim": 4, "cell_clip": 3, "proj_clip": 3,
                 "dim": 6, "n_layers": 2},
        "char_cnn": {"activation": "relu", "filters": [[1, 8], [2, 8]], "n_highway": 1,
                     "embedding": {"dim": 4}, "n_characters": 262, "max_characters_per_token": 50}
    }"#;

    #[test]
    fn mistakes_are_named() {
        let options = ElmoOptions::parse(SMALL.to_owned()).unwrap();
        assert_eq!((options.width(), options.filters(), options.text()), (8, 16, SMALL));
        for (right, wrong, named) in [
            ("\"relu\"", "\"gelu\"", "gelu"),
            ("\"dim\": 6", "\"dim\": -6", "lstm.dim"),
            ("\"projection_dim\": 4", "\"projection_dim\": 0", "lstm.projection_dim"),
            ("\"n_layers\": 2", "\"n_layers\": 2000", "lstm.n_layers"),
            ("\"cell_clip\": 3", "\"cell_clip\": -3", "lstm.cell_clip"),
            ("[[1, 8], [2, 8]]", "[]", "char_cnn.filters"),
            ("[2, 8]", "[51, 8]", "width"),
            ("[2, 8]", "[2, -8]", "number"),
            ("\"n_highway\": 1", "\"n_highway\": -1", "n_highway"),
            ("\"dim\": 4", "\"dim\": 0", "embedding.dim"),
            ("token\": 50", "token\": 2", "max_characters_per_token"),
            ("\"embedding\"", "\"embed\"", "embedding"),
            ("{", "", "column"),
        ] {
            let text = SMALL.replacen(right, wrong, 1);
            assert_ne!(text, SMALL);
            let error = ElmoOptions::parse(text).unwrap_err().to_string();
            assert!(error.contains(named) && error.contains("options.json"), "{wrong}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
