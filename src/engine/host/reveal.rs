//! Values on their way out, which may have secrets in them.

use std::cell::Cell;

use super::{
    HostError,
    secret::{NO_SECRETS, SecretText},
};
use crate::engine::value::plain::{Object, Value};
use crate::{capability::secret::Secrets, engine::value::MAX_DEPTH};

/// How secrets are written: with their values for those that they are meant for, by their names for everybody else.
pub struct Reveal<'a> {
    how: How<'a>,
    /// Bytes of secrets that may still be written: one secret can stand in many places.
    room: Cell<usize>,
}

/// Most bytes of secrets in one request: those of a body.
const MAX_BYTES: usize = 4 << 20;

enum How<'a> {
    Values(Option<&'a dyn Secrets>),
    Names,
}

impl<'a> Reveal<'a> {
    /// Writes their values. Without secrets at hand a secret is an error.
    pub fn with(secrets: Option<&'a dyn Secrets>) -> Self {
        Self { how: How::Values(secrets), room: Cell::new(MAX_BYTES) }
    }

    /// Writes their names.
    pub fn shown() -> Self {
        Self { how: How::Names, room: Cell::new(MAX_BYTES) }
    }

    /// Writes a value as text, where one is wanted: a header, a field of a form.
    pub fn text(&self, value: &Value) -> Result<String, HostError> {
        Ok(match value {
            Value::Text(text) => text.to_string(),
            Value::Int(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            Value::Object(object) => self.object(object)?,
            other => return Err(format!("a string or a number is wanted here, not {}", other.type_word()).into()),
        })
    }

    /// Makes JSON of a value.
    pub fn json(&self, value: &Value) -> Result<serde_json::Value, HostError> {
        self.json_at(value, 0)
    }

    fn json_at(&self, value: &Value, depth: usize) -> Result<serde_json::Value, HostError> {
        if depth > MAX_DEPTH {
            return Err(format!("it is nested deeper than {}", MAX_DEPTH).into());
        }
        Ok(match value {
            Value::Array(items) => items.iter().map(|item| self.json_at(item, depth + 1)).collect::<Result<_, _>>()?,
            Value::Map(map) => {
                let entries = map.iter().map(|(key, value)| Ok((key.to_string(), self.json_at(value, depth + 1)?)));
                serde_json::Value::Object(entries.collect::<Result<_, HostError>>()?)
            }
            Value::Object(object) if object.of::<SecretText>().is_some() => self.object(object)?.into(),
            plain => serde_json::to_value(plain).map_err(|why| HostError::from(why.to_string()))?,
        })
    }

    fn object(&self, object: &Object) -> Result<String, HostError> {
        match (object.of::<SecretText>(), &self.how) {
            (Some(secret), How::Values(Some(secrets))) => {
                let value = secret.value(*secrets)?;
                let left = self.room.get().checked_sub(value.len());
                self.room.set(left.ok_or_else(|| format!("secrets in it take more than {MAX_BYTES} bytes"))?);
                Ok(value)
            }
            (Some(_), How::Values(None)) => Err(NO_SECRETS.into()),
            _ => Ok(object.0.shown()),
        }
    }
}
