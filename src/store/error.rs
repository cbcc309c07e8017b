//! Why the store could not do something, and whether waiting helps.

use std::{error::Error, fmt, path::PathBuf, time::Duration};

use sqlx::migrate::MigrateError;

use crate::shown::with_causes;

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The text does not name a database. It may hold a password, so it is not repeated here.
    #[error("the database URL is none of `sqlite`, `sqlite:PATH` and `postgres://USER@HOST/NAME`{reason}")]
    Url {
        /// What is wrong with it, if that can be said.
        reason: String,
    },
    /// A folder or file cannot be made.
    #[error("cannot make `{path}`")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Nobody has made the database yet.
    #[error("there is no database at {place} yet\n  hint: `picloud serve` makes it")]
    NoDatabase {
        /// Where we looked.
        place: String,
    },
    /// Another version of PiCloud made or changed the database.
    #[error("the database at {place} has schema {found}, this program needs {needed}\n  hint: {hint}")]
    OtherSchema {
        /// Which database.
        place: String,
        /// Its last migration.
        found: i64,
        /// Ours.
        needed: i64,
        /// What to do.
        hint: &'static str,
    },
    /// The database does not answer, or does not let us in.
    #[error("cannot connect to {place}")]
    Connect {
        /// Where, without the password.
        place: String,
        /// Why not, and what to do about it.
        #[source]
        source: Reason,
    },
    /// Another node has the database.
    #[error("another node uses the database {place}{}\n  hint: stop it, or give this node a database of its own", holder(.by))]
    InUse {
        /// Which.
        place: String,
        /// Who, as far as the database tells.
        by: Option<String>,
    },
    /// The file has several names, and SQLite keeps its log beside the one that it is told: two logs of one file damage it.
    #[error("the file at {place} has other names too (hard links), and its content would be damaged by a node at each\n  hint: keep one name: `cp {0} NEW.db && mv NEW.db {0}`", place.trim_matches('`'))]
    SeveralNames {
        /// Which file.
        place: String,
    },
    /// The file is no database, or no longer.
    #[error("the database at {place} cannot be read: {reason}\n  hint: {DAMAGED}")]
    Damaged {
        /// Which file.
        place: String,
        /// What SQLite says.
        reason: String,
    },
    /// The file is a database of something else.
    #[error(
        "the file at {place} is the database of another program, and nothing in it was changed\n  hint: name another file: `--database sqlite:PATH`"
    )]
    Foreign {
        /// Which file.
        place: String,
    },
    /// The database did not answer in time.
    #[error("{what}: no answer within {seconds} s")]
    TimedOut {
        /// What we wanted.
        what: String,
        /// How long we waited.
        seconds: u64,
    },
    /// The tables could not be brought up to date.
    #[error("cannot bring the tables at {place} up to date")]
    Migrate {
        /// Which database.
        place: String,
        /// Why not.
        #[source]
        source: Reason,
    },
    /// A statement failed.
    #[error("cannot {what}")]
    Query {
        /// What it was for.
        what: &'static str,
        /// Why not.
        #[source]
        source: Reason,
    },
    /// The database should become a copy of another, and holds something.
    #[error(
        "the database at {place} is not empty, and nothing in it was changed\n  hint: name a new one (`sqlite:NEW.db`, or with Postgres what `createdb NEW` makes)"
    )]
    NotEmpty {
        /// Which database.
        place: String,
    },
    /// A table cannot be moved to another database.
    #[error("table `{table}` cannot be moved: {reason}")]
    Immovable {
        /// Which.
        table: String,
        /// Why not.
        reason: String,
    },
    /// What was copied does not read back as it was. The copy has been taken back.
    #[error(
        "table `{table}` came out different at {place}: {found} rows instead of {wanted}, or others; the copy was taken back\n  hint: try again, and check the disks if it happens again"
    )]
    CameOutDifferent {
        /// Where.
        place: String,
        /// Which table.
        table: String,
        /// How many rows there are.
        found: u64,
        /// How many there should be.
        wanted: u64,
    },
    /// Rows of a table could not be read or written.
    #[error("cannot {what} the table `{table}`")]
    Rows {
        /// What was tried.
        what: &'static str,
        /// Which table.
        table: String,
        /// Why not.
        #[source]
        source: Reason,
    },
    /// A row holds what we never write.
    #[error("table `{table}`, row `{id}`: {reason}")]
    BadRow {
        /// Which table.
        table: &'static str,
        /// Which row.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What to do about a file that cannot be read.
const DAMAGED: &str = "nothing in it was changed; put a backup in its place, or move it and the files beside it (`-wal`, `-shm`) away: a node then makes a new one";

impl StoreError {
    /// Reports that a database did not let us in.
    pub(super) fn connect(place: String, source: sqlx::Error) -> Self {
        match damage(&source) {
            Some(reason) => Self::Damaged { place, reason },
            None => Self::Connect { place, source: Reason(source) },
        }
    }

    /// Reports that the tables could not be brought up to date.
    pub(super) fn migrate(place: String, source: MigrateError) -> Self {
        match source {
            MigrateError::Execute(source) if damage(&source).is_some() => Self::connect(place, source),
            MigrateError::Execute(source) => Self::Migrate { place, source: Reason(source) },
            source => Self::Migrate { place, source: Reason(sqlx::Error::Migrate(Box::new(source))) },
        }
    }

    /// Says what happened, why, and what to do about it.
    pub fn explained(&self) -> String {
        let text = with_causes(self);
        match self {
            Self::Query { source, .. } if damage(&source.0).is_some() => format!("{text}\n  hint: {DAMAGED}"),
            _ => text,
        }
    }

    /// Returns a function that says what a failed statement was for.
    pub(super) fn query(what: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Query { what, source: Reason(source) }
    }

    /// Returns a function that says which table could not be read.
    pub(super) fn reading(table: &str) -> impl FnMut(sqlx::Error) -> Self + Send + use<> {
        let table = table.to_owned();
        move |source| Self::Rows { what: "read", table: table.clone(), source: Reason(source) }
    }

    /// Returns a function that says which table could not be written.
    pub(super) fn writing(table: &str) -> impl FnOnce(sqlx::Error) -> Self + use<> {
        let table = table.to_owned();
        move |source| Self::Rows { what: "write", table, source: Reason(source) }
    }

    /// Reports a row that does not read back.
    pub(super) fn bad_row(table: &'static str, id: impl ToString, reason: impl ToString) -> Self {
        Self::BadRow { table, id: id.to_string(), reason: reason.to_string() }
    }

    /// Returns whether the same request may succeed later, when the database is back; if not, the request itself is refused.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Connect { source, .. } | Self::Migrate { source, .. } | Self::Query { source, .. } | Self::Rows { source, .. } => {
                is_outage(&source.0)
            }
            Self::InUse { .. } | Self::TimedOut { .. } | Self::Damaged { .. } => true,
            Self::Url { .. }
            | Self::Foreign { .. }
            | Self::SeveralNames { .. }
            | Self::Folder { .. }
            | Self::NoDatabase { .. }
            | Self::OtherSchema { .. }
            | Self::NotEmpty { .. }
            | Self::Immovable { .. }
            | Self::CameOutDifferent { .. }
            | Self::BadRow { .. } => false,
        }
    }
}

