//! Tells whether a later attempt may succeed.

use std::{path::PathBuf, time::Duration};

/// A statement that was not sent to the database, or not answered.
#[derive(Debug, thiserror::Error)]
pub(in crate::store) enum Unavailable {
    #[error("no answer within {} s", .0.as_secs())]
    NoAnswer(Duration),
    #[error("another node uses the database: {0}")]
    OtherNode(String),
    #[error("the connection that holds the database for this node broke: {0}")]
    NotHeld(String),
    #[error(
        "the database file `{}` was moved, removed or replaced\n  hint: put it back, or restart the node, which goes on with what is there then",
        .0.display()
    )]
    FileGone(PathBuf),
}

impl From<Unavailable> for sqlx::Error {
    fn from(why: Unavailable) -> Self {
        Self::AnyDriverError(Box::new(why))
    }
}

/// Returns whether an error is about the database or the way to it, and not about the statement.
pub(super) fn is_outage(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
                is_postgres_outage(&code)
            } else {
                code.parse().is_ok_and(is_sqlite_outage)
            }
        }
        sqlx::Error::AnyDriverError(error) => error.is::<Unavailable>(),
        // A connection that dies in the middle of a message is a protocol error to the driver.
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

/// Returns whether a SQLSTATE is about the server and not about the statement.
///
/// 25006: the server is a read-only standby just now. The classes: connection (08), refused login (28), missing database (3D), transaction
/// rolled back (40). Also out of resources (53), object in use (55), operator intervention (57), system error (58).
fn is_postgres_outage(code: &str) -> bool {
    code == "25006" || ["08", "28", "3D", "40", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class))
}

/// Returns whether a code of SQLite is about the file or other users of it.
///
/// These primary codes are about the statement: error in it (1), too big (18), constraint (19), mismatch (20), misuse (21), range (25).
fn is_sqlite_outage(code: i32) -> bool {
    !matches!(code & 0xff, 1 | 18 | 19 | 20 | 21 | 25)
}

/// Returns what SQLite says about a file that is damaged, or is no database.
pub(super) fn damage(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?;
    error.try_downcast_ref::<sqlx::sqlite::SqliteError>()?;
    // CORRUPT and NOTADB.
    let is_damage = error.code()?.parse::<i32>().is_ok_and(|code| matches!(code & 0xff, 11 | 26));
    is_damage.then(|| error.message().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_from_a_mistake() {
        for (code, outage) in
            [("57P01", true), ("08006", true), ("53300", true), ("25006", true), ("23505", false), ("22021", false), ("42P01", false)]
        {
            assert_eq!(is_postgres_outage(code), outage, "{code}");
        }
        // BUSY, BUSY_SNAPSHOT, LOCKED, IOERR_FSYNC, FULL; a constraint, a primary key, an error in the statement.
        for (code, outage) in [(5, true), (517, true), (6, true), (1034, true), (13, true), (19, false), (1555, false), (1, false)] {
            assert_eq!(is_sqlite_outage(code), outage, "{code}");
        }
        assert!(is_outage(&sqlx::Error::PoolTimedOut));
        assert!(!is_outage(&sqlx::Error::RowNotFound));
    }
}
