//! The only way to a database's connections. Every statement ends in time, and none writes while another node has the database.
//!
//! Postgres itself ends a statement after [`STATEMENT_LIMIT`], which `connect` sets. The limits here are somewhat longer, for a server that does
//! not answer at all.

mod executor;
mod fence;
mod transaction;

use std::time::Duration;

pub(super) use fence::{Fence, HOLDERS, TRY_LOCK};
use tokio::time::{Instant, timeout_at};
pub(super) use transaction::Transaction;

use super::error::Unavailable;

/// The longest that one statement may run, or wait for a lock.
pub(super) const STATEMENT_LIMIT: Duration = Duration::from_secs(5);
/// The longest for a statement over many rows: a large deployment, a slice of old executions.
pub(super) const LONG_LIMIT: Duration = Duration::from_secs(60);
/// Added to both limits here, for the wait for a connection, and for the database to report first that a statement took too long.
const ALLOWANCE: Duration = Duration::from_secs(7);

/// Connections whose statements end in time.
#[derive(Debug)]
pub(super) struct Pool<DB: sqlx::Database> {
    connections: sqlx::Pool<DB>,
    /// Whether these connections may be used now.
    fence: Fence,
}

impl<DB: sqlx::Database> Clone for Pool<DB> {
    fn clone(&self) -> Self {
        Self { connections: self.connections.clone(), fence: self.fence.clone() }
    }
}

impl<DB: sqlx::Database> Pool<DB> {
    pub(super) fn new(connections: sqlx::Pool<DB>, fence: Fence) -> Self {
        Self { connections, fence }
    }

    /// Waits until running statements have ended, and closes every connection.
    pub(super) async fn close(&self) {
        self.connections.close().await;
    }

    /// Returns whether the database answers.
    pub(super) async fn answers(&self) -> sqlx::Result<()> {
        self.fence.check_session()?;
        timeout_at(Instant::now() + STATEMENT_LIMIT, self.connections.acquire()).await.map_err(|_| no_answer(STATEMENT_LIMIT))?.map(drop)
    }

    /// Takes a connection. All statements on it together may take this long.
    async fn acquire(&self, limit: Duration) -> sqlx::Result<Transaction<DB>> {
        self.fence.check()?;
        let limit = limit + ALLOWANCE;
        let deadline = Instant::now() + limit;
        let connection = timeout_at(deadline, self.connections.acquire()).await.map_err(|_| no_answer(limit))??;
        Ok(Transaction::new(connection, deadline, limit))
    }
}

fn no_answer(limit: Duration) -> sqlx::Error {
    Unavailable::NoAnswer(limit).into()
}
