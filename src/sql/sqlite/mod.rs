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
mod worker;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use self::{
    connection::{Connection, FileOptions},
    lease::Lease,
    statement::{Access, run},
    transaction::{SqliteTransaction, begin, commit, roll_back},
    worker::{Cancel, NoWorker, Worker},
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
    readers: Pool<Worker>,
    writer: Pool<Worker>,
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
            readers: Pool::new(settings.connections.saturating_sub(1).max(1)),
            writer: Pool::new(1),
        }
    }

    /// Runs one statement in a transaction of its own.
    pub async fn query(&self, statement: &Statement, bounds: StatementBounds) -> Result<Rows, SqlError> {
        text::must_be_whole(statement)?;
        let bounds = StatementBounds { deadline: bounds.deadline.min(monotonic() + self.statement_timeout), ..bounds };
        // A guess: a reader says of each statement whether it writes, and the writer takes all.
        let may_read =
            !matches!(text::first_word(&statement.text).as_str(), "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "CREATE" | "DROP");
        if may_read && let Some(rows) = self.read(statement, bounds).await? {
            return Ok(rows);
        }
        self.write(statement, bounds).await
    }

    /// Begins a transaction.
    pub async fn begin(&self, deadline: Instant) -> Result<Box<dyn Transaction>, SqlError> {
        let lease = self.lease(&self.writer, Access::Write, deadline).await?;
        Ok(Box::new(SqliteTransaction::begin(lease, self.answer, deadline).await?))
    }

    /// Applies the migrations that are pending. Returns those that it applied.
    pub async fn migrate(&self, migrations: &[Migration]) -> Result<Vec<FilePath>, Failure> {
        let deadline = monotonic() + migrations::LIMIT;
        let lease = self.lease(&self.writer, Access::Write, deadline).await.map_err(Failure::Unavailable)?;
        let migrations = migrations.to_vec();
        let work = move |connection: &Connection, cancel: &Cancel| Ok(migrate::migrate(connection, &migrations, cancel));
        lease.run(deadline, work).await.map_err(Failure::Unavailable)?
    }

    /// Compares migrations with those that were applied, and changes nothing.
    pub async fn compare(&self, migrations: &[Migration]) -> Result<(), Failure> {
        // A file that is not there has none.
        if !self.options.path.as_ref().is_some_and(|path| path.exists()) {
            return Ok(());
        }
        let deadline = monotonic() + BUSY_LIMIT;
        let lease = self.lease(&self.readers, Access::Read, deadline).await.map_err(Failure::Unavailable)?;
        let migrations = migrations.to_vec();
        let work = move |connection: &Connection, _: &Cancel| Ok(migrate::compare(connection, &migrations));
        lease.run(deadline, work).await.map_err(Failure::Unavailable)?
    }

    async fn read(&self, statement: &Statement, bounds: StatementBounds) -> Result<Option<Rows>, SqlError> {
        let lease = self.lease(&self.readers, Access::Read, bounds.deadline).await?;
        let (statement, answer) = (statement.clone(), Answer::new(self.answer, bounds));
        let work = move |connection: &Connection, _: &Cancel| run(connection, &statement, Access::Read, answer);
        lease.run(bounds.deadline, work).await
    }

    async fn write(&self, statement: &Statement, bounds: StatementBounds) -> Result<Rows, SqlError> {
        let lease = self.lease(&self.writer, Access::Write, bounds.deadline).await?;
        let (statement, answer) = (statement.clone(), Answer::new(self.answer, bounds));
        let work = move |connection: &Connection, cancel: &Cancel| {
            begin(connection)?;
            let rows = run(connection, &statement, Access::Write, answer);
            match rows {
                Ok(rows) => commit(connection, cancel).map(|()| rows.unwrap_or_default()),
                Err(error) => {
                    roll_back(connection);
                    Err(error)
                }
            }
        };
        lease.run(bounds.deadline, work).await
    }

    async fn lease(&self, pool: &Pool<Worker>, access: Access, deadline: Instant) -> Result<Lease, SqlError> {
        let Some(mut place) = pool.place(deadline).await else {
            let message = format!("all connections to the database `{}` are in use", self.name);
            return Err(SqlError::new(SqlErrorKind::Unavailable, message).code("53300"));
        };
        if let Some(worker) = place.take() {
            return Ok(Lease::new(worker, place));
        }
        let options = FileOptions { is_reader: access == Access::Read, ..self.options.clone() };
        match Worker::start(options).await {
            Ok(worker) => Ok(Lease::new(worker, place)),
            Err(error) => Err(self.unavailable(&error)),
        }
    }

    /// Says why the database cannot be used: to the log all of it, to the script nothing about the way there.
    fn unavailable(&self, error: &NoWorker) -> SqlError {
        tracing::warn!("the database `{}` cannot be opened: {error}", self.name);
        SqlError::new(SqlErrorKind::Unavailable, format!("the database `{}` cannot be opened", self.name)).code("58030")
    }
}
