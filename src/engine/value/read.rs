//! From JSON to values.

use std::fmt;

use rhai::{Array, Dynamic, FLOAT, INT, Identifier, Map};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

use super::MAX_DEPTH;
use crate::engine::meter;

/// Reads JSON into a value: an object is a map, a whole number an integer, `null` is `()`. A byte order mark is skipped (RFC 8259, 8.1).
pub fn from_json(bytes: &[u8]) -> Result<Dynamic, JsonError> {
    let bytes = without_mark(bytes);
    let value = match std::str::from_utf8(bytes) {
        // The whole is checked faster than each string by itself.
        Ok(text) => serde_json::from_str::<Value>(text),
        // It says where.
        Err(_) => serde_json::from_slice::<Value>(bytes),
    };
    value.map(|Value(value)| value).map_err(|why| JsonError::of(&why))
}

/// Why a text is not JSON.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(String);

impl JsonError {
    /// Says that the run may hold no more.
    pub fn no_memory() -> Self {
        Self(NO_MEMORY.into())
    }

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

const NO_MEMORY: &str = "it needs more memory than a run may hold";

/// A value can be sixty times as large as its JSON.
fn hold<E: serde::de::Error>() -> Result<(), E> {
    if meter::has_memory() { Ok(()) } else { Err(E::custom(NO_MEMORY)) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_no_integer_holds_is_a_float() {
        assert_eq!(from_json(b"18446744073709551615").unwrap().as_float(), Ok(18_446_744_073_709_551_615.0));
    }
}
