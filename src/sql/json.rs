//! Values as JSON, for columns that hold it.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value as Json;

use super::moment;
use crate::capability::sql::SqlValue;

/// Writes a value as JSON. A text is JSON already. None: JSON has no such value.
pub fn write(value: &SqlValue) -> Option<String> {
    match value {
        SqlValue::Text(text) | SqlValue::Json(text) => Some(text.clone()),
        value => Some(inner(value)?.to_string()),
    }
}

fn inner(value: &SqlValue) -> Option<Json> {
    Some(match value {
        SqlValue::Null => Json::Null,
        SqlValue::Bool(value) => (*value).into(),
        SqlValue::Int(number) => (*number).into(),
        SqlValue::Float(number) => serde_json::Number::from_f64(*number)?.into(),
        SqlValue::Text(text) | SqlValue::Numeric(text) => text.as_str().into(),
        SqlValue::Blob(bytes) => BASE64_STANDARD.encode(bytes).into(),
        SqlValue::Timestamp(time_us) => moment::write(*time_us)?.into(),
        SqlValue::Uuid(uuid) => uuid.to_string().into(),
        SqlValue::Json(text) => serde_json::from_str(text).ok()?,
        SqlValue::Array(values) => values.iter().map(inner).collect::<Option<Vec<_>>>()?.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_json() {
        let array =
            SqlValue::Array(vec![SqlValue::Int(1), SqlValue::Text("a".into()), SqlValue::Json("{\"b\":null}".into()), SqlValue::Null]);
        assert_eq!(write(&array).unwrap(), "[1,\"a\",{\"b\":null},null]");
        assert_eq!(write(&SqlValue::Text("{}".into())).unwrap(), "{}");
        assert_eq!([write(&SqlValue::Float(f64::NAN)), write(&SqlValue::Array(vec![SqlValue::Json("{".into())]))], [None, None]);
    }
}
