//! Opens the file of a database, with every limit that SQLite has for what statements may use.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{OpenFlags, config::DbConfig, limits::Limit};

use super::guard::Guard;

/// Bytes of a page.
const PAGE_BYTES: u64 = 4096;
/// Statements that a connection keeps prepared.
const KEPT_STATEMENTS: usize = 64;
/// Most bytes of a statement, and of the pattern of a `LIKE`, for which time grows with the square.
const STATEMENT_BYTES: i32 = 1 << 20;
const PATTERN_BYTES: i32 = 4_096;
/// What is kept of the write-ahead log after a large transaction, in bytes.
const KEPT_LOG: i64 = 16 << 20;

/// How a file is opened.
#[derive(Debug, Clone)]
pub struct FileOptions {
    /// None: it is in memory, and gone with the connection.
    pub path: Option<PathBuf>,
    /// Whether this connection only reads.
    pub is_reader: bool,
    /// Most bytes of one value, and of a row.
    pub value_bytes: usize,
    /// Most bytes of the file.
    pub file_bytes: u64,
}

/// A connection, and what watches over it.
pub struct Connection {
    pub sqlite: rusqlite::Connection,
    pub guard: Arc<Guard>,
}

impl FileOptions {
    /// Opens the file, and makes it if it is missing.
    pub fn open(&self) -> rusqlite::Result<Connection> {
        // Without `URI`: a path is only a path.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let sqlite = match &self.path {
            Some(path) => {
                make_folder_of(path);
                rusqlite::Connection::open_with_flags(path, flags)?
            }
            None => rusqlite::Connection::open_in_memory_with_flags(flags)?,
        };
        self.set_up(&sqlite)?;
        self.limit(&sqlite)?;
        let guard = Guard::on(&sqlite)?;
        Ok(Connection { sqlite, guard })
    }

    fn set_up(&self, sqlite: &rusqlite::Connection) -> rusqlite::Result<()> {
        sqlite.busy_timeout(super::BUSY_LIMIT)?;
        if self.path.is_some() {
            sqlite.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        }
        sqlite.pragma_update(None, "synchronous", "normal")?;
        sqlite.pragma_update_and_check(None, "journal_size_limit", KEPT_LOG, |_| Ok(()))?;
        sqlite.pragma_update_and_check(None, "max_page_count", (self.file_bytes / PAGE_BYTES) as i64, |_| Ok(()))?;
        sqlite.pragma_update(None, "foreign_keys", true)?;
        sqlite.pragma_update(None, "query_only", self.is_reader)?;
        sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        // A name in double quotes that is none would silently be a text.
        sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
        sqlite.set_prepared_statement_cache_capacity(KEPT_STATEMENTS);
        Ok(())
    }

    fn limit(&self, sqlite: &rusqlite::Connection) -> rusqlite::Result<()> {
        sqlite.set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::try_from(self.value_bytes).unwrap_or(i32::MAX))?;
        sqlite.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, STATEMENT_BYTES)?;
        sqlite.set_limit(Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN_BYTES)?;
        // Also keeps `VACUUM` from copying the file: it attaches a second one.
        sqlite.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        sqlite.set_limit(Limit::SQLITE_LIMIT_WORKER_THREADS, 0)?;
        Ok(())
    }
}

/// Makes the folder of databases. If that fails, opening the file says why.
fn make_folder_of(path: &Path) {
    if let Some(folder) = path.parent() {
        let _ = std::fs::create_dir_all(folder);
    }
}
