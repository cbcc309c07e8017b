//! Transactions that write.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Execute, Executor, Postgres, Row as _, Sqlite, pool::PoolConnection, postgres::PgRow};
use tokio::time::{Instant, timeout_at};

use super::{Pool, STATEMENT_LIMIT, no_answer};
use crate::store::error::Unavailable;

impl Pool<Postgres> {
    /// Begins a transaction, whose statements may each take this long. It only begins while this node has the database.
    pub(in crate::store) async fn begin(&self, limit: Duration) -> sqlx::Result<Transaction<Postgres>> {
        self.begin_with("BEGIN", limit, "").await.map(|(transaction, _)| transaction)
    }

    /// The same, and its commit does not wait for the disk.
    pub(in crate::store) async fn begin_repeatable(&self, limit: Duration) -> sqlx::Result<Transaction<Postgres>> {
        self.begin_with("BEGIN; SET LOCAL synchronous_commit = off", limit, "").await.map(|(transaction, _)| transaction)
    }

    /// Begins a transaction with these queries, and returns their rows. All are one message, which costs one round trip.
    pub(in crate::store) async fn begin_reading(
        &self,
        limit: Duration,
        queries: &str,
    ) -> sqlx::Result<(Transaction<Postgres>, Vec<PgRow>)> {
        self.begin_with("BEGIN", limit, queries).await
    }

    async fn begin_with(&self, begin: &str, limit: Duration, queries: &str) -> sqlx::Result<(Transaction<Postgres>, Vec<PgRow>)> {
        let mut transaction = self.acquire(limit).await?;
        let question = self.fence.question();
        let timeout = (limit != STATEMENT_LIMIT).then(|| format!("SET LOCAL statement_timeout = {}", limit.as_millis()));
        let parts = [Some(begin), timeout.as_deref(), question.as_deref(), Some(queries)];
        let message = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
        let mut rows = transaction.fetch_all(sqlx::raw_sql(AssertSqlSafe(message))).await?.into_iter();
        if question.is_some() && !rows.next().map(|row| row.try_get(0)).transpose()?.unwrap_or(false) {
            return Err(Unavailable::NotHeld("it is made again".into()).into());
        }
        Ok((transaction, rows.collect()))
    }
}

impl Pool<Sqlite> {
    /// Begins a transaction that writes.
    pub(in crate::store) async fn begin(&self, limit: Duration) -> sqlx::Result<Transaction<Sqlite>> {
        let mut transaction = self.acquire(limit).await?;
        // A deferred transaction that reads first fails at once when another process has written meanwhile.
        transaction.execute("BEGIN IMMEDIATE").await?;
        Ok(transaction)
    }

    /// The same, and what is committed is on the disk. After other commits it may still be on its way there when the power goes.
    pub(in crate::store) async fn begin_durable(&self, limit: Duration) -> sqlx::Result<Transaction<Sqlite>> {
        let mut transaction = self.acquire(limit).await?;
        // SQLite obeys this pragma when it reads it, so none of these texts may be a statement that was prepared before.
        transaction.execute(sqlx::raw_sql("PRAGMA synchronous = FULL; BEGIN IMMEDIATE")).await?;
        transaction.commit = "COMMIT; PRAGMA synchronous = NORMAL";
        Ok(transaction)
    }
}

/// A transaction that the driver does not know of. If it is dropped before its end, its connection is closed, which rolls it back.
///
/// A `ROLLBACK` would not do: on a full disk SQLite may have rolled back already, and a server that does not answer does not take one.
pub(in crate::store) struct Transaction<DB: sqlx::Database> {
    connection: PoolConnection<DB>,
    deadline: Instant,
    limit: Duration,
    commit: &'static str,
    is_done: bool,
}

impl<DB: sqlx::Database> Transaction<DB> {
    pub(super) fn new(connection: PoolConnection<DB>, deadline: Instant, limit: Duration) -> Self {
        Self { connection, deadline, limit, commit: "COMMIT", is_done: false }
    }
}

impl<DB: sqlx::Database> Transaction<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    /// Runs a statement.
    pub(in crate::store) async fn execute<'q>(&mut self, query: impl Execute<'q, DB> + 'q) -> sqlx::Result<DB::QueryResult> {
        let connection: &mut DB::Connection = &mut self.connection;
        timeout_at(self.deadline, connection.execute(query)).await.map_err(|_| no_answer(self.limit))?
    }

    /// Runs a statement that finds one row at most.
    pub(in crate::store) async fn fetch_optional<'q>(&mut self, query: impl Execute<'q, DB> + 'q) -> sqlx::Result<Option<DB::Row>> {
        let connection: &mut DB::Connection = &mut self.connection;
        timeout_at(self.deadline, connection.fetch_optional(query)).await.map_err(|_| no_answer(self.limit))?
    }

    /// Runs a statement that finds rows.
    pub(in crate::store) async fn fetch_all<'q>(&mut self, query: impl Execute<'q, DB> + 'q) -> sqlx::Result<Vec<DB::Row>> {
        let connection: &mut DB::Connection = &mut self.connection;
        timeout_at(self.deadline, connection.fetch_all(query)).await.map_err(|_| no_answer(self.limit))?
    }

    /// Keeps the changes.
    pub(in crate::store) async fn commit(mut self) -> sqlx::Result<()> {
        self.execute(sqlx::raw_sql(self.commit)).await?;
        self.is_done = true;
        Ok(())
    }
}

impl<DB: sqlx::Database> Drop for Transaction<DB> {
    fn drop(&mut self) {
        if !self.is_done {
            self.connection.close_on_drop();
        }
    }
}
