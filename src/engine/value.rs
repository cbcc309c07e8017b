//! Values between JSON and the engine. Depth is bounded both ways: a closure can hold the map that holds it.

use std::{fmt, io};

use rhai::{Array, Blob, Dynamic, FLOAT, INT, Identifier, ImmutableString, Map};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
    ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer},
};

use super::meter;

/// Values inside values, in either direction; `serde_json` reads no deeper.
pub const MAX_DEPTH: usize = 128;

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
    NotJson(String),
}

/// Writes a value as JSON, at most `limit` bytes.
pub fn to_json(value: &Dynamic, limit: usize) -> Result<Vec<u8>, ToJsonError> {
    let (json, written) = start_of_json(value, limit);
    written.map(|()| json)
}

/// Writes as much of a value's JSON as fits.
fn start_of_json(value: &Dynamic, limit: usize) -> (Vec<u8>, Result<(), ToJsonError>) {
    let mut writer = Bounded { bytes: Vec::with_capacity(128.min(limit)), limit };
    let written = serde_json::to_writer(&mut writer, &Json { value, depth: 0 }).map_err(|error| match error.is_io() {
        true => ToJsonError::TooLarge { limit },
        false => ToJsonError::NotJson(error.to_string()),
    });
    (writer.bytes, written)
}

/// Reads JSON into a value: an object is a map, a whole number an integer, `null` is `()`. A byte order mark is skipped (RFC 8259, 8.1).
pub fn from_json(bytes: &[u8]) -> Result<Dynamic, NotJson> {
    let bytes = without_mark(bytes);
    let value = match std::str::from_utf8(bytes) {
        // The whole is checked faster than each string by itself.
        Ok(text) => serde_json::from_str::<Value>(text),
        // It says where.
        Err(_) => serde_json::from_slice::<Value>(bytes),
    };
    value.map(|Value(value)| value).map_err(|why| NotJson::of(&why))
}

/// Why a text is not JSON.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotJson(String);

impl NotJson {
    /// Says it without the reader's own words.
    fn of(why: &serde_json::Error) -> Self {
        let said = why.to_string();
        let place = format!(" at line {} column {}", why.line(), why.column());
        let reason = said.strip_suffix(&place).unwrap_or(&said);
        Self(match reason {
            _ if why.is_eof() => format!("it ends before it is complete{place}"),
            "expected ident" => format!("expected a value, such as `true` or a text in double quotes{place}"),
            "expected value" => format!("expected a value{place}"),
            "recursion limit exceeded" => format!("it is nested deeper than {MAX_DEPTH}{place}"),
            _ => said,
        })
    }
}

