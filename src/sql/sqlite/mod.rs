//! A database in a file of SQLite. Several connections read, and one writes: writers queue here and do not fail there.

mod connection;
mod copy;
mod error;
mod guard;
mod lease;
mod migrate;
mod scratch;
mod statement;
mod transaction;
mod value;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use self::{
    connection::{Connection, FileOptions},
    lease::{Lease, Stop, timed_out},
    statement::{Access, run},
    transaction::{SqliteTransaction, begin, commit, roll_back},
};
pub use self::{
    copy::{NotCopied, copy},
    scratch::Scratch,
};
use super::{
    answer::{Answer, AnswerLimits},
    migrations::{self, Failure, Migration},
    pool::Pool,
    settings::DatabaseSettings,
    text,
};
use crate::{
    blocking,
    cancel::{CancelFlag, CancelOnDrop},
    capability::sql::{Rows, SqlError, SqlErrorKind, Statement, StatementBounds, Transaction},
    clock::monotonic,
    function::{FilePath, grants::sql::DatabaseName},
};

/// The longest that a statement waits for another process that writes to the same file.
const BUSY_LIMIT: Duration = Duration::from_secs(5);

/// A database and its connections.
pub struct Sqlite {
    name: DatabaseName,
    options: FileOptions,
    answer: AnswerLimits,
    statement_timeout: Duration,
    readers: Pool<Connection>,
    writer: Pool<Connection>,
}

impl Sqlite {
    /// Makes it without opening the file.
    pub fn new(path: PathBuf, settings: &DatabaseSettings) -> Self {
        Self {
            name: settings.name.clone(),
            options: FileOptions {
                path: Some(path),
                is_reader: false,
                value_bytes: settings.answer.bytes,
                file_bytes: settings.file_bytes,
            },
            answer: settings.answer,
            statement_timeout: settings.statement_timeout,
            readers: Pool::of_quick(settings.connections.saturating_sub(1).max(1)),
            writer: Pool::of_quick(1),
        }
    }

    /// Runs one statement in a transaction of its own.
    pub async fn query(&self, statement: &Statement, bounds: StatementBounds) -> Result<Rows, SqlError> {
        text::must_be_whole(statement)?;
        let bounds = StatementBounds { deadline: bounds.deadline.min(monotonic() + self.statement_timeout), ..bounds };
        // A guess: a reader says of each statement whether it writes, and the writer takes all.
        let may_read =
            !matches!(text::first_word(&statement.text).as_str(), "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "CREATE" | "DROP");
        if may_read && let Some(rows) = self.read(statement, &bounds).await? {
            return Ok(rows);
        }
        self.write(statement, &bounds).await
    }

    /// Begins a transaction.
    pub async fn begin(&self, deadline: Instant, cancel: &CancelFlag) -> Result<Box<dyn Transaction>, SqlError> {
        let lease = self.lease(&self.writer, Access::Write, deadline).await?;
        Ok(Box::new(SqliteTransaction::begin(lease, self.answer, Stop { deadline, cancel: cancel.clone() })?))
    }

    /// Applies the migrations that are pending. Returns those that it applied.
    pub async fn migrate(&self, migrations: &[Migration]) -> Result<Vec<FilePath>, Failure> {
        let migrations = migrations.to_vec();
        let stop = Stop::at(monotonic() + migrations::LIMIT);
        self.aside(&self.writer, Access::Write, stop, move |connection, stop| migrate::migrate(connection, &migrations, stop)).await
    }

    /// Compares migrations with those that were applied, and changes nothing.
    pub async fn compare(&self, migrations: &[Migration]) -> Result<(), Failure> {
        // A file that is not there has none.
        if !self.options.path.as_ref().is_some_and(|path| path.exists()) {
            return Ok(());
        }
        let migrations = migrations.to_vec();
        let stop = Stop::at(monotonic() + BUSY_LIMIT);
        self.aside(&self.readers, Access::Read, stop, move |connection, _| migrate::compare(connection, &migrations)).await
    }

    /// Does work that may be long on a thread of its own.
    async fn aside<T: Send + 'static>(
        &self,
        pool: &Pool<Connection>,
        access: Access,
        stop: Stop,
        work: impl FnOnce(&Connection, &Stop) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let lease = self.lease(pool, access, stop.deadline).await.map_err(Failure::Unavailable)?;
        let cancel = CancelOnDrop(stop.cancel.clone());
        let done = blocking::run(move || lease.run(&stop, |connection| Ok(work(connection, &stop)))).await;
        drop(cancel);
        done.unwrap_or_else(|| Err(timed_out())).map_err(Failure::Unavailable)?
    }

    async fn read(&self, statement: &Statement, bounds: &StatementBounds) -> Result<Option<Rows>, SqlError> {
        let lease = self.lease(&self.readers, Access::Read, bounds.deadline).await?;
        lease.run(&stop_of(bounds), |connection| run(connection, statement, Access::Read, Answer::new(self.answer, bounds)))
    }

    async fn write(&self, statement: &Statement, bounds: &StatementBounds) -> Result<Rows, SqlError> {
        let lease = self.lease(&self.writer, Access::Write, bounds.deadline).await?;
        let stop = stop_of(bounds);
        lease.run(&stop, |connection| {
            begin(connection, &stop)?;
            match run(connection, statement, Access::Write, Answer::new(self.answer, bounds)) {
                Ok(rows) => commit(connection, &stop).map(|()| rows.unwrap_or_default()),
                Err(error) => {
                    roll_back(connection);
                    Err(error)
                }
            }
        })
    }

    async fn lease(&self, pool: &Pool<Connection>, access: Access, deadline: Instant) -> Result<Lease, SqlError> {
        let Some(mut place) = pool.place(deadline).await else {
            let message = format!("all connections to the database `{}` are in use", self.name);
            return Err(SqlError::new(SqlErrorKind::Unavailable, message).code("53300"));
        };
        if let Some(connection) = place.take() {
            return Ok(Lease::new(connection, place));
        }
        let options = FileOptions { is_reader: access == Access::Read, ..self.options.clone() };
        match options.open() {
            Ok(connection) => Ok(Lease::new(connection, place)),
            Err(error) => Err(self.unavailable(&error)),
        }
    }

    /// Says why the database cannot be used: to the log all of it, to the script nothing about the way there.
    fn unavailable(&self, error: &rusqlite::Error) -> SqlError {
        tracing::warn!("the database `{}` cannot be opened: {error}", self.name);
        SqlError::new(SqlErrorKind::Unavailable, format!("the database `{}` cannot be opened", self.name)).code("58030")
    }
}

/// Returns when a statement with these bounds ends.
fn stop_of(bounds: &StatementBounds) -> Stop {
    Stop { deadline: bounds.deadline, cancel: bounds.cancel.clone() }
}
