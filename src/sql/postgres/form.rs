//! The types of Postgres that have a form here. Others are read and written as text, by a `CAST` in the statement.

use sqlx::postgres::{PgTypeInfo, PgTypeKind, types::Oid};

/// How a type writes its values in the binary protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Numeric,
    /// Its bytes are its text: `text`, `varchar`, `name`, enumerations, and others.
    Text,
    Bytes,
    Date,
    Time,
    /// Without a zone.
    Timestamp,
    TimestampTz,
    Interval,
    Uuid,
    Json,
    Jsonb,
    /// The answer of a function without one.
    Void,
    /// Values of one form, and the number of their type.
    Array(Box<Form>, Oid),
}

impl Form {
    /// Returns the form of a type, if it has one.
    pub fn of(info: &PgTypeInfo) -> Option<Self> {
        match info.kind() {
            PgTypeKind::Enum(_) => return Some(Self::Text),
            PgTypeKind::Domain(base) => return Self::of(base),
            PgTypeKind::Array(element) => return Some(Self::Array(Box::new(Self::of(element)?), element.oid()?)),
            _ => {}
        }
        // The numbers are fixed: `src/include/catalog/pg_type.dat` of Postgres.
        Some(match info.oid().map(|Oid(oid)| oid) {
            Some(16) => Self::Bool,
            Some(17) => Self::Bytes,
            Some(18 | 19 | 25 | 142 | 705 | 1042 | 1043) => Self::Text,
            Some(20) => Self::Int8,
            Some(21) => Self::Int2,
            Some(23) => Self::Int4,
            Some(26) => Self::Oid,
            Some(114) => Self::Json,
            Some(700) => Self::Float4,
            Some(701) => Self::Float8,
            Some(1082) => Self::Date,
            Some(1083) => Self::Time,
            Some(1114) => Self::Timestamp,
            Some(1184) => Self::TimestampTz,
            Some(1186) => Self::Interval,
            Some(1700) => Self::Numeric,
            Some(2278) => Self::Void,
            Some(2950) => Self::Uuid,
            Some(3802) => Self::Jsonb,
            // An extension's type has another number in each database.
            _ if sqlx::TypeInfo::name(info).eq_ignore_ascii_case("citext") => Self::Text,
            _ => return None,
        })
    }
}
