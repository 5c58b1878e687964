//! [`Step`]: a call, and what it must bring back.

use std::collections::HashMap;
use std::{env, fs};

use serde::Deserialize;
use serde_json::Value;

use crate::driver::Answer;
use crate::{folder, schema};

/// Keys whose numbers depend on the machine's arithmetic.
const ROUNDED: [&str; 8] =
    ["score", "loss", "best_score", "mean", "best_mean", "error", "scale", "shift"];
const TOLERANCE: f64 = 1e-4;
/// Keys whose values are not for comparing.
const UNCOMPARED: [&str; 1] = ["seconds"];

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    pub call: String,
    pub args: Vec<Value>,
    only: Option<Vec<String>>,
    not: Option<Vec<String>>,
    json: Option<Value>,
    /// A file of `golden/`.
    golden: Option<String>,
    has: Option<Value>,
    schema: Option<String>,
    text: Option<String>,
    error: Option<String>,
    message: Option<String>,
    events: Option<Vec<String>>,
    store: Option<String>,
    same: Option<String>,
}

const CODES: [&str; 10] = [
    "ok",
    "invalid_argument",
    "io",
    "format",
    "config",
    "data",
    "device",
    "cancelled",
    "unsupported",
    "internal",
];

impl Step {
    pub fn is_for(&self, language: &str) -> bool {
        let names = |list: &Option<Vec<String>>| Some(list.as_ref()?.iter().any(|n| n == language));
        names(&self.only).unwrap_or(true) && !names(&self.not).unwrap_or(false)
    }

    /// What is wrong with an answer. `kept` holds the values of earlier steps.
    pub fn judge(&self, answer: &Answer, kept: &mut HashMap<String, Value>) -> Result<(), String> {
        if let Some(kinds) = &self.events {
            judge_events(kinds, &answer.events)?;
        }
        let value = match (&answer.result, &self.error) {
            (Err((code, message)), Some(expected)) => {
                let name = CODES.get(*code as usize).copied().unwrap_or("unknown");
                if name != expected {
                    return Err(format!("the code is {name}, not {expected}: {message}"));
                }
                let words = self.message.as_deref().unwrap_or_default();
                if !message.contains(words) || message.is_empty() || message.contains('\n') {
                    return Err(format!("the message is {message:?}, without {words:?}"));
                }
                return Ok(());
            }
            (Err((code, message)), None) => return Err(format!("error {code}: {message}")),
            (Ok(value), Some(expected)) => {
                return Err(format!("no error {expected}, but {value:?}"));
            }
            (Ok(value), None) => value.as_deref(),
        };
        if let Some(text) = &self.text
            && value != Some(text)
        {
            return Err(format!("{value:?} is not {text:?}"));
        }
        if !self.looks_at_json() {
            return Ok(());
        }
        let value = value.ok_or("no value")?;
        let value: Value = serde_json::from_str(value).map_err(|e| format!("{e}: {value}"))?;
        self.judge_json(&value, kept)
    }

    fn looks_at_json(&self) -> bool {
        let json = [&self.json, &self.has].into_iter().any(Option::is_some);
        let names = [&self.golden, &self.schema, &self.store, &self.same];
        json || names.into_iter().any(Option::is_some)
    }

    fn judge_json(&self, value: &Value, kept: &mut HashMap<String, Value>) -> Result<(), String> {
        if let Some(name) = &self.schema {
            schema::validate(name, value)?;
        }
        if let Some(expected) = &self.json {
            compare("", value, expected, true)?;
        }
        if let Some(expected) = &self.has {
            compare("", value, expected, false)?;
        }
        if let Some(name) = &self.golden {
            let schema = name.split('/').next().unwrap();
            schema::validate(schema, value)?;
            let path = folder().join("golden").join(name).with_extension("json");
            if env::var_os("HMTL_BLESS").is_some() {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, format!("{}\n", pretty(value, 0))).unwrap();
            }
            let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            let expected: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
            compare("", value, &expected, true).map_err(|e| format!("golden/{name}.json: {e}"))?;
        }
        if let Some(name) = &self.same {
            compare("", value, &kept[name], true)?;
        }
        if let Some(name) = &self.store {
            kept.insert(name.clone(), value.clone());
        }
        Ok(())
    }
}

