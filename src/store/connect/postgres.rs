//! Opens Postgres databases.

use std::time::Duration;

use sqlx::{
    Connection as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{CONNECT_LIMIT, DatabaseUrl, close, schema};
use crate::store::{
    StoreError,
    database::{Database, KV_READERS},
    pool::{Fence, Pool, STATEMENT_LIMIT},
    sql_emit,
};

/// The limits of a statement on a connection of its own, and of its wait for a lock. Migrations, backups and copies read whole tables.
const PATIENT_LIMITS: (Duration, Duration) = (Duration::from_secs(3600), Duration::from_secs(60));
/// A node writes executions on one connection and deployments on another. The rest is for listings.
const POSTGRES_CONNECTIONS: u32 = 6;
/// Long, because sqlx wakes up once in this time to look for connections to close.
const POSTGRES_IDLE: Duration = Duration::from_secs(3600);

impl DatabaseUrl {
    /// Opens the database for a node or a command that writes.
    pub(super) async fn open_postgres(&self, options: &PgConnectOptions, fence: Fence) -> Result<Database, StoreError> {
        let mut connection = self.migrate_postgres(options, None).await?;
        sql_emit::offer(&mut connection).await;
        close(connection).await;
        Ok(postgres_database(options, fence))
    }

    /// Opens the database for reading.
    pub(super) async fn open_postgres_read_only(&self, options: &PgConnectOptions) -> Result<Database, StoreError> {
        close(self.read_postgres(options).await?).await;
        Ok(postgres_database(&read_only(options), Fence::default()))
    }

    /// Brings the tables up to date, or to an earlier schema.
    pub(in crate::store) async fn migrate_postgres(
        &self,
        options: &PgConnectOptions,
        up_to: Option<i64>,
    ) -> Result<PgConnection, StoreError> {
        let mut connection = self.connect_postgres(options).await?;
        self.migrated(schema::POSTGRES.run_direct(up_to, &mut connection, false)).await?;
        Ok(connection)
    }

    /// Connects to a database that a node of this version has made, for reading.
    pub(in crate::store) async fn read_postgres(&self, options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
        let mut connection = self.connect_postgres(&read_only(options)).await?;
        self.check_schema(&schema::POSTGRES, &mut connection).await?;
        Ok(connection)
    }

    /// Connects once, outside any pool: a pool would hide a refusal, and try again until its time limit.
    pub(in crate::store) async fn connect_postgres(&self, options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
        let (statement, lock) = PATIENT_LIMITS;
        self.in_time(PgConnection::connect_with(&with_limits(options, statement, lock))).await
    }
}

/// Has Postgres end every statement that takes longer, or waits longer for a lock.
fn with_limits(options: &PgConnectOptions, statement: Duration, lock: Duration) -> PgConnectOptions {
    let limits = [("statement_timeout", statement), ("lock_timeout", lock)];
    options.clone().options(limits.map(|(name, limit)| (name, limit.as_millis())))
}

fn read_only(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().options([("default_transaction_read_only", "on")])
}

fn postgres_database(options: &PgConnectOptions, fence: Fence) -> Database {
    let pool = postgres_pool(options, POSTGRES_CONNECTIONS);
    let kv_readers = Pool::new(postgres_pool(options, KV_READERS), Fence::default());
    Database::Postgres { writer: Pool::new(pool.clone(), fence), readers: Pool::new(pool, Fence::default()), kv_readers }
}

fn postgres_pool(options: &PgConnectOptions, connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(CONNECT_LIMIT)
        .idle_timeout(POSTGRES_IDLE)
        .max_lifetime(None)
        // The pool itself would wait without a limit until a returned connection answers. One that does not answer must leave the pool.
        .after_release(|connection, _| {
            Box::pin(async { Ok(matches!(tokio::time::timeout(CONNECT_LIMIT, connection.ping()).await, Ok(Ok(())))) })
        })
        .connect_lazy_with(with_limits(options, STATEMENT_LIMIT, STATEMENT_LIMIT))
}
