//! Tells what a path is: a file, a folder, nothing, or something that cannot be used.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use super::{root::Root, signature::Signature};
use crate::{
    function::role::GUARD,
    source::{directory::fault::FileFault, names::MAX_DEPTH},
};

/// The kind of a path, before anything is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathKind {
    /// Nothing.
    Missing,
    /// A regular file, perhaps through a link.
    File(Signature),
    /// A folder, by its name without links.
    Folder(PathBuf),
    /// Something is there that cannot be used.
    Fault(FileFault),
}

/// Returns what a path of the walk is; a link counts as what it leads to, if that is inside the root.
pub(super) fn kind_of(root: &Path, path: &Path, max_file_bytes: u64) -> PathKind {
    let found = fs::symlink_metadata(path).map_err(FileFault::unreadable).and_then(|metadata| {
        if !metadata.is_symlink() {
            return Ok((metadata, path.to_path_buf()));
        }
        let target = follow(root, path)?;
        Ok((fs::metadata(&target).map_err(FileFault::unreadable)?, target))
    });
    match found {
        // Of a guard that is a folder, what is below it would be taken for modules.
        Ok((metadata, target)) if metadata.is_dir() && path.file_name() != Some(OsStr::new(GUARD)) => PathKind::Folder(target),
        Ok((metadata, _)) if metadata.is_file() && metadata.len() > max_file_bytes => {
            PathKind::Fault(FileFault::TooLarge { size_bytes: metadata.len(), limit_bytes: max_file_bytes })
        }
        Ok((metadata, _)) if metadata.is_file() => PathKind::File(Signature::from(&metadata)),
        Ok(_) => PathKind::Fault(FileFault::NoFile),
        Err(FileFault::Absent) => PathKind::Missing,
        Err(fault) => PathKind::Fault(fault),
    }
}

/// Returns where a link leads, if that is inside the root.
fn follow(root: &Path, link: &Path) -> Result<PathBuf, FileFault> {
    match link.canonicalize() {
        Ok(target) if target.starts_with(root) => Ok(target),
        Ok(target) => Err(FileFault::LeavesRoot { target }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Gone in this moment, or leading nowhere?
            let target = fs::read_link(link).map_err(FileFault::unreadable)?;
            Err(FileFault::Dangling { target })
        }
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => Err(FileFault::Circle),
        Err(error) => Err(FileFault::unreadable(error)),
    }
}

/// Returns what a path below the root is. No link on the way to it may lead out. A path that the listing would not reach counts as missing.
pub fn kind_below(root: &Root, below: &str, max_file_bytes: u64) -> PathKind {
    if below.matches('/').count() > MAX_DEPTH {
        return PathKind::Missing;
    }
    let root = &*root.real;
    let path = root.join(below);
    match path.parent().unwrap_or(root).canonicalize().map_err(FileFault::unreadable) {
        Ok(folder) if folder.starts_with(root) => kind_of(root, &path, max_file_bytes),
        Ok(_) | Err(FileFault::Absent) => PathKind::Missing,
        Err(fault) => PathKind::Fault(fault),
    }
}
