//! Moves a branch, as git would: with a lock beside the file.

use std::{
    io::{self, ErrorKind},
    path::Path,
};

use super::{HEADS, LOCK, in_the_way, read, resolve};
use crate::source::git::folder::Folder;

/// Why a branch was not moved.
#[derive(Debug)]
pub enum MoveError {
    /// It is elsewhere, or somebody is moving it just now.
    Moved,
    /// Another branch has its name as a folder, or the other way round.
    InTheWay(String),
    /// The system refused.
    Io(io::Error),
}

impl From<io::Error> for MoveError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Moves a branch to a commit, if it still is where it was (none: not there). Git cannot move it at the same time.
pub fn move_branch(repository: &Path, branch: &str, from: Option<&str>, to: &str) -> Result<(), MoveError> {
    let name = format!("{HEADS}{branch}");
    let before = read(repository, HEADS)?;
    // A branch that is another name of a branch moves that.
    let name = resolve(&before, &name).map_or(name.clone(), |(name, _)| name.to_owned());
    if let Some(other) = in_the_way(repository, &name)?.into_iter().next() {
        return Err(MoveError::InTheWay(other));
    }
    let (folder, file) = name.rsplit_once('/').unwrap_or(("refs", &name));
    let folder = Folder::open(repository)?.enter(folder)?;
    let lock = format!("{file}{LOCK}");
    let written = match folder.make(&lock, format!("{to}\n").as_bytes(), true) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(MoveError::Moved),
        made => made.and_then(|file| file.sync_all()).map_err(MoveError::Io),
    };
    let moved = written.and_then(|()| {
        // Whoever held the lock before may have moved it.
        let now = read(repository, HEADS)?;
        if resolve(&now, &name).and_then(|(_, commit)| commit) != from {
            return Err(MoveError::Moved);
        }
        // Where the branches `a/b` were, an empty folder may be left.
        let _ = folder.remove_folder(file);
        Ok(folder.rename(&lock, file)?)
    });
    if moved.is_err() {
        let _ = folder.remove(&lock);
    }
    moved?;
    Ok(folder.sync()?)
}
