//! The two databases: their connections, and what runs on either.

use std::sync::Arc;

use sqlx::{Postgres, Sqlite};

use super::{file::FileReader, pool::Pool};

/// An open database.
#[derive(Debug, Clone)]
pub(super) enum Database {
    /// The writer and the readers are the same connections. A node writes only while it holds the database.
    Postgres { writer: Pool<Postgres>, readers: Pool<Postgres>, kv_readers: Pool<Postgres> },
    /// SQLite has one writer at a time. The writer is one connection, so that writers queue here and do not fail there.
    /// With `kv_file`, functions read there first.
    Sqlite { writer: Pool<Sqlite>, readers: Pool<Sqlite>, kv_readers: Pool<Sqlite>, kv_file: Option<Arc<FileReader>> },
}

/// Connections to SQLite on which listings are read, beside the one writer.
pub(super) const LISTING_READERS: u32 = 4;
/// Connections on which functions read key-value. Nothing else is read there, so a function waits for no listing.
pub(super) const KV_READERS: u32 = 4;

/// Runs one query on some of the connections: the same text on both databases, each with its own driver.
macro_rules! run_on {
    ($store:expr, $connections:ident, $pool:ident => $query:expr) => {
        match &$store.database {
            $crate::store::database::Database::Postgres { $connections: $pool, .. } => $query.await,
            $crate::store::database::Database::Sqlite { $connections: $pool, .. } => $query.await,
        }
    };
}
pub(super) use run_on;

/// Runs a query on the connections for reading.
macro_rules! read {
    ($store:expr, $pool:ident => $query:expr) => {
        $crate::store::database::run_on!($store, readers, $pool => $query)
    };
}
pub(super) use read;

/// Runs a query on the connections for reading key-value.
macro_rules! read_kv {
    ($store:expr, $pool:ident => $query:expr) => {
        $crate::store::database::run_on!($store, kv_readers, $pool => $query)
    };
}
pub(super) use read_kv;

/// Runs a query on the connections for writing.
macro_rules! change {
    ($store:expr, $pool:ident => $query:expr) => {
        $crate::store::database::run_on!($store, writer, $pool => $query)
    };
}
pub(super) use change;

impl Database {
    /// Returns the SQL function that finds the position of a text in another.
    pub(super) fn position(&self) -> &'static str {
        match self {
            Self::Postgres { .. } => "strpos",
            Self::Sqlite { .. } => "instr",
        }
    }

    /// Returns a query for the texts of the JSON array that is the first parameter. An `ON CONFLICT` may follow it.
    pub(super) fn texts_of_json(&self) -> &'static str {
        match self {
            Self::Postgres { .. } => "SELECT value FROM json_array_elements_text(CAST($1 AS json)) AS value",
            // Without `WHERE`, SQLite takes `ON` for a part of a join.
            Self::Sqlite { .. } => "SELECT value FROM json_each($1) WHERE true",
        }
    }

    /// Returns what a query reads the arrays in the JSON array from that is the first parameter, each as `value`. An `ON CONFLICT` may follow it.
    pub(super) fn rows_of_json(&self) -> &'static str {
        match self {
            Self::Postgres { .. } => "json_array_elements(CAST($1 AS json)) AS rows (value)",
            Self::Sqlite { .. } => "jsonb_each($1) WHERE true",
        }
    }

    /// Returns whether the database answers, and may be written to.
    pub(super) async fn answers(&self) -> bool {
        match self {
            Self::Postgres { writer, .. } => writer.answers().await.is_ok(),
            Self::Sqlite { writer, .. } => writer.answers().await.is_ok(),
        }
    }

    /// Waits until running statements have ended, and closes every connection.
    pub(super) async fn close(&self) {
        match self {
            Self::Postgres { writer, kv_readers, .. } => {
                kv_readers.close().await;
                writer.close().await;
            }
            Self::Sqlite { writer, readers, kv_readers, kv_file } => {
                // The last connection to close folds the write-ahead log into the file. Only the writer may do that, so the readers go first.
                readers.close().await;
                kv_readers.close().await;
                kv_file.iter().for_each(|file| file.close());
                writer.close().await;
            }
        }
    }
}
