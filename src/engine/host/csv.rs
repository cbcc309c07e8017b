//! The module `csv`: tables as text.

use csv::{ErrorKind, ReaderBuilder, StringRecord, Terminator, WriterBuilder};

use super::{
    Call, HostError, HostFunction, HostModule, HostResult, Options, Parameter, Type,
    text::{Writer, goes_on, plain},
};
use crate::engine::value::plain::{Key, Map, Value};

/// The module.
pub static MODULE: HostModule = HostModule {
    name: "csv",
    about: "Reads and writes tables of values that commas separate.",
    functions: &[
        HostFunction::pure(
            "parse",
            &[Parameter::new("text", Type::Text), OPTIONS],
            "array",
            "Reads a table: a map for each row, by the names of the first. Options: `headers` (`false`: the rows are arrays), `delimiter`.",
            parse,
        ),
        HostFunction::pure(
            "text",
            &[Parameter::new("rows", Type::Array), OPTIONS],
            "string",
            "Writes rows that are arrays, or maps. Options: `headers` (an array of the names, in order), `delimiter`.",
            text,
        ),
    ],
};

const OPTIONS: Parameter = Parameter::optional("options", Type::Map);
const NAMES: &[&str] = &["headers", "delimiter"];

fn delimiter(options: Options<'_>) -> Result<u8, HostError> {
    match options.text("delimiter")?.unwrap_or(",").as_bytes() {
        [byte] if byte.is_ascii() && !b"\"\r\n".contains(byte) => Ok(*byte),
        _ => Err("the option `delimiter` is one ASCII character, such as \";\" or \"\\t\"".into()),
    }
}

fn parse(call: &mut Call<'_>) -> HostResult {
    let options = call.options(1, NAMES)?;
    let (has_headers, delimiter) = (options.flag("headers")?.unwrap_or(true), delimiter(options)?);
    let text = call.text(0);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = ReaderBuilder::new().has_headers(false).delimiter(delimiter).from_reader(text.as_bytes());
    let (mut record, mut rows) = (StringRecord::new(), Vec::new());
    let headers = if has_headers { read(&mut reader, &mut record)?.then(|| headers(&record)).transpose()? } else { None };
    while read(&mut reader, &mut record)? {
        rows.push(match &headers {
            Some(headers) => row_map(headers, &record)?,
            None => row_array(&record)?,
        });
        goes_on()?;
    }
    Ok(rows.into())
}

fn read(reader: &mut csv::Reader<&[u8]>, record: &mut StringRecord) -> Result<bool, HostError> {
    reader.read_record(record).map_err(|why| match why.kind() {
        ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            format!("the row at line {line} has {len} values, and the rows before have {expected_len}").into()
        }
        _ => why.to_string().into(),
    })
}

fn headers(record: &StringRecord) -> Result<Vec<Key>, HostError> {
    let mut seen = Map::new();
    let mut names = Vec::new();
    for name in record {
        if seen.insert(name.into(), Value::Unit).is_some() {
            return Err(format!("the first row names `{name}` twice; with `#{{ headers: false }}` the rows are arrays").into());
        }
        names.push(name.into());
        goes_on()?;
    }
    Ok(names)
}

fn row_map(headers: &[Key], record: &StringRecord) -> HostResult {
    let mut row = Map::new();
    for (name, value) in headers.iter().zip(record) {
        row.insert(name.clone(), value.into());
        goes_on()?;
    }
    Ok(row.into())
}

fn row_array(record: &StringRecord) -> HostResult {
    let mut row: Vec<Value> = Vec::new();
    for value in record {
        row.push(value.into());
        goes_on()?;
    }
    Ok(row.into())
}

fn text(call: &mut Call<'_>) -> HostResult {
    let options = call.options(1, NAMES)?;
    let delimiter = delimiter(options)?;
    let Value::Array(rows) = call.argument(0) else { return Ok("".into()) };
    let names = match (options.get("headers"), rows.first()) {
        (Some(Value::Array(names)), _) => {
            Some(names.iter().map(|name| Ok(plain(name)?.into_owned())).collect::<Result<Vec<_>, HostError>>()?)
        }
        (Some(other), _) => return Err(format!("the option `headers` is an array, not {}", other.type_word()).into()),
        (None, Some(Value::Map(first))) => Some(first.keys().map(ToString::to_string).collect()),
        _ => None,
    };
    let mut writer = WriterBuilder::new().delimiter(delimiter).terminator(Terminator::CRLF).from_writer(Writer::default());
    if let Some(names) = &names {
        writer.write_record(names).map_err(unwritten)?;
    }
    for row in rows {
        let cells = match (row, &names) {
            (Value::Array(cells), _) => cells.iter().map(plain).collect::<Result<Vec<_>, _>>()?,
            (Value::Map(row), Some(names)) => {
                names.iter().map(|name| row.get(name.as_str()).map_or(Ok("".into()), plain)).collect::<Result<Vec<_>, _>>()?
            }
            (other, _) => return Err(format!("the rows are arrays, or all are maps; one is {}", other.type_word()).into()),
        };
        writer.write_record(cells.iter().map(|cell| cell.as_bytes())).map_err(unwritten)?;
        goes_on()?;
    }
    let written = writer.into_inner().map_err(|_| HostError::Stopped)?;
    Ok(written.text()?.into())
}

fn unwritten(why: csv::Error) -> HostError {
    match why.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("a row has {len} values, and those before have {expected_len}").into()
        }
        // Only the memory of the run ends the writing.
        _ => HostError::Stopped,
    }
}
