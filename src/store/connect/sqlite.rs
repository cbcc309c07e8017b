//! Opens SQLite files.

use std::{path::Path, sync::Arc, time::Duration};

use sqlx::{
    ConnectOptions as _, Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{CONNECT_LIMIT, DatabaseUrl, close, schema};
use crate::store::{
    StoreError,
    database::{Database, KV_READERS, LISTING_READERS},
    file::FileReader,
    pool::{Fence, Pool},
};

/// The longest that a statement waits for another process that writes to the same file.
const BUSY_LIMIT: Duration = Duration::from_secs(5);

impl DatabaseUrl {
    /// Opens the file for a node or a command that writes.
    pub(super) async fn open_sqlite(&self, path: &Path, fence: Fence) -> Result<Database, StoreError> {
        let (options, connection) = self.migrate_sqlite(path, None).await?;
        let writer = sqlite_pool(1).connect_lazy_with(options.optimize_on_close(true, None));
        let readers = |count| Pool::new(sqlite_pool(count).connect_lazy_with(sqlite_options(path).read_only(true)), Fence::default());
        // The migrating connection must not be the last one to close: that would fold in the write-ahead log and make it anew.
        writer.acquire().await.map_err(|source| StoreError::connect(self.describe(), source))?;
        close(connection).await;
        fence.bind(path);
        Ok(Database::Sqlite {
            writer: Pool::new(writer, fence),
            readers: readers(LISTING_READERS),
            kv_readers: readers(KV_READERS),
            kv_file: Some(Arc::new(FileReader::new(path.into()))),
        })
    }

    /// Opens the file for reading.
    pub(super) async fn open_sqlite_read_only(&self, path: &Path) -> Result<Database, StoreError> {
        close(self.read_sqlite(path).await?).await;
        let readers = sqlite_pool(LISTING_READERS).connect_lazy_with(sqlite_options(path).read_only(true));
        let readers = Pool::new(readers, Fence::default());
        Ok(Database::Sqlite { writer: readers.clone(), kv_readers: readers.clone(), readers, kv_file: None })
    }

    /// Makes the file if it is missing, and brings its tables up to date, or to an earlier schema.
    pub(in crate::store) async fn migrate_sqlite(
        &self,
        path: &Path,
        up_to: Option<i64>,
    ) -> Result<(SqliteConnectOptions, SqliteConnection), StoreError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|source| StoreError::Folder { path: folder.into(), source })?;
        }
        self.must_be_ours_or_new(path).await?;
        let options =
            sqlite_options(path).create_if_missing(true).journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Normal);
        let mut connection = self.connect_sqlite(&options).await?;
        self.migrated(schema::SQLITE.run_direct(up_to, &mut connection, false)).await?;
        Ok((options, connection))
    }

    /// Refuses a file with the tables of another program, before anything in it is changed.
    async fn must_be_ours_or_new(&self, path: &Path) -> Result<(), StoreError> {
        if !std::fs::metadata(path).is_ok_and(|file| file.len() > 0) {
            return Ok(());
        }
        let mut connection = self.connect_sqlite(&sqlite_options(path).read_only(true)).await?;
        let tables: sqlx::Result<Vec<String>> =
            sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'").fetch_all(&mut connection).await;
        close(connection).await;
        let tables = tables.map_err(|source| StoreError::connect(self.describe(), source))?;
        match tables.is_empty() || tables.iter().any(|table| table == "_sqlx_migrations") {
            true => Ok(()),
            false => Err(StoreError::Foreign { place: self.describe() }),
        }
    }

    /// Connects to a file that a node of this version has made, for reading.
    pub(in crate::store) async fn read_sqlite(&self, path: &Path) -> Result<SqliteConnection, StoreError> {
        if !path.exists() {
            return Err(StoreError::NoDatabase { place: self.describe() });
        }
        let mut connection = self.connect_sqlite(&sqlite_options(path).read_only(true)).await?;
        self.check_schema(&schema::SQLITE, &mut connection).await?;
        Ok(connection)
    }

    /// Connects once, outside any pool.
    pub(in crate::store) async fn connect_sqlite(&self, options: &SqliteConnectOptions) -> Result<SqliteConnection, StoreError> {
        self.in_time(SqliteConnection::connect_with(options)).await
    }
}

/// The options of every connection to a file.
pub(in crate::store) fn sqlite_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).busy_timeout(BUSY_LIMIT).foreign_keys(true).disable_statement_logging()
}

fn sqlite_pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(CONNECT_LIMIT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}
