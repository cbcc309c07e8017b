//! Reads values from the binary protocol.

use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _, postgres::PgColumn, postgres::PgRow};
use uuid::Uuid;

use super::{form::Form, numeric};
use crate::{
    capability::sql::{SqlError, SqlErrorKind, SqlValue},
    sql::{
        answer::Answer,
        moment::{self, DAY_US},
    },
};

/// Days and microseconds from 1970 to 2000, where Postgres counts from.
pub const EPOCH_DAYS: i64 = 10_957;
pub const EPOCH_US: i64 = EPOCH_DAYS * DAY_US;

/// Most dimensions of an array on Postgres.
const MOST_DIMENSIONS: usize = 6;

/// Returns the forms of the columns of an answer, or what to write about the first that has none.
pub fn forms(columns: &[PgColumn]) -> Result<Vec<Form>, SqlError> {
    let form = |column: &PgColumn| {
        Form::of(column.type_info()).ok_or_else(|| {
            let (name, kind) = (column.name(), column.type_info().name().to_lowercase());
            SqlError::new(SqlErrorKind::Statement, format!("the column `{name}` has the type `{kind}`, which has no form here"))
                .code("0A000")
                .hint(format!("read it as text: `CAST({name} AS text)`"))
        })
    };
    columns.iter().map(form).collect()
}

/// Adds a row to the answer.
pub fn read(row: &PgRow, forms: &[Form], answer: &mut Answer) -> Result<(), SqlError> {
    answer.begin_row()?;
    for (index, form) in forms.iter().enumerate() {
        let value = row.try_get_raw(index).map_err(|error| unreadable(&error.to_string()))?;
        if value.is_null() {
            answer.reserve(0)?;
            answer.push(SqlValue::Null);
            continue;
        }
        let bytes = value.as_bytes().map_err(|error| unreadable(&error.to_string()))?;
        answer.reserve(content_bytes(form, bytes.len()))?;
        let value = decode(form, bytes).ok_or_else(|| {
            let name = row.columns().get(index).map_or("?", |column| column.name());
            unreadable(&format!("the column `{name}` holds a value outside of what can be shown; read it as text: `CAST({name} AS text)`"))
        })?;
        answer.push(value);
    }
    Ok(())
}

/// Returns how much a value may take beside itself, for so many bytes on the wire.
fn content_bytes(form: &Form, bytes: usize) -> usize {
    match form {
        Form::Text | Form::Bytes | Form::Json | Form::Jsonb => bytes,
        // Two bytes are four digits. A digit behind the point may take no byte: at most 16,383 of them do.
        Form::Numeric => bytes * 2 + 16,
        // At least four bytes are an element.
        Form::Array(..) => bytes + bytes / 4 * size_of::<SqlValue>(),
        _ => 32,
    }
}

fn unreadable(why: &str) -> SqlError {
    SqlError::new(SqlErrorKind::Statement, format!("the answer cannot be read: {why}"))
}

/// Reads one value. None: it is not whole, or outside of what can be shown.
fn decode(form: &Form, bytes: &[u8]) -> Option<SqlValue> {
    Some(match form {
        Form::Bool => SqlValue::Bool(*bytes.first()? != 0),
        Form::Int2 => SqlValue::Int(i16::from_be_bytes(bytes.try_into().ok()?).into()),
        Form::Int4 => SqlValue::Int(i32::from_be_bytes(bytes.try_into().ok()?).into()),
        Form::Int8 => SqlValue::Int(int8(bytes)?),
        Form::Oid => SqlValue::Int(u32::from_be_bytes(bytes.try_into().ok()?).into()),
        Form::Float4 => SqlValue::Float(shortest(f32::from_be_bytes(bytes.try_into().ok()?))),
        Form::Float8 => SqlValue::Float(f64::from_be_bytes(bytes.try_into().ok()?)),
        Form::Numeric => SqlValue::Numeric(numeric::read(bytes)?),
        Form::Text => SqlValue::Text(text(bytes)?),
        Form::Bytes => SqlValue::Blob(bytes.to_vec()),
        Form::Json => SqlValue::Json(text(bytes)?),
        // A version stands before the text.
        Form::Jsonb => SqlValue::Json(text(bytes.strip_prefix(&[1])?)?),
        Form::Uuid => SqlValue::Uuid(Uuid::from_slice(bytes).ok()?),
        Form::Void => SqlValue::Null,
        Form::Date => SqlValue::Text(date(i32::from_be_bytes(bytes.try_into().ok()?))?),
        Form::Time => SqlValue::Text(moment::write_time(int8(bytes)?)?),
        Form::Timestamp | Form::TimestampTz => timestamp(int8(bytes)?)?,
        Form::Interval => SqlValue::Text(interval(bytes)?),
        Form::Array(element, _) => array(element, bytes)?,
    })
}

fn int8(bytes: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(bytes.try_into().ok()?))
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

