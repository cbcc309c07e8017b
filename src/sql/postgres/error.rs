//! What errors of Postgres and of its driver mean.

use std::borrow::Cow;

use sqlx::postgres::{PgDatabaseError, PgErrorPosition, PgSeverity};

use crate::{
    capability::sql::{SqlError, SqlErrorKind},
    function::Position,
};

/// Why a statement has no answer, and what that means for its connection.
pub enum Failure {
    /// The connection is ready for the next statement.
    Refused(SqlError),
    /// What was prepared is gone or older than the tables. The statement was not run, and others may be old, too.
    Stale(SqlError),
    /// The answer was not read to its end.
    Stopped(SqlError),
    /// The connection is lost.
    Broken(sqlx::Error),
}

impl Failure {
    /// Tells what an error means for a statement of this text.
    pub fn of(error: sqlx::Error, text: &str) -> Self {
        let sqlx::Error::Database(database) = &error else {
            return match error {
                sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => Self::Broken(error),
                other => Self::Stopped(SqlError::new(SqlErrorKind::Statement, format!("the answer cannot be read: {other}"))),
            };
        };
        let Some(postgres) = database.try_downcast_ref::<PgDatabaseError>() else { return Self::Broken(error) };
        match postgres.severity() {
            PgSeverity::Fatal | PgSeverity::Panic => Self::Broken(error),
            _ if is_stale(postgres) => {
                Self::Stale(SqlError { kind: SqlErrorKind::Conflict, ..explained(postgres, text) }.hint("try again"))
            }
            _ => Self::Refused(explained(postgres, text)),
        }
    }
}

/// Returns whether a prepared statement that the driver counts on is gone, or gives other columns than it did.
fn is_stale(error: &PgDatabaseError) -> bool {
    error.code() == "26000" || (error.code() == "0A000" && error.message().starts_with("cached plan"))
}

fn explained(error: &PgDatabaseError, text: &str) -> SqlError {
    let code = error.code();
    let position = match error.position() {
        Some(PgErrorPosition::Original(character)) => Some(position(text, character)),
        _ => None,
    };
    let told = SqlError::new(kind(code), error.message()).code(code).at(position);
    let told = SqlError { constraint: error.constraint().map(str::to_owned), ..told };
    match error.hint() {
        Some(hint) => told.hint(hint),
        None if code == "42601" && error.message().contains("multiple commands") => told.hint("send one statement a call"),
        None => told,
    }
}

/// Returns the place of a character, counted from 1.
fn position(text: &str, character: usize) -> Position {
    let offset = text.char_indices().nth(character.saturating_sub(1)).map_or(text.len(), |(offset, _)| offset);
    Position::of_offset(text, offset)
}

/// Returns what a SQLSTATE is about, mostly by its class.
fn kind(code: &str) -> SqlErrorKind {
    match code {
        "57014" => SqlErrorKind::Timeout,
        "55P03" => SqlErrorKind::Conflict,
        "42501" => SqlErrorKind::Denied,
        _ => match code.get(..2) {
            Some("23") => SqlErrorKind::Constraint,
            Some("40") => SqlErrorKind::Conflict,
            Some("08" | "53" | "57" | "58") => SqlErrorKind::Unavailable,
            _ => SqlErrorKind::Statement,
        },
    }
}

/// Returns why the database cannot be used, without the way to it.
pub fn reason(error: &sqlx::Error) -> Cow<'static, str> {
    match error {
        sqlx::Error::PoolTimedOut => "no connection in time".into(),
        sqlx::Error::Database(error) => error.message().to_owned().into(),
        sqlx::Error::Io(error) => error.to_string().into(),
        other => other.to_string().into(),
    }
}

/// Refuses statements that would begin or end a transaction, or take the connection over.
pub fn must_be_allowed(first_word: &str) -> Result<(), SqlError> {
    let hint = match first_word {
        "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "SAVEPOINT" | "RELEASE" => {
            "use `sql::transaction(|tx| …)`, which commits when its function returns and rolls back when it throws"
        }
        "PREPARE" | "EXECUTE" | "DEALLOCATE" => "every statement is prepared when it is first used, and kept",
        "COPY" => "use `INSERT` and `SELECT`",
        "LISTEN" | "UNLISTEN" | "DISCARD" => "no session outlasts its statement",
        _ => return Ok(()),
    };
    Err(SqlError::new(SqlErrorKind::Denied, format!("scripts cannot run `{first_word}`")).code("42501").hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_characters() {
        let place = |character| {
            let Position { line, column } = position("é\nSELECT", character);
            (line, column)
        };
        assert_eq!([place(1), place(3), place(5), place(99)], [(1, 1), (2, 1), (2, 3), (2, 7)]);
    }

    #[test]
    fn a_state_says_what_to_do_about_it() {
        use SqlErrorKind::{Conflict, Constraint, Statement, Timeout, Unavailable};
        for (code, expected) in
            [("23505", Constraint), ("40001", Conflict), ("57014", Timeout), ("57P01", Unavailable), ("42601", Statement), ("", Statement)]
        {
            assert_eq!(kind(code), expected, "{code}");
        }
    }
}
