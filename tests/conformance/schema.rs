//! The schemas of `docs/schema`: what the library writes follows them to the letter, and those of
//! earlier versions too.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jsonschema::{Registry, Validator};
use serde_json::Value;

use crate::{folder, root};

static CURRENT: LazyLock<HashMap<String, Validator>> =
    LazyLock::new(|| validators(&root().join("docs/schema"), true));

/// Validators of all schemas of a folder, by name. A strict one also refuses keys that a schema
/// does not name: then the schema lacks something.
fn validators(folder: &Path, strict: bool) -> HashMap<String, Validator> {
    let mut schemas: HashMap<String, Value> = HashMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap();
        if let Some(name) = file.strip_suffix(".schema.json") {
            let mut schema = serde_json::from_str(&fs::read_to_string(&path).unwrap())
                .unwrap_or_else(|e| panic!("{file}: {e}"));
            if strict {
                close(&mut schema);
            }
            schemas.insert(name.to_owned(), schema);
        }
    }
    let id = |schema: &Value| schema["$id"].as_str().expect("an $id").to_owned();
    let mut registry = Registry::new();
    for schema in schemas.values() {
        registry = registry.add(id(schema), schema.clone()).unwrap();
    }
    let registry = registry.prepare().unwrap();
    let validator = |(name, schema): (&String, &Value)| {
        let validator = jsonschema::options().with_registry(&registry).build(schema);
        (name.clone(), validator.unwrap_or_else(|e| panic!("{name}: {e}")))
    };
    schemas.iter().map(validator).collect()
}

/// Forbids keys that are not named, wherever keys are.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.values_mut().for_each(close);
            if object.get("properties").is_some_and(Value::is_object)
                && !object.contains_key("additionalProperties")
            {
                object.insert("additionalProperties".to_owned(), false.into());
            }
        }
        Value::Array(array) => array.iter_mut().for_each(close),
        _ => {}
    }
}

fn check(validator: &Validator, value: &Value) -> Result<(), String> {
    match validator.iter_errors(value).next() {
        Some(error) => Err(format!("{error} (at {})", error.instance_path())),
        None => Ok(()),
    }
}

/// Whether a value follows the schema `name`, which knows all its keys.
pub fn validate(name: &str, value: &Value) -> Result<(), String> {
    check(&CURRENT[name], value).map_err(|e| format!("schema {name}: {e}"))
}

/// Every golden file below a folder with its schema: the name of the folder it is in.
fn golden(folder: &Path) -> Vec<(String, PathBuf, Value)> {
    let mut found = Vec::new();
    for schema in fs::read_dir(folder).unwrap() {
        let schema = schema.unwrap();
        let name = schema.file_name().to_str().unwrap().to_owned();
        for file in fs::read_dir(schema.path()).unwrap() {
            let path = file.unwrap().path();
            let value = serde_json::from_str(&fs::read_to_string(&path).unwrap())
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            found.push((name.clone(), path, value));
        }
    }
    assert!(!found.is_empty());
    found
}

/// Fields are added, never changed. So what this version writes follows the schemas of every
/// version before, for readers that were made for those; and what they wrote still follows the
/// schemas of this one.
#[test]
fn old_readers_and_old_files_go_on() {
    for version in fs::read_dir(root().join("tests/compatibility")).unwrap() {
        let version = version.unwrap().path();
        let old = validators(&version.join("schema"), false);
        let new = validators(&root().join("docs/schema"), false);
        for name in old.keys() {
            assert!(new.contains_key(name), "schema {name} of {} is gone", version.display());
        }
        for (name, path, value) in golden(&folder().join("golden")) {
            if let Some(old) = old.get(&name) {
                check(old, &value).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            }
        }
        for (name, path, value) in golden(&version.join("golden")) {
            check(&new[&name], &value).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        }
    }
}

#[test]
fn a_changed_shape_is_noticed() {
    let golden = golden(&folder().join("golden"));
    let (_, _, document) = golden.iter().find(|(name, ..)| name == "annotation").unwrap();
    let refused = |edit: fn(&mut Value)| {
        let mut changed = document.clone();
        edit(&mut changed);
        validate("annotation", &changed).is_err()
    };
    assert!(!refused(|_| ()));
    assert!(refused(|d| drop(d.as_object_mut().unwrap().remove("tokens"))));
    assert!(refused(|d| d["offsets"] = "word".into()));
    assert!(refused(|d| d["sentences"][0]["start"] = "0".into()));
    assert!(refused(|d| d["unheard_of"] = 1.into()));
}