/// At least one event of each kind, in this order.
fn judge_events(kinds: &[String], events: &[String]) -> Result<(), String> {
    let mut wanted = kinds.iter().peekable();
    for event in events {
        let event: Value = serde_json::from_str(event).map_err(|e| format!("{e}: {event}"))?;
        schema::validate("event", &event)?;
        if wanted.peek().is_some_and(|kind| event["event"] == kind.as_str()) {
            wanted.next();
        }
    }
    match wanted.next() {
        Some(kind) => Err(format!("no event {kind} in its place among {}", events.len())),
        None => Ok(()),
    }
}

/// Where two values differ; unless `whole`, objects may hold more than expected.
fn compare(at: &str, value: &Value, expected: &Value, whole: bool) -> Result<(), String> {
    let key = at.rsplit('.').next().unwrap_or_default();
    match (value, expected) {
        _ if UNCOMPARED.contains(&key) => Ok(()),
        (Value::Object(value), Value::Object(expected)) => {
            for (key, expected) in expected {
                let value = value.get(key).ok_or_else(|| format!("{at}.{key} is not there"))?;
                compare(&format!("{at}.{key}"), value, expected, whole)?;
            }
            match value.keys().find(|key| whole && !expected.contains_key(*key)) {
                Some(key) => Err(format!("{at}.{key} is there too")),
                None => Ok(()),
            }
        }
        (Value::Array(value), Value::Array(expected)) if value.len() == expected.len() => {
            let pairs = value.iter().zip(expected).enumerate();
            pairs.into_iter().try_for_each(|(i, (v, e))| {
                // The key stays last: it says whether numbers are rounded.
                let (above, key) = at.rsplit_once('.').unwrap_or(("", at));
                compare(&format!("{above}[{i}].{key}"), v, e, whole)
            })
        }
        (Value::Number(value), Value::Number(expected)) if ROUNDED.contains(&key) => {
            let (value, expected) = (value.as_f64().unwrap(), expected.as_f64().unwrap());
            match (value - expected).abs() <= TOLERANCE {
                true => Ok(()),
                false => Err(format!("{at} is {value}, not {expected}")),
            }
        }
        _ if value == expected => Ok(()),
        _ => Err(format!("{at} is {value}, not {expected}")),
    }
}

/// JSON that a reader can follow: what fits stands on one line.
fn pretty(value: &Value, indent: usize) -> String {
    let flat = value.to_string();
    if flat.len() + indent < 110 {
        return flat;
    }
    let pad = " ".repeat(indent + 2);
    let lines: Vec<String> = match value {
        Value::Object(object) => object
            .iter()
            .map(|(key, v)| {
                format!("{pad}{}: {}", Value::from(key.as_str()), pretty(v, indent + 2))
            })
            .collect(),
        Value::Array(array) => {
            array.iter().map(|v| format!("{pad}{}", pretty(v, indent + 2))).collect()
        }
        _ => return flat,
    };
    let (open, close) = if value.is_array() { ('[', ']') } else { ('{', '}') };
    format!("{open}\n{}\n{}{close}", lines.join(",\n"), " ".repeat(indent))
}

#[test]
fn a_difference_is_found_and_a_rounding_forgiven() {
    let value = serde_json::json!({"score": 0.5, "seconds": 1, "a": [{"score": 0.1}, {"n": 3}]});
    let other = |edit: fn(&mut Value)| {
        let mut other = value.clone();
        edit(&mut other);
        compare("", &other, &value, true).is_ok()
    };
    assert!(other(|_| ()));
    assert!(other(|v| v["score"] = 0.50005.into()));
    assert!(other(|v| v["a"][0]["score"] = 0.10005.into()));
    assert!(other(|v| v["seconds"] = 9.into()));
    assert!(!other(|v| v["score"] = 0.51.into()));
    assert!(!other(|v| v["a"][1]["n"] = 4.into()));
    assert!(!other(|v| v["a"][1]["more"] = 4.into()));
    assert!(!other(|v| v["a"].as_array_mut().unwrap().truncate(1)));
}
