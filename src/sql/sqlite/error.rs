//! What errors of SQLite mean, with the SQLSTATE that Postgres would give, so that a script need not know which database it uses.

use rusqlite::{Error, ErrorCode, ffi};

use super::guard::Guard;
use crate::{
    capability::sql::{SqlError, SqlErrorKind},
    function::Position,
};

/// Explains why a statement of this text failed.
pub fn explained(error: &Error, text: &str, guard: &Guard) -> SqlError {
    match error {
        Error::SqliteFailure(error, message) => of_code(*error, message.as_deref().unwrap_or("the statement failed"), guard),
        Error::SqlInputError { error, msg, offset, .. } => {
            let position = usize::try_from(*offset).ok().map(|offset| Position::of_offset(text, offset));
            of_code(*error, msg, guard).at(position)
        }
        Error::MultipleStatement => SqlError::new(SqlErrorKind::Statement, "there are several statements in one text")
            .code("42601")
            .hint("send one statement a call"),
        other => SqlError::new(SqlErrorKind::Statement, format!("the answer cannot be read: {other}")),
    }
}

fn of_code(error: ffi::Error, message: &str, guard: &Guard) -> SqlError {
    use SqlErrorKind::{Conflict, Constraint, Statement, Timeout, TooLarge, Unavailable};
    let (kind, code) = match error.code {
        ErrorCode::AuthorizationForStatementDenied => return guard.explain(),
        ErrorCode::ConstraintViolation => (Constraint, of_constraint(error.extended_code)),
        ErrorCode::OperationInterrupted => (Timeout, "57014"),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => (Conflict, "55P03"),
        ErrorCode::TooBig => (TooLarge, "54000"),
        ErrorCode::TypeMismatch => (Statement, "42804"),
        ErrorCode::DiskFull => (Unavailable, "53100"),
        ErrorCode::OutOfMemory => (Unavailable, "53200"),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => (Unavailable, "XX001"),
        ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::ReadOnly | ErrorCode::FileLockingProtocolFailed => {
            (Unavailable, "58030")
        }
        _ => (Statement, of_message(message)),
    };
    let told = SqlError::new(kind, message).code(code);
    match kind {
        Constraint => SqlError { constraint: message.split_once(": ").map(|(_, name)| name.to_owned()), ..told },
        Unavailable if code == "53100" => {
            told.hint("the file is as large as `size` in its section of picloud.toml allows, or the disk is full")
        }
        Timeout => SqlError { message: "the time for the statement is over".into(), ..told },
        _ => told,
    }
}

/// Returns the SQLSTATE of a broken constraint, by SQLite's extended code.
fn of_constraint(code: i32) -> &'static str {
    match code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => "23505",
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => "23503",
        ffi::SQLITE_CONSTRAINT_NOTNULL => "23502",
        ffi::SQLITE_CONSTRAINT_CHECK => "23514",
        _ => "23000",
    }
}

/// Returns the SQLSTATE of a statement that is wrong. SQLite has one code for all of them.
fn of_message(message: &str) -> &'static str {
    let known = [
        ("no such table", "42P01"),
        ("no such column", "42703"),
        ("no such function", "42883"),
        ("ambiguous column", "42702"),
        ("already exists", "42P07"),
    ];
    known.into_iter().find(|(words, _)| message.contains(words)).map_or("42601", |(_, code)| code)
}
