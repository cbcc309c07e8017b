//! Writes the values of parameters in the form of the type that the server expects.

use sqlx::{
    Either, Encode, Postgres, Statement as _, Type, TypeInfo as _,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgArguments, PgStatement, PgTypeInfo},
};
use uuid::Uuid;

use super::{
    column::{EPOCH_DAYS, EPOCH_US},
    form::Form,
    numeric,
};
use crate::{
    capability::sql::{SqlError, SqlErrorKind, SqlValue},
    sql::{json, moment},
};

/// Writes the values for a statement that the server has prepared.
pub fn arguments(statement: &PgStatement, values: &[SqlValue]) -> Result<PgArguments, SqlError> {
    let types = match statement.parameters() {
        Some(Either::Left(types)) => types,
        _ => &[],
    };
    if types.len() != values.len() {
        let message = format!("the statement has {} parameters, and {} values are given", types.len(), values.len());
        return Err(wrong(message));
    }
    let mut arguments = PgArguments::default();
    for (index, (info, value)) in types.iter().zip(values).enumerate() {
        let number = index + 1;
        let bytes = match value {
            SqlValue::Null => None,
            value => Some(encoded(number, info, value)?),
        };
        let written = EncodedParameter { bytes, info: info.clone() };
        sqlx::Arguments::add(&mut arguments, written).map_err(|_| wrong(format!("parameter {number} is too large")))?;
    }
    Ok(arguments)
}

fn wrong(message: String) -> SqlError {
    SqlError::new(SqlErrorKind::Statement, message).code("22023")
}

fn encoded(number: usize, info: &PgTypeInfo, value: &SqlValue) -> Result<Vec<u8>, SqlError> {
    let name = info.name().to_lowercase();
    let Some(form) = Form::of(info) else {
        let message = format!("parameter {number} has the type `{name}`, which has no form here");
        return Err(wrong(message).hint(format!("give it as text: `CAST(CAST(${number} AS text) AS {name})`")));
    };
    encode(&form, value).ok_or_else(|| wrong(format!("parameter {number} is {}, which is no value of the type `{name}`", value.kind())))
}

/// Writes a value. None: the type has no such value.
fn encode(form: &Form, value: &SqlValue) -> Option<Vec<u8>> {
    Some(match form {
        Form::Bool => vec![u8::from(boolean(value)?)],
        Form::Int2 => i16::try_from(whole(value)?).ok()?.to_be_bytes().into(),
        Form::Int4 => i32::try_from(whole(value)?).ok()?.to_be_bytes().into(),
        Form::Int8 => whole(value)?.to_be_bytes().into(),
        Form::Oid => u32::try_from(whole(value)?).ok()?.to_be_bytes().into(),
        Form::Float4 => (number(value)? as f32).to_be_bytes().into(),
        Form::Float8 => number(value)?.to_be_bytes().into(),
        Form::Numeric => numeric::write(&digits(value)?)?,
        Form::Text => text(value)?.into_bytes(),
        Form::Bytes => match value {
            SqlValue::Blob(bytes) => bytes.clone(),
            SqlValue::Text(text) => text.clone().into_bytes(),
            _ => return None,
        },
        Form::Json => json::write(value)?.into_bytes(),
        Form::Jsonb => [&[1], json::write(value)?.as_bytes()].concat(),
        Form::Uuid => match value {
            SqlValue::Uuid(uuid) => uuid.as_bytes().to_vec(),
            SqlValue::Text(text) => text.parse::<Uuid>().ok()?.as_bytes().to_vec(),
            _ => return None,
        },
        Form::Date => i32::try_from(time_us(value)?.div_euclid(moment::DAY_US) - EPOCH_DAYS).ok()?.to_be_bytes().into(),
        Form::Time => match value {
            SqlValue::Text(text) => moment::read_time(text)?.to_be_bytes().into(),
            _ => return None,
        },
        Form::Timestamp | Form::TimestampTz => time_us(value)?.checked_sub(EPOCH_US)?.to_be_bytes().into(),
        // EncodedParameter as text, it would be a language of its own.
        Form::Interval | Form::Void => return None,
        Form::Array(element, oid) => match value {
            SqlValue::Array(values) => array(element, oid.0, values)?,
            _ => return None,
        },
    })
}

fn boolean(value: &SqlValue) -> Option<bool> {
    match value {
        SqlValue::Bool(value) => Some(*value),
        SqlValue::Text(text) => text.parse().ok(),
        _ => None,
    }
}

