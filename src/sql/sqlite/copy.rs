//! Copies a database as it is at one moment.

use std::path::{Path, PathBuf};

use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};

/// A database that could not be copied.
#[derive(Debug, thiserror::Error)]
#[error("cannot copy the database `{}`", path.display())]
pub struct NotCopied {
    path: PathBuf,
    source: rusqlite::Error,
}

/// Copies a database into a new file. Others read and write it meanwhile; what they change then is not in the copy. Holds a few MiB of it in
/// memory at most.
pub fn copy(path: &Path, to: &Path) -> Result<(), NotCopied> {
    pages(path, to).map_err(|source| NotCopied { path: path.into(), source })
}

fn pages(path: &Path, to: &Path) -> rusqlite::Result<()> {
    // Not only for reading: what a killed node has left in the log is brought into the file.
    let from = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    from.busy_timeout(super::BUSY_LIMIT)?;
    let mut target = Connection::open(to)?;
    // A half copy is of no use, so nothing is there to undo it.
    target.pragma_update_and_check(None, "journal_mode", "off", |_| Ok(()))?;
    let backup = Backup::new(&from, &mut target)?;
    // All pages in one step, which is one moment. With several, each change in between would have it begin anew.
    match backup.step(-1)? {
        StepResult::Done => Ok(()),
        _ => Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None)),
    }
}
