//! Seam 2: where deployments, versions and executions are kept. One SQL text for Postgres and for the SQLite inside.
//!
//! Executions arrive through the [`journal`], which never blocks a request. While the database is away, the journal keeps them in files.

mod audit;
mod batch;
mod columns;
mod connect;
mod database;
mod deployments;
mod error;
mod executions;
mod file;
mod filter;
mod gather;
pub mod journal;
pub mod kv;
pub mod lease;
mod pool;
pub mod queue;
pub mod retention;
mod secrets;
mod sql_emit;
mod stats;
mod tokens;
mod transaction;
pub mod transfer;

use std::{path::Path, sync::Arc};

use connect::DatabaseUrl;
use database::Database;
pub use deployments::{DecisionPage, DeploymentFilter, FindError, FunctionVersion, LIVE, LiveSpan, RecordOutcome, SHORTEST_REVISION};
pub use error::StoreError;
use executions::Words;
pub use executions::{Page, Turn};
pub use filter::{ExecutionFilter, FilterError, StatusFilter, StatusOrOutcome, function_name, parse_time};
pub use journal::{Journal, JournalSettings};
use kv::KvShared;
pub use kv::{KvFailure, KvLimits};
pub use lease::{Lease, LeaseChange};
use pool::Fence;
pub use retention::Retention;
pub use secrets::{PreviousValue, SealedSecret};
pub use stats::{StatsKey, StatsQuery, StatsScope};

/// The store: a cheap handle to be cloned.
#[derive(Debug, Clone)]
pub struct Store {
    database: Database,
    words: Arc<Words>,
    kv: Arc<KvShared>,
}

impl Store {
    /// Connects, and makes the database or brings it up to date.
    ///
    /// `url` is `sqlite` (a file `picloud.db` in the data folder), `sqlite:PATH`, or `postgres://…`.
    pub async fn open(url: &str, data_dir: &Path) -> Result<Self, StoreError> {
        Ok(Self::on(DatabaseUrl::parse(url, data_dir)?.bound().await?.open(Fence::default()).await?))
    }

    /// Opens the database for a node, which has it alone while it holds the lease.
    ///
    /// `identity` is a few letters. Nodes with different data folders have different ones.
    pub async fn open_as_node(url: &str, data_dir: &Path, identity: &str) -> Result<(Self, Lease), StoreError> {
        let url = DatabaseUrl::parse(url, data_dir)?.bound().await?;
        let lease = Lease::take(&url, identity).await?;
        let store = Self::on(url.open(lease.fence()).await?);
        Ok((store, lease))
    }

    /// Connects to a database that a node has made, without changing anything.
    pub async fn open_read_only(url: &str, data_dir: &Path) -> Result<Self, StoreError> {
        Ok(Self::on(DatabaseUrl::parse(url, data_dir)?.bound().await?.open_read_only().await?))
    }

    /// Connects to a database that a node of this version has made, for writing. The tables stay as they are, because a node may use them.
    pub async fn open_existing(url: &str, data_dir: &Path) -> Result<Self, StoreError> {
        Self::open_read_only(url, data_dir).await?.close().await;
        Self::open(url, data_dir).await
    }

    /// Names the database of a URL, without user and password.
    pub fn describe(url: &str, data_dir: &Path) -> Result<String, StoreError> {
        Ok(DatabaseUrl::parse(url, data_dir)?.describe())
    }

    fn on(database: Database) -> Self {
        Self { database, words: Arc::default(), kv: Arc::default() }
    }

    /// Returns whether the database answers, and may be written to.
    pub async fn answers(&self) -> bool {
        self.database.answers().await
    }

    /// Waits until running statements have ended, and closes every connection.
    pub async fn close(&self) {
        self.database.close().await;
    }
}
