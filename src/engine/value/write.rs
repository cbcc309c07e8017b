//! From values to JSON.

use rhai::Dynamic;
use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};

use super::{check_depth, plain::Object, type_name, without_json};
use crate::bounded::BoundedWriter;

/// Why a value cannot go out as JSON.
#[derive(Debug, thiserror::Error)]
pub enum ToJsonError {
    /// It is larger than the caller takes.
    #[error("it is larger than {limit} bytes as JSON")]
    TooLarge {
        /// In bytes.
        limit: usize,
    },
    /// It holds something that JSON has no word for, or too much nesting.
    #[error("{0}")]
    JsonError(String),
}

/// Writes a value as JSON, at most `limit` bytes.
pub fn to_json(value: &Dynamic, limit: usize) -> Result<Vec<u8>, ToJsonError> {
    let (json, written) = start_of_json(value, limit);
    written.map(|()| json)
}

/// Writes as much of a value's JSON as fits, for people: what has no form in JSON is written as a script sees it in a text.
pub fn start_for_people(value: &Dynamic, limit: usize) -> (Vec<u8>, Result<(), ToJsonError>) {
    start(value, limit, true)
}

/// Writes as much of a value's JSON as fits.
pub fn start_of_json(value: &Dynamic, limit: usize) -> (Vec<u8>, Result<(), ToJsonError>) {
    start(value, limit, false)
}

fn start(value: &Dynamic, limit: usize, is_for_people: bool) -> (Vec<u8>, Result<(), ToJsonError>) {
    let mut writer = BoundedWriter::new(limit);
    let written = serde_json::to_writer(&mut writer, &Json { value, depth: 0, is_for_people }).map_err(|error| match error.is_io() {
        true => ToJsonError::TooLarge { limit },
        false => ToJsonError::JsonError(error.to_string()),
    });
    (writer.into_bytes(), written)
}

struct Json<'a> {
    value: &'a Dynamic,
    depth: usize,
    is_for_people: bool,
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { value, depth, is_for_people } = *self;
        if let Ok(text) = value.as_immutable_string_ref() {
            return serializer.serialize_str(text.as_str());
        }
        if let Ok(number) = value.as_int() {
            return serializer.serialize_i64(number);
        }
        if let Ok(map) = value.as_map_ref() {
            check_depth(depth)?;
            let mut out = serializer.serialize_map(Some(map.len()))?;
            for (key, value) in map.iter() {
                out.serialize_entry(key.as_str(), &Json { value, depth: depth + 1, is_for_people })?;
            }
            return out.end();
        }
        if let Ok(array) = value.as_array_ref() {
            check_depth(depth)?;
            let mut out = serializer.serialize_seq(Some(array.len()))?;
            for value in array.iter() {
                out.serialize_element(&Json { value, depth: depth + 1, is_for_people })?;
            }
            return out.end();
        }
        if let Ok(truth) = value.as_bool() {
            return serializer.serialize_bool(truth);
        }
        if let Ok(number) = value.as_float() {
            return serializer.serialize_f64(number);
        }
        if value.is_unit() {
            return serializer.serialize_unit();
        }
        if let Ok(character) = value.as_char() {
            return serializer.serialize_char(character);
        }
        if let Ok(blob) = value.as_blob_ref() {
            check_depth(depth)?;
            let mut out = serializer.serialize_seq(Some(blob.len()))?;
            for byte in blob.iter() {
                out.serialize_element(byte)?;
            }
            return out.end();
        }
        if let Some(object) = value.read_lock::<Object>() {
            return match object.0.json() {
                Some(json) => json.serialize(serializer),
                None if is_for_people => serializer.serialize_str(&object.0.shown()),
                None => Err(S::Error::custom(object.without_json())),
            };
        }
        if is_for_people {
            return serializer.serialize_str(&format!("({})", type_name(value)));
        }
        Err(S::Error::custom(without_json(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::value::{
        MAX_DEPTH,
        plain::{Map, Value},
        read::from_json,
    };

    #[test]
    fn json_goes_through_unchanged() {
        for json in [r#"{"a":[1,2.5,true,null,"x"],"b":{}}"#, "[]", "\"\"", "-9223372036854775808", "null"] {
            assert_eq!(String::from_utf8(to_json(&from_json(json.as_bytes()).unwrap(), 1000).unwrap()).unwrap(), json);
        }
    }

    #[test]
    fn what_is_written_is_not_too_deep_to_be_read() {
        let inner = [
            (0, Dynamic::UNIT, Value::Unit),
            (1, Dynamic::from_array(Vec::new()), Value::Array(Vec::new())),
            (1, Dynamic::from_map(rhai::Map::new()), Value::Map(Map::new())),
            (1, Dynamic::from_blob(vec![1]), Value::Blob(vec![1])),
        ];
        for (own, of_script, plain) in inner {
            let of_script = |depth| (own..depth).fold(of_script.clone(), |value, _| Dynamic::from_array(vec![value]));
            let plain = |depth| (own..depth).fold(plain.clone(), |value, _| Value::Array(vec![value]));
            let written = to_json(&of_script(MAX_DEPTH), 10_000).unwrap();
            assert_eq!(serde_json::to_vec(&plain(MAX_DEPTH)).unwrap(), written);
            assert!(from_json(&written).is_ok());
            let deeper = [
                to_json(&of_script(MAX_DEPTH + 1), 10_000).unwrap_err().to_string(),
                serde_json::to_string(&plain(MAX_DEPTH + 1)).unwrap_err().to_string(),
            ];
            assert_eq!(deeper, ["it is nested deeper than 127, or holds itself"; 2]);
        }
        let deeper = format!("{}{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
        assert!(from_json(deeper.as_bytes()).unwrap_err().to_string().starts_with("it is nested deeper than 127 "));
    }

    #[test]
    fn what_has_no_json_says_so() {
        assert!(matches!(to_json(&"x".repeat(100).into(), 50), Err(ToJsonError::TooLarge { limit: 50 })));
        let pointer = Dynamic::from(rhai::FnPtr::new("f").unwrap());
        assert_eq!(to_json(&pointer, 50).unwrap_err().to_string(), "a value of type `Fn` has no form in JSON");
        assert_eq!(to_json(&Dynamic::from_float(f64::NAN), 50).unwrap(), b"null");
    }
}
