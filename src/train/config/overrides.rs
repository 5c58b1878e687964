//! Single values of a run's description, set from the command line.

use serde_json::{Map, Value};

use crate::{Error, Result};

/// Applies `key.of.a.value=value`. The value is JSON, or a string where it is none.
pub(super) fn apply(config: &mut Value, assignment: &str) -> Result<()> {
    let invalid = |message: String| Error::config(format!("cannot set `{assignment}`: {message}"));
    let Some((path, value)) = assignment.split_once('=') else {
        return Err(invalid("write key=value, such as training.epochs=3".into()));
    };
    let mut place = config;
    for key in path.split('.') {
        place = match place {
            Value::Array(items) => {
                let count = items.len();
                let item = key.parse().ok().and_then(|at: usize| items.get_mut(at));
                item.ok_or_else(|| invalid(format!("`{key}` is none of {count} items")))?
            }
            Value::Object(map) => map.entry(key).or_insert(Value::Null),
            // What is absent is made; a name that nothing reads is refused with the whole.
            Value::Null => {
                *place = Value::Object(Map::new());
                let Value::Object(map) = place else { continue };
                map.entry(key).or_insert(Value::Null)
            }
            _ => return Err(invalid(format!("there is nothing below `{key}`'s parent"))),
        };
    }
    *place = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_set_in_objects_and_arrays() {
        let mut config = json!({"training": {"epochs": 9, "data": [{"path": "a"}]}});
        for assignment in ["training.epochs=3", "training.data.0.path=b", "training.new.rate=1e-2"]
        {
            apply(&mut config, assignment).unwrap();
        }
        let expected =
            json!({"training": {"epochs": 3, "data": [{"path": "b"}], "new": {"rate": 0.01}}});
        assert_eq!(config, expected);
    }

    #[test]
    fn what_cannot_be_set_is_named() {
        let mut config = json!({"epochs": 9, "data": []});
        for assignment in ["epochs", "epochs.more=1", "data.0=1", "data.x=1"] {
            let error = apply(&mut config, assignment).unwrap_err().to_string();
            assert!(error.contains(&format!("`{assignment}`")), "{error}");
        }
    }
}
