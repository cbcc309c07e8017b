//! The only way to a database's connections. No statement here waits for ever, and none writes while another node has the database.
//!
//! Postgres ends a statement by itself after [`STATEMENT_LIMIT`], which `connect` tells it. The limits here are somewhat longer, and hold where no
//! answer comes at all.

use std::{
    fs::Metadata,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{
    Stream, StreamExt as _,
    future::{self, BoxFuture},
    stream::{self, BoxStream},
};
use sqlx::{AssertSqlSafe, Either, Execute, Executor, Pool, Postgres, Row as _, SqlStr, Sqlite, pool::PoolConnection};
use tokio::time::{Instant, Sleep, timeout_at};

use super::error::Unavailable;

/// The sessions that have the advisory lock of this database and schema: `picl`, and what the schema's name makes.
pub(super) const HOLDERS: &str = "
    SELECT pid FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 2
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND CAST(classid AS bigint) = 1885954924
        AND CAST(objid AS bigint) = CAST(hashtext(current_schema()) AS bigint) & 4294967295";

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
    /// Whether these connections may be used now.
    hold: Hold,
}

impl<DB: sqlx::Database> Clone for Limited<DB> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), hold: self.hold.clone() }
    }
}

/// What a writer must have. Readers, and commands on Postgres, need nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Hold(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    /// The other node that has the database, if this one has lost it and knows.
    other: Option<String>,
    /// Postgres' number of the session that has this node's lock. Each transaction asks whether it still has it.
    session: Option<i32>,
    /// Why that session has ended, until there is a new one.
    broken: Option<String>,
    /// The file that was opened.
    file: Option<(PathBuf, (u64, u64))>,
}

impl Hold {
    /// Another node has the database.
    pub(super) fn lose(&self, other: String) {
        self.held().other = Some(other);
    }

    /// This session has the lock.
    pub(super) fn take(&self, session: i32) {
        let mut held = self.held();
        (held.other, held.broken) = (None, None);
        held.session = Some(session);
    }

    /// The session that had the lock has ended, or there is none again yet.
    pub(super) fn break_off(&self, why: String) {
        self.held().broken = Some(why);
    }

    /// Only the file that lies here now is written to.
    pub(super) fn bind(&self, path: &Path) {
        self.held().file = path.metadata().ok().map(|file| (path.into(), inode(&file)));
    }

    fn check(&self) -> sqlx::Result<()> {
        let held = self.held();
        if let Some(other) = &held.other {
            return Err(Unavailable::OtherNode(other.clone()).into());
        }
        match &held.file {
            Some((path, opened)) if !path.metadata().is_ok_and(|file| inode(&file) == *opened) => {
                Err(Unavailable::FileGone(path.clone()).into())
            }
            _ => Ok(()),
        }
    }

    /// The same for a statement that does not ask whether the lock is still held.
    fn check_unasked(&self) -> sqlx::Result<()> {
        self.check()?;
        match &self.held().broken {
            Some(why) => Err(Unavailable::NotHeld(why.clone()).into()),
            None => Ok(()),
        }
    }

    /// Returns the question whether the lock is still held.
    fn question(&self) -> Option<String> {
        self.held().session.map(|session| format!("SELECT EXISTS (SELECT 1 FROM ({HOLDERS}) AS holders WHERE pid = {session})"))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn inode(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

impl<DB: sqlx::Database> Limited<DB> {
    /// Limits a pool.
    pub(super) fn new(pool: Pool<DB>, hold: Hold) -> Self {
        Self { pool, hold }
    }

    /// Waits until what runs has ended, and closes every connection.
    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    /// Returns whether the database answers.
    pub(super) async fn answers(&self) -> sqlx::Result<()> {
        self.hold.check_unasked()?;
        timeout_at(Instant::now() + STATEMENT_LIMIT, self.pool.acquire()).await.map_err(|_| no_answer(STATEMENT_LIMIT))?.map(drop)
    }

    /// Takes a connection, on which everything together may take this long.
    async fn hold(&self, limit: Duration) -> sqlx::Result<Transaction<DB>> {
        self.hold.check()?;
        let limit = limit + ALLOWANCE;
        let deadline = Instant::now() + limit;
        let connection = timeout_at(deadline, self.pool.acquire()).await.map_err(|_| no_answer(limit))??;
        Ok(Transaction { connection, deadline, limit, is_done: false })
    }
}

impl Limited<Postgres> {
    /// Begins a transaction, whose statements may each take this long. A node's only begins while it has the database.
    pub(super) async fn begin(&self, limit: Duration) -> sqlx::Result<Transaction<Postgres>> {
        let mut transaction = self.hold(limit).await?;
        let mut begin = "BEGIN".to_owned();
        if limit != STATEMENT_LIMIT {
            begin += &format!("; SET LOCAL statement_timeout = {}", limit.as_millis());
        }
        let Some(question) = self.hold.question() else {
            transaction.execute(sqlx::raw_sql(AssertSqlSafe(begin))).await?;
            return Ok(transaction);
        };
        // In one message: the answer takes no time of its own.
        let held = transaction.fetch_optional(sqlx::raw_sql(AssertSqlSafe(format!("{begin}; {question}")))).await?;
        match held.map(|row| row.try_get(0)).transpose()? {
            Some(true) => Ok(transaction),
            _ => Err(Unavailable::NotHeld("it is made again".into()).into()),
        }
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
        match self.hold.check_unasked() {
            Ok(()) => InTime::new((&self.pool).fetch_many(query)).boxed(),
            Err(error) => stream::once(future::ready(Err(error))).boxed(),
        }
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<DB::Row>>>
    where
        E: 'q + Execute<'q, DB>,
    {
        let allowed = self.hold.check_unasked();
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
