//! Options: the map that comes last in a call, such as `#{ ttl: "1h" }`.

use std::time::Duration;

use super::HostError;
use crate::engine::value::plain::{Map, Value};
use crate::function::{diagnostic::near_miss, quantity::Span};

/// The options of a call. Each has one of the names that the function knows.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a>(&'a Map);

/// An option that a function does not know.
pub struct UnknownOption<'a>(&'a str);

impl<'a> UnknownOption<'a> {
    /// Finds the first of these keys that is none of the names.
    pub fn find(keys: impl IntoIterator<Item = &'a str>, names: &[&str]) -> Option<Self> {
        keys.into_iter().find(|key| !names.contains(key)).map(Self)
    }

    /// Says what is wrong.
    pub fn message(&self) -> String {
        format!("there is no option `{}`", self.0)
    }

    /// Says what to do.
    pub fn hint(&self, names: &[&str]) -> String {
        match near_miss(self.0, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
        }
    }
}

impl<'a> Options<'a> {
    /// Takes a map as options; the error names one that the function does not know.
    pub fn new(map: &'a Map, names: &'static [&'static str]) -> Result<Self, HostError> {
        match UnknownOption::find(map.keys().map(|key| key.as_str()), names) {
            None => Ok(Self(map)),
            Some(unknown) => Err(format!("{}; {}", unknown.message(), unknown.hint(names)).into()),
        }
    }

    /// Takes a value as options: a map, or `()` where none are given.
    pub fn of(value: &'a Value, names: &'static [&'static str]) -> Result<Self, HostError> {
        match value {
            Value::Map(map) => Self::new(map, names),
            Value::Unit => Ok(Self::nothing()),
            other => Err(format!("options are a map, not {}", other.type_word()).into()),
        }
    }

    /// Returns options of which none is given.
    pub fn nothing() -> Self {
        static NONE: Map = Map::new();
        Self(&NONE)
    }

    /// Returns whether none is given.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Returns an option; none if it is not given, or is `()`.
    pub fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !matches!(value, Value::Unit))
    }

    fn read<T>(self, name: &str, what: &str, read: impl FnOnce(&'a Value) -> Option<T>) -> Result<Option<T>, HostError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| format!("the option `{name}` is {what}, not {}", value.type_word()).into())
    }

    /// Returns an option that is a string.
    pub fn text(self, name: &str) -> Result<Option<&'a str>, HostError> {
        self.read(name, "a string", Value::as_text)
    }

    /// Returns an option that is `true` or `false`.
    pub fn flag(self, name: &str) -> Result<Option<bool>, HostError> {
        self.read(name, "`true` or `false`", |value| match value {
            Value::Bool(truth) => Some(*truth),
            _ => None,
        })
    }

    /// Returns an option that is a whole number.
    pub fn int(self, name: &str) -> Result<Option<i64>, HostError> {
        self.read(name, "a whole number", |value| match value {
            Value::Int(number) => Some(*number),
            _ => None,
        })
    }

    /// Returns an option that is a whole number from 0 to `most`.
    pub fn count(self, name: &str, most: u64) -> Result<Option<u64>, HostError> {
        let Some(number) = self.int(name)? else { return Ok(None) };
        let count = u64::try_from(number).ok().filter(|count| *count <= most);
        count.map(Some).ok_or_else(|| format!("the option `{name}` is a whole number from 0 to {most}, not {number}").into())
    }

    /// Returns an option that is a map.
    pub fn map(self, name: &str) -> Result<Option<&'a Map>, HostError> {
        self.read(name, "a map", |value| match value {
            Value::Map(map) => Some(map),
            _ => None,
        })
    }

    /// Returns an option that is a time span: `"30s"`, `"1h"`, or a number of seconds.
    pub fn span(self, name: &str) -> Result<Option<Duration>, HostError> {
        let span = |value: &Value| match value {
            Value::Text(text) => Span::parse(text).map(|span| span.0),
            Value::Int(seconds) => u64::try_from(*seconds).ok().map(Duration::from_secs),
            Value::Float(seconds) => Duration::try_from_secs_f64(*seconds).ok(),
            _ => None,
        };
        let Some(value) = self.get(name) else { return Ok(None) };
        span(value).map(Some).ok_or_else(|| format!("the option `{name}` is a time span, such as \"30s\" or \"1h\"").into())
    }
}
