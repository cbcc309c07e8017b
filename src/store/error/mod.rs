//! Why the store could not do something, and whether waiting helps.

mod outage;
mod reason;

use std::path::PathBuf;

pub(super) use outage::Unavailable;
use outage::{damage, is_outage};
pub use reason::Reason;
use sqlx::migrate::MigrateError;

use crate::shown::with_causes;

/// A request that the store could not serve, and why.
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
        /// The database that was looked for.
        place: String,
    },
    /// Another version of PiCloud made or changed the database.
    #[error("the database at {place} has schema {found}, this program needs {needed}\n  hint: {hint}")]
    OtherSchema {
        /// Which database.
        place: String,
        /// Its last migration.
        found: i64,
        /// The schema that this program was built for.
        needed: i64,
        /// What to do.
        hint: &'static str,
    },
    /// The database does not answer, or refuses the connection.
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
    /// The file has several names. SQLite keeps its log beside the name that it is given, and two logs damage a file.
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
        /// The request.
        what: String,
        /// The time limit.
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
    /// The database should become a copy of another, but is not empty.
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
    /// The copy does not read back like the original. It was taken back.
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
    /// A row holds a value that this program never writes.
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

/// The hint for a file that cannot be read.
const DAMAGED: &str = "nothing in it was changed; put a backup in its place, or move it and the files beside it (`-wal`, `-shm`) away: a node then makes a new one";

impl StoreError {
    /// Reports that a database refused the connection.
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

    /// Returns whether the same request may succeed later, when the database is back. Otherwise the database refuses the request itself.
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

fn holder(by: &Option<String>) -> String {
    by.as_ref().map(|by| format!(": {by}")).unwrap_or_default()
}
