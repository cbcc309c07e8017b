//! A database on Postgres. Its login role is the limit of what scripts can do: there is no wider one behind it.

mod column;
mod error;
mod form;
mod migrate;
mod numeric;
mod parameter;
mod session;
mod transaction;

use std::{sync::Arc, time::Instant};

use sqlx::postgres::PgConnectOptions;

use self::{
    session::{Server, Session},
    transaction::PostgresTransaction,
};
use super::{
    migrations::{Failure, Migration, Mode},
    settings::DatabaseSettings,
};
use crate::{
    blocking::as_task,
    capability::sql::{Rows, SqlError, Statement, StatementBounds, Transaction},
    function::FilePath,
};

/// A database and its connections.
#[derive(Clone)]
pub struct Postgres(Arc<Server>);

impl Postgres {
    /// Makes it without connecting.
    pub fn new(options: PgConnectOptions, settings: &DatabaseSettings) -> Self {
        Self(Arc::new(Server::new(options, settings)))
    }

    /// Runs one statement in a transaction of its own. It waits for a connection and for the server, several times: a task does that, so that
    /// the thread of a script is woken once.
    pub async fn query(&self, statement: &Statement, bounds: StatementBounds) -> Result<Rows, SqlError> {
        let (server, statement) = (self.clone(), statement.clone());
        as_task(async move { server.query_here(&statement, bounds).await }).await
    }

    async fn query_here(&self, statement: &Statement, bounds: StatementBounds) -> Result<Rows, SqlError> {
        let session = Session::open(&self.0, bounds.deadline).await?;
        // The server would commit while its answer is still being read, and may turn out to be too large.
        if !statement.text.to_ascii_uppercase().contains("RETURNING") {
            return session.query_alone(statement, bounds).await;
        }
        let mut transaction = Box::new(PostgresTransaction::begin(session, bounds.deadline).await?);
        let rows = transaction.query(statement, bounds).await;
        match rows {
            Ok(rows) => transaction.commit().await.map(|()| rows),
            Err(error) => {
                transaction.rollback().await;
                Err(error)
            }
        }
    }

    /// Begins a transaction.
    pub async fn begin(&self, deadline: Instant) -> Result<Box<dyn Transaction>, SqlError> {
        Ok(Box::new(PostgresTransaction::begin(Session::open(&self.0, deadline).await?, deadline).await?))
    }

    /// Applies the migrations that are pending, or tries them. Returns those that it applied.
    pub async fn migrate(&self, migrations: &[Migration], mode: Mode) -> Result<Vec<FilePath>, Failure> {
        migrate::migrate(&self.0, migrations, mode).await
    }
}
