//! Runs single statements with a time limit.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{
    Stream, StreamExt as _,
    future::{self, BoxFuture},
    stream::{self, BoxStream},
};
use sqlx::{Either, Execute, Executor, SqlStr};
use tokio::time::Sleep;

use super::{ALLOWANCE, Pool, STATEMENT_LIMIT, no_answer};

/// The answer to a statement. It ends with an error when the time is over.
struct TimedAnswer<'e, T> {
    /// None: the time is over.
    answer: Option<BoxStream<'e, sqlx::Result<T>>>,
    sleep: Pin<Box<Sleep>>,
}

impl<'e, T> TimedAnswer<'e, T> {
    fn new(answer: BoxStream<'e, sqlx::Result<T>>) -> Self {
        Self { answer: Some(answer), sleep: Box::pin(tokio::time::sleep(STATEMENT_LIMIT + ALLOWANCE)) }
    }
}

impl<T> Stream for TimedAnswer<'_, T> {
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

impl<'p, DB: sqlx::Database> Executor<'p> for &'_ Pool<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    type Database = DB;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, sqlx::Result<Either<DB::QueryResult, DB::Row>>>
    where
        E: 'q + Execute<'q, DB>,
    {
        match self.fence.check_session() {
            Ok(()) => TimedAnswer::new((&self.connections).fetch_many(query)).boxed(),
            Err(error) => stream::once(future::ready(Err(error))).boxed(),
        }
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<DB::Row>>>
    where
        E: 'q + Execute<'q, DB>,
    {
        let allowed = self.fence.check_session();
        let found = (&self.connections).fetch_optional(query);
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
        (&self.connections).prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<sqlx::Describe<DB>>>
    where
        'p: 'e,
    {
        (&self.connections).describe(sql)
    }
}
