//! The card of a model that a run made.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::config::is_named;
use super::progress::Best;
use super::{RunConfig, Trainer};
use crate::model::Card;
use crate::{Error, Result};

impl Trainer {
    /// What the description says, with the dev scores of the weights and the recipe. Of the model
    /// that the run started from, the recipe is part of this one's, and the scores are those of the
    /// tasks that cannot have changed.
    pub(super) fn card(&self, scored: Option<&Best>) -> Result<Card> {
        let config = self.config();
        let mut card: Card = serde_json::from_value(Value::Object(config.card.clone()))
            .map_err(|e| Error::config(format!("card: {e}")))?;
        card.scores.retain(|task, _| !self.trains_some_of(task));
        for (task, score) in scored.iter().flat_map(|best| &best.scores) {
            let score = (score * 1e4).round() / 1e4;
            card.scores.entry(task.clone()).or_insert_with(|| json!({}))["dev"] = json!(score);
        }
        card.recipe = recipe(config, scored, card.recipe.take());
        Ok(card)
    }

    /// Whether the run moves a parameter that a task reads.
    fn trains_some_of(&self, task: &str) -> bool {
        let model = &self.config().model;
        let tasks = model.needed(model.tasks.contains_key(task).then_some(task));
        let encoders = model.encoder_order(tasks.iter().copied());
        let encoders = encoders.into_iter().map(|e| format!("encoders.{e}"));
        let heads = tasks.iter().map(|t| format!("tasks.{t}"));
        let parts: Vec<String> = encoders.chain(heads).chain(["embedding".to_owned()]).collect();
        self.params.trainable().any(|(parameter, _)| is_named(parameter, &parts))
    }
}

fn recipe(config: &RunConfig, scored: Option<&Best>, before: Value) -> Value {
    let mut recipe = json!({"hmtl": env!("CARGO_PKG_VERSION"), "training": config.training});
    if let Some(best) = scored {
        recipe["epoch"] = json!(best.epoch);
    }
    let start = |(path, recipe): (&PathBuf, Value)| json!({"path": path, "recipe": recipe});
    match (&config.start[..], before) {
        ([], _) => {}
        ([one], before) => recipe["start"] = start((one, before)),
        (several, before) => {
            let before = before.as_array().cloned().unwrap_or_default();
            recipe["start"] = several.iter().zip(before).map(start).collect();
        }
    }
    strip_paths(&mut recipe);
    recipe
}

/// A card says which files a model was trained on, not where they lay.
fn strip_paths(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(path)) = map.get_mut("path") {
                let parts: Vec<&str> = path.rsplit('/').take(2).collect();
                *path = parts.into_iter().rev().collect::<Vec<_>>().join("/");
            }
            map.values_mut().for_each(strip_paths);
        }
        Value::Array(values) => values.iter_mut().for_each(strip_paths),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_keep_their_last_two_parts() {
        let mut value = json!({"train": [{"path": "/home/me/data/gum/train"}], "path": "x"});
        strip_paths(&mut value);
        assert_eq!(value, json!({"train": [{"path": "gum/train"}], "path": "x"}));
    }
}
