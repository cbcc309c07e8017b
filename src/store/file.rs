//! Reads of single rows from a file of SQLite, on the thread of whoever reads: that takes less than to hand the question to another thread.

use std::{
    fmt, mem,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Params, Row};

/// Connections that are kept for the next. More than so many read at once only where runs hold each other up.
const MAX_IDLE: usize = 8;

/// Connections to a file, which read.
pub(super) struct FileReader {
    path: PathBuf,
    /// None: the store is closed.
    idle: Mutex<Option<Vec<Connection>>>,
}

impl FileReader {
    /// Makes it without opening the file.
    pub fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::new(Some(Vec::new())) }
    }

    /// Reads a row, if it is there. None: somebody else has to, who can wait or say what is wrong.
    pub fn row<T>(&self, sql: &str, parameters: impl Params, read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>) -> Option<Option<T>> {
        let left = self.idle().as_mut()?.pop();
        let connection = left.map_or_else(|| self.open(), Ok).ok()?;
        let row = connection.prepare_cached(sql).and_then(|mut statement| statement.query_row(parameters, read).optional());
        if let Some(idle) = self.idle().as_mut().filter(|idle| idle.len() < MAX_IDLE) {
            idle.push(connection);
        }
        row.ok()
    }

    /// Closes what is open, for good.
    pub fn close(&self) {
        drop(mem::take(&mut *self.idle()));
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(Duration::ZERO)?;
        Ok(connection)
    }

    fn idle(&self) -> MutexGuard<'_, Option<Vec<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for FileReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileReader").field("path", &self.path).finish_non_exhaustive()
    }
}
