//! Values as host functions see them. Nothing of the script language is in them, so that another way of running scripts can use the same
//! host functions. `host/convert.rs` turns them into values of Rhai and back.

use std::{any::Any, cmp::Ordering, collections::BTreeMap, fmt, sync::Arc};

use rhai::{Dynamic, FnPtr, Identifier, ImmutableString};
use serde::ser::{Error as _, Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

use super::{check_depth, without_json};

/// A text that is cheap to clone.
pub type Text = ImmutableString;
/// The key of a map.
pub type Key = Identifier;
/// A map, in the order of its keys.
pub type Map = BTreeMap<Key, Value>;

/// A value.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// Nothing: `()`, and `null` in JSON.
    #[default]
    Unit,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A text. A single character becomes one, too.
    Text(Text),
    /// Bytes.
    Blob(Vec<u8>),
    /// Values in order.
    Array(Vec<Value>),
    /// Values by name.
    Map(Map),
    /// A value with methods of its own.
    Object(Object),
    /// Something to call.
    Closure(Closure),
    /// A value of another type, such as a range. It goes through as it is.
    Other(Other),
}

/// A value that host functions can only give on.
#[derive(Debug, Clone)]
pub struct Other(pub(in crate::engine) Dynamic);

/// A closure or a function of the script. Only the call that it was given to can call it.
#[derive(Debug, Clone)]
pub struct Closure(pub(in crate::engine) FnPtr);

/// A value with methods of its own, such as a time. Cheap to clone; nothing changes it.
#[derive(Clone)]
pub struct Object(pub Arc<dyn HostObject>);

/// What is behind an [`Object`].
pub trait HostObject: Any + Send + Sync {
    /// Returns the name of its class, which says what can be asked of it: `Time`.
    fn class(&self) -> &'static str;

    /// Returns what a script sees when it puts it into a text.
    fn shown(&self) -> String;

    /// Returns what stands for it in JSON; none: it has no form there.
    fn json(&self) -> Option<Value> {
        None
    }

    /// Says what to do instead, where it has no form in JSON.
    fn without_json(&self) -> &'static str {
        ""
    }

    /// Returns the text of it and another text that stands before or after it, if that can be joined and is no plain text.
    fn joined(&self, _text: &str, _is_before: bool) -> Option<Object> {
        None
    }

    /// Compares it with another object, if that makes sense.
    fn compare(&self, _other: &dyn HostObject) -> Option<Ordering> {
        None
    }
}

impl Object {
    /// Makes an object of what is behind it.
    pub fn new(object: impl HostObject) -> Self {
        Self(Arc::new(object))
    }

    /// Returns what is behind it, if it is of this type.
    pub fn of<T: HostObject>(&self) -> Option<&T> {
        object_of(&*self.0)
    }
}

/// Returns the object as the type that it is, if it is this one.
pub fn object_of<T: HostObject>(object: &dyn HostObject) -> Option<&T> {
    let object: &dyn Any = object;
    object.downcast_ref()
}

impl Object {
    /// Says that it has no form in JSON, and what to do instead.
    pub fn without_json(&self) -> String {
        format!("a value of type {} has no form in JSON{}", self.0.class(), self.0.without_json())
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.shown())
    }
}

impl Value {
    /// Returns what messages call its type.
    pub fn type_word(&self) -> String {
        match self {
            Self::Unit => "()".into(),
            Self::Bool(_) => "a boolean".into(),
            Self::Int(_) | Self::Float(_) => "a number".into(),
            Self::Text(_) => "a string".into(),
            Self::Blob(_) => "a blob".into(),
            Self::Array(_) => "an array".into(),
            Self::Map(_) => "a map".into(),
            Self::Object(object) => format!("a value of type {}", object.0.class()),
            Self::Closure(_) => "a function".into(),
            Self::Other(_) => "a value of another type".into(),
        }
    }

    /// Makes a map of names and values.
    pub fn map<const N: usize>(entries: [(&str, Self); N]) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// Returns the text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the bytes of a text or a blob.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text.as_bytes()),
            Self::Blob(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Returns the object behind it, if it is one of this type.
    pub fn as_object<T: HostObject>(&self) -> Option<&T> {
        match self {
            Self::Object(object) => object.of(),
            _ => None,
        }
    }
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Self::Unit
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Blob(bytes)
    }
}

impl From<Vec<Self>> for Value {
    fn from(items: Vec<Self>) -> Self {
        Self::Array(items)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    /// What is not there is `()`.
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Unit, Into::into)
    }
}

/// A value on its way to JSON or to a template, at some depth.
struct AtDepth<'a>(&'a Value, usize);

impl Serialize for Value {
    /// Writes it as scripts' values are written to JSON: `()` is null, a blob an array of numbers.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        AtDepth(self, 0).serialize(serializer)
    }
}

impl Serialize for AtDepth<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(value, depth) = *self;
        if matches!(value, Value::Array(_) | Value::Map(_) | Value::Blob(_)) {
            check_depth(depth)?;
        }
        match value {
            Value::Unit => serializer.serialize_unit(),
            Value::Bool(truth) => serializer.serialize_bool(*truth),
            Value::Int(number) => serializer.serialize_i64(*number),
            Value::Float(number) => serializer.serialize_f64(*number),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Blob(bytes) => serializer.collect_seq(bytes),
            Value::Array(items) => {
                let mut out = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    out.serialize_element(&AtDepth(item, depth + 1))?;
                }
                out.end()
            }
            Value::Map(map) => {
                let mut out = serializer.serialize_map(Some(map.len()))?;
                for (key, value) in map {
                    out.serialize_entry(key.as_str(), &AtDepth(value, depth + 1))?;
                }
                out.end()
            }
            Value::Object(object) => match object.0.json() {
                Some(json) => AtDepth(&json, depth + 1).serialize(serializer),
                None => Err(S::Error::custom(object.without_json())),
            },
            Value::Closure(_) => Err(S::Error::custom("a function has no form in JSON")),
            Value::Other(other) => Err(S::Error::custom(without_json(&other.0))),
        }
    }
}