/// Returns a text without the byte order mark that some programs begin it with.
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// Reads a value as [`from_json`] says. Rhai's own reader builds every map twice.
struct Value(Dynamic);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;
        impl<'de> Visitor<'de> for ValueVisitor {
            type Value = Dynamic;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_unit<E>(self) -> Result<Dynamic, E> {
                Ok(Dynamic::UNIT)
            }
            fn visit_bool<E>(self, truth: bool) -> Result<Dynamic, E> {
                Ok(Dynamic::from_bool(truth))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Dynamic, E> {
                Ok(Dynamic::from_int(number))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Dynamic, E> {
                // What an integer cannot hold is a float, as for every JSON reader without one of its own.
                Ok(INT::try_from(number).map_or_else(|_| Dynamic::from_float(number as FLOAT), Dynamic::from_int))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Dynamic, E> {
                Ok(Dynamic::from_float(number))
            }
            fn visit_str<E>(self, text: &str) -> Result<Dynamic, E> {
                Ok(text.into())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Dynamic, A::Error> {
                let mut array = Array::new();
                while let Some(Value(item)) = items.next_element()? {
                    array.push(item);
                    hold()?;
                }
                Ok(Dynamic::from_array(array))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Dynamic, A::Error> {
                let mut map = Map::new();
                while let Some((Key(key), Value(value))) = entries.next_entry()? {
                    map.insert(key, value);
                    hold()?;
                }
                Ok(Dynamic::from_map(map))
            }
        }
        deserializer.deserialize_any(ValueVisitor).map(Value)
    }
}

/// A value can be sixty times as large as its JSON.
fn hold<E: serde::de::Error>() -> Result<(), E> {
    if meter::has_memory() { Ok(()) } else { Err(E::custom("it needs more memory than a run may hold")) }
}

/// A map's key; short ones need no memory of their own.
struct Key(Identifier);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_str<E>(self, key: &str) -> Result<Key, E> {
                Ok(Key(key.into()))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
}

impl io::Write for Bounded {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let room = self.limit - self.bytes.len();
        if part.len() > room {
            self.bytes.extend_from_slice(&part[..room]);
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Json<'a> {
    value: &'a Dynamic,
    depth: usize,
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { value, depth } = *self;
        if depth > MAX_DEPTH {
            return Err(S::Error::custom(format!("it is nested deeper than {MAX_DEPTH}, or holds itself")));
        }
        if let Ok(text) = value.as_immutable_string_ref() {
            return serializer.serialize_str(text.as_str());
        }
        if let Ok(number) = value.as_int() {
            return serializer.serialize_i64(number);
        }
        if let Ok(map) = value.as_map_ref() {
            let mut out = serializer.serialize_map(Some(map.len()))?;
            for (key, value) in map.iter() {
                out.serialize_entry(key.as_str(), &Json { value, depth: depth + 1 })?;
            }
            return out.end();
        }
        if let Ok(array) = value.as_array_ref() {
            let mut out = serializer.serialize_seq(Some(array.len()))?;
            for value in array.iter() {
                out.serialize_element(&Json { value, depth: depth + 1 })?;
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
            let mut out = serializer.serialize_seq(Some(blob.len()))?;
            for byte in blob.iter() {
                out.serialize_element(byte)?;
            }
            return out.end();
        }
        let name = value.type_name().rsplit("::").next().unwrap_or_default();
        Err(S::Error::custom(format!("a value of type `{name}` has no form in JSON")))
    }
}

/// Returns text for a log line or an error: strings as they are, everything else as JSON, cut at `limit` bytes.
pub fn to_text(value: &Dynamic, limit: usize) -> String {
    if let Ok(text) = value.as_immutable_string_ref() {
        return cut(text.as_str(), limit).into();
    }
    match to_json(value, limit) {
        Ok(json) => String::from_utf8_lossy(&json).into_owned(),
        Err(ToJsonError::TooLarge { .. }) => format!("({}, too large to show)", value.type_name()),
        Err(ToJsonError::NotJson(_)) => format!("({})", value.type_name()),
    }
}

/// Returns text for people to read, at most `limit` bytes: as [`to_text`] does, but what is cut ends with a mark.
pub fn to_line(value: &Dynamic, limit: usize) -> String {
    if let Ok(text) = value.as_immutable_string_ref() {
        return with_mark(text.as_str(), limit, &format!("… {} bytes", text.len()));
    }
    match start_of_json(value, limit) {
        (json, Ok(())) => String::from_utf8_lossy(&json).into_owned(),
        // Nobody counts the rest: a small value can hold another many times.
        (json, Err(ToJsonError::TooLarge { .. })) => with_mark(&(String::from_utf8_lossy(&json) + "…"), limit, "… and more"),
        (_, Err(ToJsonError::NotJson(_))) => format!("({})", value.type_name()),
    }
}

fn with_mark(text: &str, limit: usize, mark: &str) -> String {
    if text.len() <= limit { text.into() } else { cut(text, limit.saturating_sub(mark.len())).to_owned() + mark }
}

/// Returns the longest start of a text that is at most `limit` bytes and ends between characters.
pub fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// The types that scripts know, by the names that messages use.
pub fn type_word(value: &Dynamic) -> &'static str {
    match () {
        () if value.is::<ImmutableString>() => "a string",
        () if value.is::<INT>() || value.is::<FLOAT>() => "a number",
        () if value.is::<bool>() => "a boolean",
        () if value.is::<Map>() => "a map",
        () if value.is::<Array>() => "an array",
        () if value.is::<Blob>() => "a blob",
        () if value.is_unit() => "()",
        () => "a value of another type",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_goes_through_unchanged() {
        for json in [r#"{"a":[1,2.5,true,null,"x"],"b":{}}"#, "[]", "\"\"", "-9223372036854775808", "null"] {
            assert_eq!(String::from_utf8(to_json(&from_json(json.as_bytes()).unwrap(), 1000).unwrap()).unwrap(), json);
        }
    }

    #[test]
    fn a_number_that_no_integer_holds_is_a_float() {
        assert_eq!(from_json(b"18446744073709551615").unwrap().as_float(), Ok(18_446_744_073_709_551_615.0));
    }

    #[test]
    fn a_line_that_is_cut_says_so() {
        let line = |value: Dynamic| to_line(&value, 30);
        assert_eq!(line("x".repeat(30).into()), "x".repeat(30));
        assert_eq!(line("x".repeat(131_072).into()), format!("{}… 131072 bytes", "x".repeat(14)));
        assert_eq!(line("é".repeat(20).into()), format!("{}… 40 bytes", "é".repeat(9)));
        let numbers = |count: i64| Dynamic::from_array((0..count).map(Dynamic::from_int).collect());
        assert_eq!(line(numbers(10)), "[0,1,2,3,4,5,6,7,8,9]");
        assert_eq!(line(numbers(15)), "[0,1,2,3,4,5,6,7,8… and more");
        assert_eq!(line(Dynamic::from(rhai::FnPtr::new("f").unwrap())), "(Fn)");
    }

    #[test]
    fn what_has_no_json_says_so() {
        let mut deep = Dynamic::UNIT;
        for _ in 0..200 {
            deep = Dynamic::from_array(vec![deep]);
        }
        assert!(to_json(&deep, 10_000).unwrap_err().to_string().contains("nested deeper than 128"));
        assert!(matches!(to_json(&"x".repeat(100).into(), 50), Err(ToJsonError::TooLarge { limit: 50 })));
        let pointer = Dynamic::from(rhai::FnPtr::new("f").unwrap());
        assert_eq!(to_json(&pointer, 50).unwrap_err().to_string(), "a value of type `Fn` has no form in JSON");
        assert_eq!(to_json(&Dynamic::from_float(f64::NAN), 50).unwrap(), b"null");
    }
}
