//! Transactions on SQLite: on the connection that writes, one at a time.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    BUSY_LIMIT,
    connection::Connection,
    error::explained,
    lease::{Lease, Stop, timed_out},
    statement::{Access, run},
};
use crate::{
    capability::sql::{Rows, SqlError, SqlErrorKind, Statement, StatementBounds, Transaction},
    clock::monotonic,
    sql::{
        answer::{Answer, AnswerLimits},
        text,
    },
};

/// How long SQLite waits at once for another process that writes.
const BUSY_LOOK: Duration = Duration::from_millis(10);

/// Begins a transaction. A deferred one that reads first would fail when another process writes meanwhile. Looks now and then whether it
/// still should wait for that one: SQLite itself would not.
pub fn begin(connection: &Connection, stop: &Stop) -> Result<(), SqlError> {
    let _ = connection.sqlite.busy_timeout(BUSY_LOOK);
    let until = monotonic() + BUSY_LIMIT;
    loop {
        match command(connection, "BEGIN IMMEDIATE") {
            Err(error) if error.kind == SqlErrorKind::Conflict && !stop.is_over() && monotonic() < until => {}
            begun => return begun,
        }
    }
}

/// Keeps the changes, unless nobody waits for that any more.
pub fn commit(connection: &Connection, stop: &Stop) -> Result<(), SqlError> {
    if stop.is_over() {
        roll_back(connection);
        return Err(timed_out());
    }
    let committed = command(connection, "COMMIT");
    if committed.is_err() {
        roll_back(connection);
    }
    committed
}

/// Undoes the changes. SQLite may have done so already.
pub fn roll_back(connection: &Connection) {
    if !connection.sqlite.is_autocommit() {
        let _ = connection.sqlite.progress_handler(0, None::<fn() -> bool>);
        let _ = command(connection, "ROLLBACK");
    }
}

fn command(connection: &Connection, sql: &str) -> Result<(), SqlError> {
    // Not kept prepared: a script that sends the same text would get it without being asked for leave.
    let done = connection.guard.open(|| connection.sqlite.execute_batch(sql));
    done.map_err(|error| explained(&error, sql, &connection.guard))
}

/// A transaction that was begun.
pub struct SqliteTransaction {
    lease: Lease,
    limits: AnswerLimits,
    stop: Stop,
    is_open: bool,
    has_failed: bool,
}

impl SqliteTransaction {
    /// Begins a transaction on the connection that writes.
    pub fn begin(lease: Lease, limits: AnswerLimits, stop: Stop) -> Result<Self, SqlError> {
        lease.run(&stop, |connection| begin(connection, &stop))?;
        Ok(Self { lease, limits, stop, is_open: true, has_failed: false })
    }
}

#[async_trait]
impl Transaction for SqliteTransaction {
    async fn query(&mut self, statement: &Statement, bounds: StatementBounds) -> Result<Rows, SqlError> {
        if self.has_failed {
            return Err(failed());
        }
        let stop = Stop { deadline: bounds.deadline.min(self.stop.deadline), cancel: bounds.cancel.clone() };
        let answer = self.lease.run(&stop, |connection| {
            text::must_be_whole(statement)?;
            run(connection, statement, Access::Write, Answer::new(self.limits, &bounds)).map(Option::unwrap_or_default)
        });
        self.has_failed = answer.is_err();
        answer
    }

    async fn commit(mut self: Box<Self>) -> Result<(), SqlError> {
        if self.has_failed {
            return Err(failed());
        }
        let committed = self.lease.run(&self.stop, |connection| commit(connection, &self.stop));
        self.is_open = committed.is_err();
        committed
    }

    async fn rollback(self: Box<Self>) {}
}

impl Drop for SqliteTransaction {
    fn drop(&mut self) {
        if self.is_open {
            self.lease.finish(roll_back);
        }
    }
}

fn failed() -> SqlError {
    SqlError::new(SqlErrorKind::Statement, "the transaction has failed with an earlier statement, and nothing of it stays").code("25P02")
}
