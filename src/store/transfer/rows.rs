//! A row of any table as plain values, and as a line of text that is the same whichever database it comes from.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::hex::Hex;

/// The kind of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Whole numbers of up to 64 bits.
    Integer,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The kind of its values.
    pub kind: Kind,
}

/// A table, as its schema has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSchema {
    /// Its name.
    pub name: String,
    /// Its columns in order.
    pub columns: Vec<Column>,
    /// The columns of its primary key in order.
    pub key: Vec<String>,
}

impl TableSchema {
    /// Returns the kind of a column.
    pub(super) fn kind_of(&self, name: &str) -> Option<Kind> {
        self.columns.iter().find(|column| column.name == name).map(|column| column.kind)
    }
}

/// The value of one column in one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A number.
    Integer(i64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A value for each column of a table.
pub type Row = Vec<Value>;

/// Writes a row as one line: a JSON array, with bytes in base 64.
pub fn write_line(row: &[Value], line: &mut Vec<u8>) {
    let json = |value: &Value| match value {
        Value::Null => serde_json::Value::Null,
        Value::Integer(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Bytes(bytes) => STANDARD.encode(bytes).into(),
    };
    let row: Vec<serde_json::Value> = row.iter().map(json).collect();
    serde_json::to_writer(&mut *line, &row).expect("numbers and texts always are JSON, and memory takes every write");
    line.push(b'\n');
}

/// Reads a line of a table. An error names the column.
pub fn parse_line(table: &TableSchema, line: &[u8]) -> Result<Row, String> {
    let values: Vec<serde_json::Value> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if values.len() != table.columns.len() {
        return Err(format!("{} values for {} columns", values.len(), table.columns.len()));
    }
    let value = |(column, value): (&Column, serde_json::Value)| {
        let parsed = match (column.kind, value) {
            (_, serde_json::Value::Null) => Some(Value::Null),
            (Kind::Integer, serde_json::Value::Number(number)) => number.as_i64().map(Value::Integer),
            (Kind::Text, serde_json::Value::String(text)) => Some(Value::Text(text)),
            (Kind::Bytes, serde_json::Value::String(text)) => STANDARD.decode(text).ok().map(Value::Bytes),
            _ => None,
        };
        parsed.ok_or_else(|| format!("`{}` holds something else than {:?}", column.name, column.kind).to_lowercase())
    };
    table.columns.iter().zip(values).map(value).collect()
}

/// The number of rows, and the SHA-256 of their lines. Equal tables have equal sums.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// The number of rows.
    pub rows: u64,
    /// Hexadecimal digits.
    pub sha256: String,
}

/// Adds up lines.
#[derive(Debug, Default)]
pub struct Tally {
    rows: u64,
    hash: Sha256,
}

impl Tally {
    /// Adds a line.
    pub fn add(&mut self, line: &[u8]) {
        self.rows += 1;
        self.hash.update(line);
    }

    /// Returns the sum of all lines.
    pub fn sum(self) -> Sum {
        Sum { rows: self.rows, sha256: Hex(&self.hash.finalize()).to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> TableSchema {
        let column = |(name, kind): (&str, Kind)| Column { name: name.into(), kind };
        let columns = [("id", Kind::Integer), ("note", Kind::Text), ("bytes", Kind::Bytes)].map(column);
        TableSchema { name: "t".into(), columns: columns.into(), key: vec!["id".into()] }
    }

    #[test]
    fn a_row_reads_back_as_it_was() {
        for row in [
            vec![Value::Integer(i64::MIN), Value::Text("a\n\"\u{0}ä\u{2028}".into()), Value::Bytes(vec![0, 10, 255])],
            vec![Value::Integer(i64::MAX), Value::Text(String::new()), Value::Bytes(Vec::new())],
            vec![Value::Null, Value::Null, Value::Null],
        ] {
            let mut line = Vec::new();
            write_line(&row, &mut line);
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            assert_eq!(parse_line(&table(), &line).unwrap(), row);
        }
    }

    #[test]
    fn what_is_no_row_says_why() {
        for (line, why) in [
            ("[1,\"a\"]", "2 values for 3 columns"),
            ("[1,2,\"\"]", "`note` holds something else than text"),
            ("[1.5,\"a\",\"\"]", "`id` holds something else than integer"),
            ("[9223372036854775808,\"a\",\"\"]", "`id` holds something else than integer"),
            ("[1,\"a\",\"?\"]", "`bytes` holds something else than bytes"),
            ("[1,\"a\"", "EOF while parsing a list at line 1 column 6"),
            ("{}", "invalid type: map, expected a sequence at line 1 column 0"),
        ] {
            assert_eq!(parse_line(&table(), line.as_bytes()).unwrap_err(), why, "{line}");
        }
    }
}
