//! Runs one statement on a connection.

use rusqlite::{Batch, CachedStatement, fallible_iterator::FallibleIterator as _};

use super::{
    connection::Connection,
    error::explained,
    value::{DeclaredType, content_bytes, stored},
};
use crate::{
    capability::sql::{Rows, SqlError, SqlErrorKind, Statement},
    sql::answer::Answer,
};

/// Who runs a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A connection that only reads.
    Read,
    /// The connection that writes.
    Write,
}

/// Runs a statement. None: it writes, and this connection only reads.
pub fn run(connection: &Connection, statement: &Statement, access: Access, mut answer: Answer) -> Result<Option<Rows>, SqlError> {
    let failed = |error: rusqlite::Error| explained(&error, &statement.text, &connection.guard);
    let mut prepared = prepare(&connection.sqlite, &statement.text).map_err(failed)?;
    if access == Access::Read && !prepared.readonly() {
        return Ok(None);
    }
    bind(&mut prepared, statement).map_err(|error| error.unwrap_or_else(failed))?;
    let changes = connection.sqlite.total_changes();
    let is_reading = prepared.readonly();
    // The first step prepares the statement anew if tables have changed. Its columns are known afterwards.
    let mut declared = None;
    let mut rows = prepared.raw_query();
    while let Some(row) = rows.next().map_err(failed)? {
        let columns = match &declared {
            Some(columns) => columns,
            None => declared.insert(columns(row.as_ref(), &mut answer)?),
        };
        answer.begin_row()?;
        for (index, declared) in columns.iter().enumerate() {
            let value = row.get_ref(index).map_err(failed)?;
            answer.reserve(content_bytes(value))?;
            answer.push(declared.read(value));
        }
        if is_reading {
            answer.affected(1);
        }
    }
    drop(rows);
    if declared.is_none() {
        columns(&prepared, &mut answer)?;
    }
    // A change of tables does not count rows, and leaves the number of the statement before.
    if connection.sqlite.total_changes() > changes {
        answer.affected(connection.sqlite.changes());
    }
    Ok(Some(answer.done()))
}

/// Tells the answer the names of the columns, and returns what they are declared to hold.
fn columns(statement: &rusqlite::Statement<'_>, answer: &mut Answer) -> Result<Vec<DeclaredType>, SqlError> {
    let columns = statement.columns();
    answer.columns(columns.iter().map(|column| column.name().to_owned()).collect())?;
    Ok(columns.iter().map(|column| DeclaredType::of(column.decl_type())).collect())
}

/// Prepares a text that is one statement. SQLite would take the first of several and leave the rest.
pub fn prepare<'c>(sqlite: &'c rusqlite::Connection, text: &str) -> rusqlite::Result<CachedStatement<'c>> {
    // Only with a semicolon inside there may be a second one. Texts and triggers have some, too.
    if text.trim_end().trim_end_matches(';').contains(';') {
        let mut statements = Batch::new(sqlite, text);
        statements.next()?;
        if statements.next()?.is_some() {
            return Err(rusqlite::Error::MultipleStatement);
        }
    }
    sqlite.prepare_cached(text)
}

/// An error that is told, or one of SQLite.
enum BindError {
    Told(Box<SqlError>),
    Sqlite(rusqlite::Error),
}

impl BindError {
    fn unwrap_or_else(self, explain: impl FnOnce(rusqlite::Error) -> SqlError) -> SqlError {
        match self {
            Self::Told(error) => *error,
            Self::Sqlite(error) => explain(error),
        }
    }
}

fn wrong(message: String) -> BindError {
    BindError::Told(Box::new(SqlError::new(SqlErrorKind::Statement, message).code("22023")))
}

/// Gives the placeholders their values: `$1` is the first, as on Postgres; so are `?1` and the first `?`.
fn bind(prepared: &mut CachedStatement<'_>, statement: &Statement) -> Result<(), BindError> {
    let values = &statement.parameters;
    let numbers =
        (1..=prepared.parameter_count()).map(|index| number(prepared.parameter_name(index), index)).collect::<Result<Vec<_>, _>>()?;
    let expected = numbers.iter().copied().max().unwrap_or(0);
    if expected != values.len() {
        return Err(wrong(format!("the statement has {expected} parameters, and {} values are given", values.len())));
    }
    for (index, number) in numbers.into_iter().enumerate() {
        let Some(value) = values.get(number - 1) else { continue };
        let stored = stored(value).ok_or_else(|| wrong(format!("parameter {number} is {} that SQLite cannot store", value.kind())))?;
        prepared.raw_bind_parameter(index + 1, stored).map_err(BindError::Sqlite)?;
    }
    Ok(())
}

/// Returns which value a placeholder stands for, counted from 1.
fn number(name: Option<&str>, index: usize) -> Result<usize, BindError> {
    let Some(name) = name else { return Ok(index) };
    name[1..]
        .parse()
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| wrong(format!("the placeholder `{name}` has no number; write `$1` for the first value")))
}
