//! The only way to a database's connections. No statement here waits for ever, and none writes while another node has the database.
//!
//! Postgres ends a statement by itself after [`STATEMENT_LIMIT`], which `connect` tells it. The limits here are somewhat longer, and hold where no
//! answer comes at all.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{
    Stream, StreamExt as _,
    future::{self, BoxFuture},
    stream::{self, BoxStream},
};
use sqlx::{Either, Execute, Executor, Pool, Postgres, SqlStr, Sqlite, pool::PoolConnection};
use tokio::time::{Instant, Sleep, timeout_at};

use super::error::Unavailable;

/// How long one statement may run or wait for a lock.
pub(super) const STATEMENT_LIMIT: Duration = Duration::from_secs(5);
/// The same for a statement over many rows: a large deployment, a slice of old executions.
pub(super) const LONG_LIMIT: Duration = Duration::from_secs(60);
/// What comes on top of both here: the wait for a connection, and for the database to say itself that it took too long.
const ALLOWANCE: Duration = Duration::from_secs(7);

/// Connections whose statements end in time.
#[derive(Debug)]
pub(super) struct Limited<DB: sqlx::Database> {
    pool: Pool<DB>,
    /// Whether these connections may be used now. A node's writer may not while another node has the database.
    holder: OtherHolder,
}

impl<DB: sqlx::Database> Clone for Limited<DB> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), holder: self.holder.clone() }
    }
}

/// The other node that has the database, if there is one.
#[derive(Debug, Clone, Default)]
pub(super) struct OtherHolder(Arc<Mutex<Option<String>>>);

impl OtherHolder {
    pub(super) fn set(&self, other: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = other;
    }

    fn check(&self) -> sqlx::Result<()> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some(other) => Err(Unavailable::OtherNode(other.clone()).into()),
        }
    }
}

impl<DB: sqlx::Database> Limited<DB> {
    /// Limits a pool.
    pub(super) fn new(pool: Pool<DB>, holder: OtherHolder) -> Self {
        Self { pool, holder }
    }

    /// Waits until what runs has ended, and closes every connection.
    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    /// Returns whether the database answers.
    pub(super) async fn answers(&self) -> sqlx::Result<()> {
        self.holder.check()?;
        timeout_at(Instant::now() + STATEMENT_LIMIT, self.pool.acquire()).await.map_err(|_| no_answer(STATEMENT_LIMIT))?.map(drop)
    }

    /// Takes a connection, on which everything together may take this long.
    async fn hold(&self, limit: Duration) -> sqlx::Result<Transaction<DB>> {
        self.holder.check()?;
        let limit = limit + ALLOWANCE;
        let deadline = Instant::now() + limit;
        let connection = timeout_at(deadline, self.pool.acquire()).await.map_err(|_| no_answer(limit))??;
        Ok(Transaction { connection, deadline, limit, is_done: false })
    }
}

impl Limited<Postgres> {
    /// Begins a transaction, whose statements may each take this long.
    pub(super) async fn begin(&self, limit: Duration) -> sqlx::Result<Transaction<Postgres>> {
        let mut transaction = self.hold(limit).await?;
        match limit {
            STATEMENT_LIMIT => transaction.execute("BEGIN").await?,
            _ => {
                let begin = format!("BEGIN; SET LOCAL statement_timeout = {}", limit.as_millis());
                transaction.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(begin))).await?
            }
        };
        Ok(transaction)
    }
}

impl Limited<Sqlite> {
    /// Begins a transaction that writes.
    pub(super) async fn begin(&self, limit: Duration) -> sqlx::Result<Transaction<Sqlite>> {
        let mut transaction = self.hold(limit).await?;
        // A deferred transaction that reads first fails at once when another process has written meanwhile.
        transaction.execute("BEGIN IMMEDIATE").await?;
        Ok(transaction)
    }
}

/// A transaction that the driver does not know of. One that is left half done is rolled back by closing its connection: on a full disk SQLite
/// may have rolled back by itself, and a server that does not answer would not take a `ROLLBACK` either.
pub(super) struct Transaction<DB: sqlx::Database> {
    connection: PoolConnection<DB>,
    deadline: Instant,
    limit: Duration,
    is_done: bool,
}

impl<DB: sqlx::Database> Transaction<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    /// Runs a statement.
    pub(super) async fn execute<'q>(&mut self, query: impl Execute<'q, DB> + 'q) -> sqlx::Result<DB::QueryResult> {
        let connection: &mut DB::Connection = &mut self.connection;
        timeout_at(self.deadline, connection.execute(query)).await.map_err(|_| no_answer(self.limit))?
    }

    /// Runs a statement that finds one row at most.
    pub(super) async fn fetch_optional<'q>(&mut self, query: impl Execute<'q, DB> + 'q) -> sqlx::Result<Option<DB::Row>> {
        let connection: &mut DB::Connection = &mut self.connection;
        timeout_at(self.deadline, connection.fetch_optional(query)).await.map_err(|_| no_answer(self.limit))?
    }

    /// Keeps what was done.
    pub(super) async fn commit(mut self) -> sqlx::Result<()> {
        self.execute("COMMIT").await?;
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

fn no_answer(limit: Duration) -> sqlx::Error {
    Unavailable::NoAnswer(limit).into()
}

/// A statement's answer, which ends with an error when its time is over.
struct InTime<'e, T> {
    /// None: its time is over.
    answer: Option<BoxStream<'e, sqlx::Result<T>>>,
    sleep: Pin<Box<Sleep>>,
}

impl<'e, T> InTime<'e, T> {
    fn new(answer: BoxStream<'e, sqlx::Result<T>>) -> Self {
        Self { answer: Some(answer), sleep: Box::pin(tokio::time::sleep(STATEMENT_LIMIT + ALLOWANCE)) }
    }
}

impl<T> Stream for InTime<'_, T> {
    type Item = sqlx::Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { answer: Some(answer), sleep } = &mut *self else { return Poll::Ready(None) };
        if sleep.as_mut().poll(context).is_ready() {
            self.answer = None;
            return Poll::Ready(Some(Err(no_answer(STATEMENT_LIMIT + ALLOWANCE))));
        }
        answer.poll_next_unpin(context)
    }
}

impl<'p, DB: sqlx::Database> Executor<'p> for &'_ Limited<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    type Database = DB;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, sqlx::Result<Either<DB::QueryResult, DB::Row>>>
    where
        E: 'q + Execute<'q, DB>,
    {
        match self.holder.check() {
            Ok(()) => InTime::new((&self.pool).fetch_many(query)).boxed(),
            Err(error) => stream::once(future::ready(Err(error))).boxed(),
        }
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<DB::Row>>>
    where
        E: 'q + Execute<'q, DB>,
    {
        let allowed = self.holder.check();
        let found = (&self.pool).fetch_optional(query);
        Box::pin(async move {
            allowed?;
            let limit = STATEMENT_LIMIT + ALLOWANCE;
            tokio::time::timeout(limit, found).await.map_err(|_| no_answer(limit))?
        })
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [DB::TypeInfo]) -> BoxFuture<'e, sqlx::Result<DB::Statement>>
    where
        'p: 'e,
    {
        (&self.pool).prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<sqlx::Describe<DB>>>
    where
        'p: 'e,
    {
        (&self.pool).describe(sql)
    }
}
