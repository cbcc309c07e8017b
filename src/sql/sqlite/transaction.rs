//! Transactions on SQLite: on the connection that writes, one at a time.

use std::time::Instant;

use async_trait::async_trait;

use super::{
    connection::Connection,
    error::explained,
    lease::{Lease, timed_out},
    statement::{Access, run},
    worker::Cancel,
};
use crate::{
    capability::sql::{Rows, SqlError, SqlErrorKind, Statement, StatementBounds, Transaction},
    sql::{
        answer::{Answer, AnswerLimits},
        text,
    },
};

/// Begins a transaction. A deferred one that reads first would fail when another process writes meanwhile.
pub fn begin(connection: &Connection) -> Result<(), SqlError> {
    command(connection, "BEGIN IMMEDIATE")
}

/// Keeps the changes, unless nobody waits for that any more.
pub fn commit(connection: &Connection, cancel: &Cancel) -> Result<(), SqlError> {
    if cancel.is_cancelled() {
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

/// A transaction that was begun. The worker does what it is asked in order, so that a rollback comes before the next user.
pub struct SqliteTransaction {
    lease: Lease,
    limits: AnswerLimits,
    deadline: Instant,
    is_open: bool,
    has_failed: bool,
}

impl SqliteTransaction {
    /// Begins a transaction on the connection that writes.
    pub async fn begin(lease: Lease, limits: AnswerLimits, deadline: Instant) -> Result<Self, SqlError> {
        let transaction = Self { lease, limits, deadline, is_open: true, has_failed: false };
        transaction.lease.run(deadline, |connection, _| begin(connection)).await?;
        Ok(transaction)
    }
}

#[async_trait]
impl Transaction for SqliteTransaction {
    async fn query(&mut self, statement: &Statement, bounds: StatementBounds) -> Result<Rows, SqlError> {
        if self.has_failed {
            return Err(failed());
        }
        let deadline = bounds.deadline.min(self.deadline);
        let (statement, answer) = (statement.clone(), Answer::new(self.limits, bounds));
        let work = move |connection: &Connection, _: &Cancel| {
            text::must_be_whole(&statement)?;
            run(connection, &statement, Access::Write, answer).map(Option::unwrap_or_default)
        };
        let answer = self.lease.run(deadline, work).await;
        self.has_failed = answer.is_err();
        answer
    }

    async fn commit(mut self: Box<Self>) -> Result<(), SqlError> {
        if self.has_failed {
            return Err(failed());
        }
        let committed = self.lease.run(self.deadline, commit).await;
        self.is_open = committed.is_err();
        committed
    }

    async fn rollback(self: Box<Self>) {}
}

impl Drop for SqliteTransaction {
    fn drop(&mut self) {
        if self.is_open {
            self.lease.send(roll_back);
        }
    }
}

fn failed() -> SqlError {
    SqlError::new(SqlErrorKind::Statement, "the transaction has failed with an earlier statement, and nothing of it stays").code("25P02")
}
