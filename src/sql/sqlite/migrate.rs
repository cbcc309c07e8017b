//! Applies migrations to a file of SQLite.

use rusqlite::{Batch, fallible_iterator::FallibleIterator as _};

use super::{
    connection::Connection,
    error::explained,
    lease::{Stop, timed_out},
    transaction::{begin, commit, roll_back},
};
use crate::{
    capability::sql::{SqlError, SqlErrorKind},
    function::FilePath,
    sql::{
        migrations::{APPLIED, CREATE_TABLE, Failure, Migration, MigrationRecord, RECORD, failure, pending},
        text::after_comments,
    },
};

/// Applies the migrations that are pending, each in a transaction of its own. Another process waits meanwhile.
pub fn migrate(connection: &Connection, migrations: &[Migration], stop: &Stop) -> Result<Vec<FilePath>, Failure> {
    let mut done = Vec::new();
    loop {
        begin(connection, stop).map_err(Failure::Unavailable)?;
        match next(connection, migrations) {
            Ok(Some(migration)) => {
                commit(connection, stop).map_err(|error| failure(migration, 0, error))?;
                done.push(migration.path.clone());
            }
            Ok(None) => {
                commit(connection, stop).map_err(Failure::Unavailable)?;
                return Ok(done);
            }
            Err(error) => {
                roll_back(connection);
                return Err(error);
            }
        }
    }
}

/// Applies the next migration inside a transaction, if one is pending.
fn next<'m>(connection: &Connection, migrations: &'m [Migration]) -> Result<Option<&'m Migration>, Failure> {
    let sqlite = &connection.sqlite;
    let own = |error: rusqlite::Error| Failure::Unavailable(explained(&error, "", &connection.guard));
    connection.guard.open(|| sqlite.execute_batch(CREATE_TABLE)).map_err(own)?;
    let applied = applied(sqlite).map_err(own)?;
    let Some(migration) = pending(migrations, &applied)?.first().copied() else { return Ok(None) };
    run(connection, migration)?;
    let row = (migration.number, migration.name(), migration.checksum());
    connection.guard.open(|| sqlite.execute(RECORD, row)).map_err(own)?;
    Ok(Some(migration))
}

/// Compares migrations with those that were applied.
pub fn compare(connection: &Connection, migrations: &[Migration]) -> Result<(), Failure> {
    // Without the table none was.
    let applied = applied(&connection.sqlite).unwrap_or_default();
    pending(migrations, &applied).map(drop)
}

fn applied(sqlite: &rusqlite::Connection) -> rusqlite::Result<Vec<MigrationRecord>> {
    let mut statement = sqlite.prepare(APPLIED)?;
    let rows = statement.query_map([], |row| Ok(MigrationRecord { number: row.get(0)?, checksum: row.get(1)? }))?;
    rows.collect()
}

/// Runs the statements of a migration.
pub fn run(connection: &Connection, migration: &Migration) -> Result<(), Failure> {
    let text = migration.text.as_str();
    let (mut begin, mut statements) = (0, Batch::new(&connection.sqlite, text));
    loop {
        let failed = |error: rusqlite::Error| {
            // An error tells its place in what was left of the text, or none.
            let at = match &error {
                rusqlite::Error::SqlInputError { sql, .. } => text.len().saturating_sub(sql.len()),
                _ => text.len() - after_comments(text.get(begin..).unwrap_or_default()).len(),
            };
            failure(migration, at, explained(&error, text.get(at..).unwrap_or_default(), &connection.guard))
        };
        let Some(mut statement) = statements.next().map_err(failed)? else { return Ok(()) };
        let own = statement.expanded_sql().unwrap_or_default();
        let at = begin + (own.len() - after_comments(&own).len());
        if statement.parameter_count() > 0 {
            let error = SqlError::new(SqlErrorKind::Statement, "a migration has no parameters").code("42601");
            return Err(failure(migration, at, error));
        }
        let mut rows = statement.raw_query();
        loop {
            match rows.next() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == rusqlite::ErrorCode::OperationInterrupted => {
                    return Err(Failure::Unavailable(timed_out()));
                }
                Err(error) => return Err(failure(migration, at, explained(&error, text, &connection.guard))),
            }
        }
        begin += own.len();
    }
}
