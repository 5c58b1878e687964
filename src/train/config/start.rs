//! The models that a run goes on from, as its description names them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::{Error, Model, Result};

/// One directory, or several in brackets.
#[derive(Deserialize, Serialize)]
#[serde(untagged, expecting = "start is a directory or a list of directories")]
enum OneOrMore {
    One(PathBuf),
    More(Vec<PathBuf>),
}

pub(super) fn serialize<S: Serializer>(start: &[PathBuf], to: S) -> Result<S::Ok, S::Error> {
    match start {
        [one] => OneOrMore::One(one.clone()),
        more => OneOrMore::More(more.to_vec()),
    }
    .serialize(to)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<PathBuf>, D::Error> {
    Ok(match OneOrMore::deserialize(from)? {
        OneOrMore::One(one) => vec![one],
        OneOrMore::More(more) => more,
    })
}

/// The directories that `start` names, seen from `folder`: `default` is the model that ships, if it is no folder there.
/// None, if it is no name and no list of names.
pub(super) fn directories(start: &Value, folder: &Path) -> Result<Vec<PathBuf>> {
    let names = match start {
        Value::String(name) => vec![name.as_str()],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let directory = |name: &str| {
        let dir = folder.join(name);
        if name == "default" && !dir.is_dir() { Model::default_dir() } else { Ok(dir) }
    };
    names.into_iter().map(directory).collect()
}

/// Completes model and card of a description by those of the directories that it starts from. The card has their recipe, or a
/// list of them.
pub(super) fn complete(value: &mut Value, start: &[PathBuf]) -> Result<()> {
    let Some((first, others)) = start.split_first() else { return Ok(()) };
    for (key, name) in [("model", "config.json"), ("card", "card.json")] {
        let mut of_start = read(&first.join(name))?;
        let changes = value[key].take();
        merge(&mut of_start, changes);
        value[key] = of_start;
    }
    if !others.is_empty() {
        let first = value["card"]["recipe"].take();
        let mut recipes = Vec::with_capacity(start.len());
        for dir in others {
            let mut recipe = read(&dir.join("card.json"))?["recipe"].take();
            // Runs from one model would tell of it as often as there are runs.
            if recipe.get("start").is_some() && recipe.get("start") == first.get("start") {
                recipe["start"] = Value::from("as above");
            }
            recipes.push(recipe);
        }
        recipes.insert(0, first);
        value["card"]["recipe"] = Value::from(recipes);
    }
    Ok(())
}

fn read(path: &Path) -> Result<Value> {
    let json = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
    serde_json::from_str(&json).map_err(|e| Error::format(path, e.to_string()))
}

/// Puts the values of `changes` into `value`, object by object.
fn merge(value: &mut Value, changes: Value) {
    match (value, changes) {
        (Value::Object(map), Value::Object(changes)) => {
            for (key, change) in changes {
                merge(map.entry(key).or_insert(Value::Null), change);
            }
        }
        (_, Value::Null) => {}
        (value, change) => *value = change,
    }
}
