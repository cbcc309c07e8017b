//! Values as templates see them.

use minijinja::Value as TemplateValue;

use crate::engine::{
    host::{HostError, text::goes_on},
    value::{MAX_DEPTH, plain::Value},
};

/// Gives a value to a template, within the memory of the run. A time is the text that it is in JSON.
pub fn to_template(value: &Value) -> Result<TemplateValue, HostError> {
    at_depth(value, 0)
}

fn at_depth(value: &Value, depth: usize) -> Result<TemplateValue, HostError> {
    goes_on()?;
    if depth > MAX_DEPTH {
        return Err(format!("a value is nested deeper than {MAX_DEPTH}").into());
    }
    Ok(match value {
        Value::Unit => TemplateValue::from(()),
        Value::Bool(truth) => TemplateValue::from(*truth),
        Value::Int(number) => TemplateValue::from(*number),
        Value::Float(number) => TemplateValue::from(*number),
        Value::Text(text) => TemplateValue::from(text.as_str()),
        Value::Blob(bytes) => TemplateValue::from_bytes(bytes.clone()),
        Value::Array(items) => {
            let mut all = Vec::new();
            for item in items {
                all.push(at_depth(item, depth + 1)?);
            }
            TemplateValue::from(all)
        }
        Value::Map(map) => {
            let mut entries = Vec::new();
            for (key, value) in map {
                entries.push((key.to_string(), at_depth(value, depth + 1)?));
            }
            TemplateValue::from_pairs(entries)
        }
        Value::Object(object) => match object.0.json() {
            Some(json) => at_depth(&json, depth + 1)?,
            None => return Err(format!("a template cannot show a value of type {}", object.0.class()).into()),
        },
        other @ (Value::Closure(_) | Value::Other(_)) => return Err(format!("a template cannot show {}", other.type_word()).into()),
    })
}
