//! `hmtl inspect`: what a model is.

use std::path::PathBuf;

use hmtl::Result;
use hmtl::model::Compute;
use serde_json::Value;

use super::ModelArguments;

#[derive(clap::Args)]
pub struct Arguments {
    /// Model directory; the model that ships with the library when absent.
    model: Option<PathBuf>,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Result<()> {
    let Arguments { model, json } = arguments;
    let mut info =
        ModelArguments { model, device: "cpu".into(), plain: false, compute: Compute::default() }
            .load(None)?
            .info()?;
    if json {
        println!("{info}");
        return Ok(());
    }
    // Pages of settings, which few will read here.
    if let Some(recipe) = info["card"]["recipe"].as_object_mut() {
        recipe.remove("training");
    }
    for part in ["parameters", "vocabulary", "tasks", "encoders", "card"] {
        print!("{}", outline(&serde_json::json!({ part: info[part] }), 0));
    }
    Ok(())
}

/// JSON as an indented outline; short lists stand on one line.
fn outline(value: &Value, depth: usize) -> String {
    let pad = "  ".repeat(depth);
    match value {
        Value::Object(map) => {
            let lines =
                map.iter().filter(|(_, v)| !is_nothing(v)).map(|(key, value)| match value {
                    Value::Object(_) => format!("{pad}{key}\n{}", outline(value, depth + 1)),
                    Value::Array(items) if !items.iter().all(is_short) => {
                        format!("{pad}{key}\n{}", outline(value, depth + 1))
                    }
                    _ => format!("{pad}{key}: {}\n", scalar(value)),
                });
            lines.collect()
        }
        Value::Array(items) => {
            let lines = items.iter().map(|item| match item {
                Value::Object(_) | Value::Array(_) => {
                    let item = outline(item, depth + 1);
                    format!("{pad}-{}", item.strip_prefix(&pad).map_or(&*item, |i| &i[1..]))
                }
                _ => format!("{pad}- {}\n", scalar(item)),
            });
            lines.collect()
        }
        _ => format!("{pad}{}\n", scalar(value)),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.is_empty(),
        _ => false,
    }
}

fn is_short(value: &Value) -> bool {
    match value {
        Value::String(s) => s.len() < 40,
        Value::Array(_) | Value::Object(_) => false,
        _ => true,
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        Value::Number(n) => match n.as_f64() {
            Some(x) if n.is_f64() && x.abs() >= 1e-4 => {
                format!("{x:.4}").trim_end_matches('0').trim_end_matches('.').to_owned()
            }
            _ => n.to_string(),
        },
        Value::Array(items) => items.iter().map(scalar).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_outline_is_indented_and_leaves_out_what_is_empty() {
        let value = json!({
            "labels": ["PER", "ORG"],
            "limits": [],
            "epsilon": 1e-8,
            "score": 0.75,
            "sources": [{"license": "MIT", "name": "a"}],
            "task": {"kind": "spans"},
        });
        assert_eq!(
            outline(&value, 0),
            "labels: PER, ORG\nepsilon: 1e-8\nscore: 0.75\nsources\n  - license: MIT\n    name: a\n\
             task\n  kind: spans\n"
        );
    }
}