fn whole(value: &SqlValue) -> Option<i64> {
    match value {
        SqlValue::Int(number) => Some(*number),
        SqlValue::Text(text) | SqlValue::Numeric(text) => text.parse().ok(),
        _ => None,
    }
}

fn number(value: &SqlValue) -> Option<f64> {
    match value {
        SqlValue::Float(number) => Some(*number),
        SqlValue::Int(number) => Some(*number as f64),
        SqlValue::Text(text) | SqlValue::Numeric(text) => text.parse().ok(),
        _ => None,
    }
}

fn digits(value: &SqlValue) -> Option<String> {
    match value {
        SqlValue::Int(number) => Some(number.to_string()),
        SqlValue::Float(number) if number.is_nan() => Some("NaN".into()),
        SqlValue::Float(number) if number.is_infinite() => Some(if *number > 0.0 { "Infinity" } else { "-Infinity" }.into()),
        SqlValue::Float(number) => Some(number.to_string()),
        SqlValue::Text(text) | SqlValue::Numeric(text) => Some(text.clone()),
        _ => None,
    }
}

fn text(value: &SqlValue) -> Option<String> {
    Some(match value {
        SqlValue::Text(text) | SqlValue::Json(text) | SqlValue::Numeric(text) => text.clone(),
        SqlValue::Int(number) => number.to_string(),
        SqlValue::Float(number) => number.to_string(),
        SqlValue::Bool(value) => value.to_string(),
        SqlValue::Uuid(uuid) => uuid.to_string(),
        SqlValue::Timestamp(time_us) => moment::write(*time_us)?,
        SqlValue::Null | SqlValue::Blob(_) | SqlValue::Array(_) => return None,
    })
}

fn time_us(value: &SqlValue) -> Option<i64> {
    match value {
        SqlValue::Timestamp(time_us) => Some(*time_us),
        SqlValue::Text(text) => moment::read(text),
        _ => None,
    }
}

/// Writes an array of one dimension.
fn array(element: &Form, oid: u32, values: &[SqlValue]) -> Option<Vec<u8>> {
    let has_null = i32::from(values.contains(&SqlValue::Null));
    let length = i32::try_from(values.len()).ok()?;
    let head = if values.is_empty() { vec![0, 0, oid as i32] } else { vec![1, has_null, oid as i32, length, 1] };
    let mut bytes: Vec<u8> = head.into_iter().flat_map(i32::to_be_bytes).collect();
    for value in values {
        match value {
            SqlValue::Null => bytes.extend((-1_i32).to_be_bytes()),
            value => {
                let written = encode(element, value)?;
                bytes.extend(i32::try_from(written.len()).ok()?.to_be_bytes());
                bytes.extend(written);
            }
        }
    }
    Some(bytes)
}

/// A value in the form of its type. None is NULL.
struct EncodedParameter {
    bytes: Option<Vec<u8>>,
    info: PgTypeInfo,
}

impl Encode<'_, Postgres> for EncodedParameter {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        match &self.bytes {
            None => Ok(IsNull::Yes),
            Some(bytes) => {
                buffer.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
        }
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(self.info.clone())
    }
}

impl Type<Postgres> for EncodedParameter {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("text")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_written_only_where_the_type_has_it() {
        let text = |text: &str| SqlValue::Text(text.into());
        for (form, value) in [
            (Form::Int2, SqlValue::Int(32_767)),
            (Form::Int8, text("-5")),
            (Form::Bool, text("true")),
            (Form::Numeric, SqlValue::Float(0.1)),
            (Form::Uuid, text("67e55044-10b1-426f-9247-bb680e5fe0c8")),
            (Form::TimestampTz, text("2026-11-23T09:04:05Z")),
            (Form::Date, text("2026-11-23")),
            (Form::Jsonb, SqlValue::Array(vec![SqlValue::Int(1)])),
            (Form::Text, SqlValue::Int(5)),
        ] {
            assert!(encode(&form, &value).is_some(), "{form:?} {value:?}");
        }
        for (form, value) in [
            (Form::Int2, SqlValue::Int(32_768)),
            (Form::Int8, text("5.5")),
            (Form::Int8, SqlValue::Float(5.0)),
            (Form::Bool, SqlValue::Int(1)),
            (Form::Uuid, text("x")),
            (Form::Date, text("tomorrow")),
            (Form::Text, SqlValue::Blob(vec![1])),
            (Form::Bytes, SqlValue::Int(1)),
            (Form::Interval, text("1 day")),
        ] {
            assert!(encode(&form, &value).is_none(), "{form:?} {value:?}");
        }
    }
}