/// Why a database did not do it: what the driver says, once, and what to do where that can be said.
#[derive(Debug)]
pub struct Reason(pub(super) sqlx::Error);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        match error {
            sqlx::Error::Io(error) => write!(f, "{error}")?,
            // Without the line of Postgres' own source.
            sqlx::Error::Database(error) => f.write_str(error.message())?,
            sqlx::Error::AnyDriverError(error) => write!(f, "{error}")?,
            error => write!(f, "{error}")?,
        }
        match hint(error) {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

// The text above holds what is below it, so there is no source to be said once more.
impl Error for Reason {}

fn holder(by: &Option<String>) -> String {
    by.as_ref().map(|by| format!(": {by}")).unwrap_or_default()
}

/// Returns what to do about a database that does not let us in.
fn hint(error: &sqlx::Error) -> Option<&'static str> {
    match error {
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            Some("start the server, or name the one that runs: `postgres://USER@HOST:PORT/NAME`")
        }
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::NotFound => Some(
            "start the server, if it is stopped; else its socket is in another folder: one like `/run/postgresql` is written `%2Frun%2Fpostgresql` in the URL",
        ),
        sqlx::Error::Database(error) => match error.code()?.as_ref() {
            "28000" | "28P01" => {
                Some("name the database user in the URL (`postgres://USER@…`); with `peer` it is the system user that the node runs as")
            }
            "3D000" => Some("make it: `createdb --owner=USER NAME`"),
            _ => None,
        },
        _ => None,
    }
}

/// Why a statement did not get to the database, or no answer came.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unavailable {
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

/// Returns what SQLite says of a file that is damaged, or no database at all.
fn damage(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?;
    error.try_downcast_ref::<sqlx::sqlite::SqliteError>()?;
    // CORRUPT and NOTADB.
    let is_damage = error.code()?.parse::<i32>().is_ok_and(|code| matches!(code & 0xff, 11 | 26));
    is_damage.then(|| error.message().to_owned())
}

fn is_outage(error: &sqlx::Error) -> bool {
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

/// Classes of SQLSTATE that speak of the server, not of the statement: connection, refused login, missing database, transaction rolled
/// back, out of resources, object in use, operator intervention, system error; and a server that is a read-only standby just now.
fn is_postgres_outage(code: &str) -> bool {
    code == "25006" || ["08", "28", "3D", "40", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class))
}

/// SQLite's primary codes speak of the file or of other users of it, but for these: error in the statement, too big, constraint,
/// mismatch, misuse, range.
fn is_sqlite_outage(code: i32) -> bool {
    !matches!(code & 0xff, 1 | 18 | 19 | 20 | 21 | 25)
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
