//! A transaction on Postgres.

use std::time::Instant;

use async_trait::async_trait;

use super::session::Session;
use crate::capability::sql::{Rows, SqlError, SqlErrorKind, Statement, StatementBounds, Transaction};

/// A session that is in a transaction. Dropped before the end it is closed, which rolls back.
pub struct PostgresTransaction {
    session: Session,
    deadline: Instant,
    /// A statement has failed, and with it the transaction.
    has_failed: bool,
}

impl PostgresTransaction {
    /// Begins a transaction, in which the server ends every statement that outlasts the deadline.
    pub async fn begin(session: Session, deadline: Instant) -> Result<Self, SqlError> {
        let limit = session.statement_limit(deadline).as_millis().max(1);
        Self::begin_with(session, deadline, &format!("SET LOCAL statement_timeout = {limit}")).await
    }

    /// Begins a transaction with these settings. They are in one message with `BEGIN`, and cost no round trip of their own.
    pub async fn begin_with(mut session: Session, deadline: Instant, settings: &str) -> Result<Self, SqlError> {
        session.command(format!("BEGIN; {settings}"), deadline).await?;
        Ok(Self { session, deadline, has_failed: false })
    }
}

#[async_trait]
impl Transaction for PostgresTransaction {
    async fn query(&mut self, statement: &Statement, bounds: StatementBounds) -> Result<Rows, SqlError> {
        if self.has_failed {
            return Err(failed());
        }
        let bounds = StatementBounds { deadline: bounds.deadline.min(self.deadline), ..bounds };
        let answer = self.session.query(statement, bounds).await;
        self.has_failed = answer.is_err();
        answer
    }

    async fn commit(mut self: Box<Self>) -> Result<(), SqlError> {
        if self.has_failed {
            self.rollback().await;
            return Err(failed());
        }
        match self.session.command("COMMIT".into(), self.deadline).await {
            Ok(()) => {
                self.session.rest();
                Ok(())
            }
            Err(error) if matches!(error.kind, SqlErrorKind::Timeout | SqlErrorKind::Unavailable) => {
                Err(SqlError { message: format!("{}; whether the transaction was committed is not known", error.message), ..error })
            }
            Err(error) => Err(error),
        }
    }

    async fn rollback(mut self: Box<Self>) {
        // Where a rollback fails, the connection is closed, which does the same.
        if self.session.command("ROLLBACK".into(), self.deadline).await.is_ok() {
            self.session.rest();
        }
    }
}

fn failed() -> SqlError {
    SqlError::new(SqlErrorKind::Statement, "the transaction has failed with an earlier statement, and nothing of it stays").code("25P02")
}
