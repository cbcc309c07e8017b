//! Migrations: files `_sql/NAME/0001_first.sql` of the source that change the tables of a database, each once and in order.

mod files;
mod split;

use std::time::Duration;

pub use self::{
    files::{Migration, of_tree},
    split::split,
};
use crate::{
    capability::sql::SqlError,
    function::{Diagnostic, Position},
};

/// The table in each database that says which migrations were applied.
pub const TABLE: &str = "_picloud_migrations";

/// Makes that table. The text is the same for both databases.
pub const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS _picloud_migrations (number BIGINT PRIMARY KEY, name TEXT NOT NULL, \
                                checksum TEXT NOT NULL, applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)";
/// Reads it.
pub const APPLIED: &str = "SELECT number, checksum FROM _picloud_migrations ORDER BY number";
/// Adds a migration to it.
pub const RECORD: &str = "INSERT INTO _picloud_migrations (number, name, checksum) VALUES ($1, $2, $3)";

/// The longest that the migrations of one database may take. A large table takes minutes.
pub const LIMIT: Duration = Duration::from_secs(600);

/// Whether changes are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything is undone: it is only to be known whether it would work.
    Try,
    /// One transaction a file is kept.
    Apply,
}

/// Why migrations were not applied.
#[derive(Debug)]
pub enum Failure {
    /// A migration is wrong.
    Wrong(Box<Diagnostic>),
    /// The database does not answer, or its tables are in use.
    Unavailable(SqlError),
}

/// A migration that a database has applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationRecord {
    /// Its number.
    pub number: i64,
    /// The digest of its content then.
    pub checksum: String,
}

/// Returns the migrations that are still to be applied. What was applied may not have changed since.
pub fn pending<'m>(migrations: &'m [Migration], applied: &[MigrationRecord]) -> Result<Vec<&'m Migration>, Failure> {
    let mut pending = Vec::new();
    for migration in migrations {
        match applied.iter().find(|applied| applied.number == migration.number) {
            None => pending.push(migration),
            Some(applied) if applied.checksum == migration.checksum() => {}
            Some(_) => {
                let (database, next) = (&migration.database, migrations.len() + 1);
                let message = format!("this migration was applied to `{database}` with another content, and cannot change any more");
                let hint = format!("put it back as it was, and write the change into a new file: `_sql/{database}/{next:04}_NAME.sql`");
                return Err(Failure::Wrong(Box::new(Diagnostic::error(migration.path.clone(), message).hint(hint))));
            }
        }
    }
    Ok(pending)
}

/// Tells an error of a statement that begins at this place of a migration.
pub fn failure(migration: &Migration, begin: usize, error: SqlError) -> Failure {
    use crate::capability::sql::SqlErrorKind::{Conflict, Timeout, Unavailable};
    if matches!(error.kind, Conflict | Timeout | Unavailable) && error.code.as_deref() != Some("53100") {
        return Failure::Unavailable(error);
    }
    let start = Position::of_offset(&migration.text, begin);
    let position = error.position.map_or(start, |inner| within(start, inner));
    let hint = match error.code.as_deref() {
        Some("25001") => Some("a migration runs in one transaction; run this statement by hand, outside of migrations".into()),
        _ => error.hint,
    };
    let code = error.code.map(|code| format!(" (SQLSTATE {code})")).unwrap_or_default();
    let message = format!("{}{code}", error.message);
    Failure::Wrong(Box::new(Diagnostic::error(migration.path.clone(), message).at(&migration.text, position).maybe_hint(hint)))
}

/// Returns the place in a file of a place in a part of it that begins here.
fn within(start: Position, inner: Position) -> Position {
    match inner.line {
        1 => Position { line: start.line, column: start.column + inner.column - 1 },
        line => Position { line: start.line + line - 1, column: inner.column },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_statement_is_a_place_in_its_file() {
        let start = Position { line: 3, column: 5 };
        assert_eq!(within(start, Position { line: 1, column: 2 }), Position { line: 3, column: 6 });
        assert_eq!(within(start, Position { line: 2, column: 2 }), Position { line: 4, column: 2 });
    }

    #[test]
    fn what_was_applied_cannot_change() {
        let migration =
            |number: i64, text: &str| Migration::new("app".parse().unwrap(), number, format!("_sql/app/000{number}_x.sql").into(), text);
        let migrations = [migration(1, "a"), migration(2, "b")];
        let applied = |number, text: &str| MigrationRecord { number, checksum: migration(number, text).checksum() };
        let numbers =
            |applied: &[MigrationRecord]| pending(&migrations, applied).map(|found| found.iter().map(|m| m.number).collect::<Vec<_>>());
        assert_eq!(numbers(&[]).unwrap(), [1, 2]);
        assert_eq!(numbers(&[applied(1, "a"), applied(2, "b"), applied(3, "c")]).unwrap(), [0_i64; 0]);
        assert!(matches!(numbers(&[applied(1, "other")]), Err(Failure::Wrong(found)) if &*found.file == "_sql/app/0001_x.sql"));
    }
}
