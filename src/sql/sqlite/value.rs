//! Values of SQLite, which has five kinds of them. The declared type of a column says what else one is.

use rusqlite::types::{Value as Stored, ValueRef};

use crate::{
    capability::sql::SqlValue,
    sql::{json, moment},
};

/// What a column is declared to hold, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeclaredType {
    Bool,
    Timestamp,
    Uuid,
    Json,
    Other,
}

impl DeclaredType {
    /// Reads the declared type of a column. What is computed has none.
    pub fn of(declared: Option<&str>) -> Self {
        match declared.map(str::to_ascii_uppercase).as_deref() {
            Some("BOOLEAN" | "BOOL") => Self::Bool,
            Some("TIMESTAMP" | "TIMESTAMPTZ" | "DATETIME") => Self::Timestamp,
            Some("UUID") => Self::Uuid,
            Some("JSON" | "JSONB") => Self::Json,
            _ => Self::Other,
        }
    }

    /// Reads a value. A text that is not UTF-8 comes as its bytes.
    pub fn read(self, value: ValueRef<'_>) -> SqlValue {
        match (value, self) {
            (ValueRef::Null, _) => SqlValue::Null,
            (ValueRef::Integer(number @ (0 | 1)), Self::Bool) => SqlValue::Bool(number == 1),
            (ValueRef::Integer(number), _) => SqlValue::Int(number),
            (ValueRef::Real(number), _) => SqlValue::Float(number),
            (ValueRef::Blob(bytes), _) => SqlValue::Blob(bytes.into()),
            (ValueRef::Text(bytes), _) => match std::str::from_utf8(bytes) {
                Ok(text) => self.read_text(text),
                Err(_) => SqlValue::Blob(bytes.into()),
            },
        }
    }

    fn read_text(self, text: &str) -> SqlValue {
        let other = match self {
            Self::Timestamp => moment::read(text).map(SqlValue::Timestamp),
            Self::Uuid => text.parse().ok().map(SqlValue::Uuid),
            Self::Json => Some(SqlValue::Json(text.into())),
            Self::Bool | Self::Other => None,
        };
        other.unwrap_or_else(|| SqlValue::Text(text.into()))
    }
}

/// Returns the bytes of a value's content.
pub fn content_bytes(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 0,
    }
}

/// Returns what is stored for a value. None: SQLite has no such value.
pub fn stored(value: &SqlValue) -> Option<Stored> {
    Some(match value {
        SqlValue::Null => Stored::Null,
        SqlValue::Bool(value) => Stored::Integer((*value).into()),
        SqlValue::Int(number) => Stored::Integer(*number),
        SqlValue::Float(number) => Stored::Real(*number),
        SqlValue::Text(text) | SqlValue::Json(text) | SqlValue::Numeric(text) => Stored::Text(text.clone()),
        SqlValue::Blob(bytes) => Stored::Blob(bytes.clone()),
        SqlValue::Timestamp(time_us) => Stored::Text(moment::write(*time_us)?),
        SqlValue::Uuid(uuid) => Stored::Text(uuid.to_string()),
        SqlValue::Array(_) => Stored::Text(json::write(value)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declared_type_says_what_a_value_is() {
        let read = |declared: &str, value: ValueRef<'_>| DeclaredType::of(Some(declared)).read(value);
        assert_eq!(read("boolean", ValueRef::Integer(1)), SqlValue::Bool(true));
        assert_eq!(read("BOOLEAN", ValueRef::Integer(2)), SqlValue::Int(2));
        assert_eq!(read("timestamp", ValueRef::Text(b"1970-01-01T00:00:01Z")), SqlValue::Timestamp(1_000_000));
        assert_eq!(read("timestamp", ValueRef::Text(b"soon")), SqlValue::Text("soon".into()));
        assert_eq!(read("JSON", ValueRef::Text(b"{}")), SqlValue::Json("{}".into()));
        assert_eq!(read("TEXT", ValueRef::Text(b"{}")), SqlValue::Text("{}".into()));
        assert_eq!(read("TEXT", ValueRef::Text(&[0xff])), SqlValue::Blob(vec![0xff]));
        assert_eq!(DeclaredType::of(None), DeclaredType::Other);
    }
}