/// Returns the number that is written as the shorter one is, not the binary neighbour: 0.1 stays 0.1.
fn shortest(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(number.into())
}

fn date(days: i32) -> Option<String> {
    match days {
        i32::MAX => Some("infinity".into()),
        i32::MIN => Some("-infinity".into()),
        days => moment::write_date(i64::from(days) + EPOCH_DAYS),
    }
}

fn timestamp(time_us: i64) -> Option<SqlValue> {
    Some(match time_us {
        i64::MAX => SqlValue::Text("infinity".into()),
        i64::MIN => SqlValue::Text("-infinity".into()),
        time_us => SqlValue::Timestamp(time_us.checked_add(EPOCH_US).filter(|time_us| moment::is_known(*time_us))?),
    })
}

/// Writes an interval as ISO 8601 does: `P1Y2M3DT4H5M6.5S`.
fn interval(bytes: &[u8]) -> Option<String> {
    let time_us = int8(bytes.get(..8)?)?;
    let days = i32::from_be_bytes(bytes.get(8..12)?.try_into().ok()?);
    let months = i32::from_be_bytes(bytes.get(12..16)?.try_into().ok()?);
    let (hours, minutes, rest_us) = (time_us / 3_600_000_000, time_us / 60_000_000 % 60, time_us % 60_000_000);
    let part = |amount: i64, unit: &str| if amount == 0 { String::new() } else { format!("{amount}{unit}") };
    let seconds = match (rest_us / 1_000_000, (rest_us % 1_000_000).unsigned_abs()) {
        (_, 0) => part(rest_us / 1_000_000, "S"),
        (whole, us) => {
            let sign = if rest_us < 0 && whole == 0 { "-" } else { "" };
            format!("{sign}{whole}.{}S", format!("{us:06}").trim_end_matches('0'))
        }
    };
    let date = [part((months / 12).into(), "Y"), part((months % 12).into(), "M"), part(days.into(), "D")].concat();
    let time = [part(hours, "H"), part(minutes, "M"), seconds].concat();
    Some(match (date.is_empty(), time.is_empty()) {
        (true, true) => "PT0S".into(),
        (_, true) => format!("P{date}"),
        _ => format!("P{date}T{time}"),
    })
}

/// Reads an array: count of dimensions, flags, type, length and first index of each dimension, then the elements with their lengths.
fn array(element: &Form, bytes: &[u8]) -> Option<SqlValue> {
    let mut words = Words(bytes);
    let dimensions = usize::try_from(words.next()?).ok().filter(|count| *count <= MOST_DIMENSIONS)?;
    words.next()?;
    words.next()?;
    let mut lengths = Vec::new();
    for _ in 0..dimensions {
        lengths.push(usize::try_from(words.next()?).ok()?);
        words.next()?;
    }
    if lengths.is_empty() {
        return Some(SqlValue::Array(Vec::new()));
    }
    elements(element, &lengths, &mut words)
}

fn elements(form: &Form, lengths: &[usize], words: &mut Words<'_>) -> Option<SqlValue> {
    let Some((length, inner)) = lengths.split_first() else { return words.element(form) };
    (0..*length).map(|_| elements(form, inner, words)).collect::<Option<_>>().map(SqlValue::Array)
}

/// What is left of an array.
struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn next(&mut self) -> Option<i32> {
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(i32::from_be_bytes(*word))
    }

    fn element(&mut self, form: &Form) -> Option<SqlValue> {
        let length = self.next()?;
        let Ok(length) = usize::try_from(length) else { return Some(SqlValue::Null) };
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        decode(form, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_written_as_iso_8601_says() {
        let write = |time_us: i64, days: i32, months: i32| {
            interval(&[&time_us.to_be_bytes()[..], &days.to_be_bytes(), &months.to_be_bytes()].concat()).unwrap()
        };
        assert_eq!(write(0, 0, 0), "PT0S");
        assert_eq!(write(4 * 3_600_000_000 + 5 * 60_000_000 + 6_500_000, 3, 14), "P1Y2M3DT4H5M6.5S");
        assert_eq!(write(-500_000, -1, 0), "P-1DT-0.5S");
    }

    #[test]
    fn a_value_that_is_not_whole_is_none() {
        for form in
            [Form::Bool, Form::Int4, Form::Timestamp, Form::Numeric, Form::Jsonb, Form::Array(Box::new(Form::Int4), Default::default())]
        {
            assert_eq!(decode(&form, &[]), None, "{form:?}");
        }
        assert_eq!(decode(&Form::Text, &[0xff]), None);
        // A million elements are announced, and none is there.
        let lie = [1_i32, 0, 23, 1_000_000, 1].map(i32::to_be_bytes).concat();
        assert_eq!(decode(&Form::Array(Box::new(Form::Int4), Default::default()), &lie), None);
    }
}
