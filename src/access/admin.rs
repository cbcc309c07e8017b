//! The admin token: that of the data folder, which works without a database.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use super::new_secret;
use crate::secret::Secret;

/// The admin token, and the file that it is in.
pub struct AdminToken {
    file: PathBuf,
    secret: RwLock<Secret>,
}

impl AdminToken {
    /// Reads it from its file.
    pub fn read(file: PathBuf) -> io::Result<Self> {
        let secret = RwLock::new(read(&file)?);
        Ok(Self { file, secret })
    }

    /// Returns whether this is it. One that was emptied matches nothing, because nothing is no token.
    pub fn matches(&self, sent: &[u8]) -> bool {
        self.secret.read().unwrap_or_else(PoisonError::into_inner).matches(sent)
    }

    /// Draws another, which is in the file before it counts. The one before is worth nothing from then on.
    pub fn rotate(&self) -> io::Result<()> {
        let mut secret = self.secret.write().unwrap_or_else(PoisonError::into_inner);
        *secret = draw(&self.file)?;
        Ok(())
    }
}

/// Returns the admin token that a file holds.
pub fn read(file: &Path) -> io::Result<Secret> {
    Ok(Secret::new(fs::read_to_string(file)?.trim()))
}

/// Writes a new admin token to a file, for its owner alone.
pub fn draw(file: &Path) -> io::Result<Secret> {
    // On a full disk there must be no token rather than an empty one.
    let next = file.with_extension("next");
    let secret = new_secret()?;
    let mut written = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&next)?;
    writeln!(written, "{}", secret.expose())?;
    written.sync_all()?;
    fs::rename(&next, file)?;
    Ok(secret)
}
