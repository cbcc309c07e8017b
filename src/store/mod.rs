//! Seam 2: where deployments, versions and executions are kept. One SQL text for Postgres and for the SQLite inside.
//!
//! Executions arrive through the [`journal`], which never blocks a request and keeps them in the [`spool`] while the database is away.

mod append;
mod audit;
mod batch;
mod captures;
mod connect;
mod database;
mod deployments;
mod error;
mod executions;
pub mod feed;
mod filter;
pub mod journal;
pub mod lease;
mod limited;
mod lookup;
mod record;
pub mod retention;
mod sizes;
pub mod spool;
mod tokens;
pub mod transfer;
mod words;

use std::{path::Path, sync::Arc};

use database::Database;
use limited::Hold;

pub use deployments::FunctionVersion;
pub use error::StoreError;
pub use executions::Page;
pub use filter::{Ended, ExecutionFilter, FilterError, StatusFilter, function_name};
pub use journal::Journal;
pub use lease::Lease;
pub use lookup::{FindError, LIVE, SHORTEST_REVISION};
pub use record::Recorded;

/// The store: a cheap handle to be cloned.
#[derive(Debug, Clone)]
pub struct Store {
    database: Database,
    words: Arc<words::Words>,
}

impl Store {
    /// Connects, makes the database or brings it up to date.
    ///
    /// `url` is `sqlite` (a file `picloud.db` in the data folder), `sqlite:PATH`, or `postgres://…`.
    pub async fn open(url: &str, data_dir: &Path) -> Result<Self, StoreError> {
        Ok(Self::on(connect::Place::parse(url, data_dir)?.open(Hold::default()).await?))
    }

    /// The same for a node, which has the database alone while it holds the lease. Nodes with other data folders have other identities, of a few
    /// letters.
    pub async fn open_as_node(url: &str, data_dir: &Path, identity: &str) -> Result<(Self, Lease), StoreError> {
        let place = connect::Place::parse(url, data_dir)?;
        let lease = Lease::take(&place, identity).await?;
        let store = Self::on(place.open(lease.hold()).await?);
        Ok((store, lease))
    }

    /// Connects to a database that a node has made, without changing anything.
    pub async fn open_read_only(url: &str, data_dir: &Path) -> Result<Self, StoreError> {
        Ok(Self::on(connect::Place::parse(url, data_dir)?.open_read_only().await?))
    }

    /// Connects to a database that a node of this version has made, for writing. The tables stay as they are: a node may be using them.
    pub async fn open_existing(url: &str, data_dir: &Path) -> Result<Self, StoreError> {
        Self::open_read_only(url, data_dir).await?.close().await;
        Self::open(url, data_dir).await
    }

    /// Names the database that `url` leads to, without user and password.
    pub fn describe(url: &str, data_dir: &Path) -> Result<String, StoreError> {
        Ok(connect::Place::parse(url, data_dir)?.describe())
    }

    fn on(database: Database) -> Self {
        Self { database, words: Arc::default() }
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
