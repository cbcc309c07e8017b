//! Finds what the node's user may not read of a shared repository, or write into. It is looked for once something could not be done. Libgit2
//! only says that an object is not there, and the system does not name the file.

use std::{
    io, iter,
    path::{Path, PathBuf},
};

use git2::{ErrorClass, ErrorCode};
use rustix::{
    fs::{Access, FileType, access},
    io::Errno,
};

use super::{
    error::{PermissionDenied, RepositoryError},
    folder::Folder,
    refs::HEADS,
};

/// Files and folders that are read of every repository, beside its own folder.
const PARTS: [&str; 5] = ["HEAD", "config", "packed-refs", "refs", "objects"];
/// So many files and folders are looked at.
const MOST: usize = 100_000;

/// Refuses a repository that is closed to this process.
pub fn must_be_open(repository: &Path) -> Result<(), PermissionDenied> {
    let mut parts = iter::once(repository.to_owned()).chain(PARTS.map(|part| repository.join(part)));
    parts.find(|path| is_denied(path)).map_or(Ok(()), |path| Err(PermissionDenied::read(path)))
}

/// Says why references cannot be read.
pub fn in_references(repository: &Path, source: io::Error) -> RepositoryError {
    match find(repository, None).filter(|_| source.kind() == io::ErrorKind::PermissionDenied) {
        Some(path) => PermissionDenied::read(path).into(),
        None => RepositoryError::NoReferences { path: repository.into(), source },
    }
}

/// Says why objects cannot be read, of which some may lie in `quarantine`.
pub fn in_objects(repository: &Path, quarantine: Option<&Path>, source: git2::Error) -> RepositoryError {
    let may_be_denied = source.code() == ErrorCode::NotFound || matches!(source.class(), ErrorClass::Os | ErrorClass::Odb);
    match may_be_denied.then(|| find(repository, quarantine)).flatten() {
        Some(path) => PermissionDenied::read(path).into(),
        None => RepositoryError::Unreadable { path: repository.into(), source },
    }
}

/// Says why a commit for a branch could not be written, if it is because a folder is closed to this process.
pub fn in_writing(repository: &Path, branch: &str, error: &io::Error) -> Option<PermissionDenied> {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return None;
    }
    let objects = repository.join("objects");
    // Objects lie in folders of two digits.
    let spread = (0..=0xff).map(|number| objects.join(format!("{number:02x}")));
    let heads = repository.join(HEADS.trim_end_matches('/'));
    let of_branch = branch.match_indices('/').map(|(at, _)| heads.join(&branch[..at]));
    let mut folders = [objects.clone(), heads.clone()].into_iter().chain(of_branch).chain(spread);
    folders.find(|folder| access(folder, Access::WRITE_OK | Access::EXEC_OK) == Err(Errno::ACCESS)).map(PermissionDenied::write_into)
}

/// Finds something that this process may not read.
fn find(repository: &Path, quarantine: Option<&Path>) -> Option<PathBuf> {
    if let Err(denied) = must_be_open(repository) {
        return Some(denied.path);
    }
    let mut left = MOST;
    let top = Folder::open(repository).ok()?;
    let brought =
        quarantine.and_then(|quarantine| in_folder(&top.find("objects").ok()??, quarantine.file_name()?.to_str()?, quarantine, &mut left));
    brought.or_else(|| ["objects", "refs"].iter().find_map(|name| in_folder(&top, name, &repository.join(name), &mut left)))
}

/// Looks through the folder of this name, which lies in another.
fn in_folder(above: &Folder, name: &str, path: &Path, left: &mut usize) -> Option<PathBuf> {
    let folder = match above.find(name) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Some(path.into()),
        found => found.ok()??,
    };
    for (name, kind) in folder.entries().ok()? {
        *left = left.checked_sub(1)?;
        let path = path.join(&name);
        let found = match kind {
            _ if is_unfinished(&name) => None,
            FileType::Directory => in_folder(&folder, &name, &path, left),
            FileType::RegularFile => is_denied(&folder.path_of(&name)).then_some(path),
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Returns whether a file or folder is nobody's business but of the git that makes it.
fn is_unfinished(name: &str) -> bool {
    ["tmp_", "incoming-"].iter().any(|begin| name.starts_with(begin)) || [".lock", ".keep"].iter().any(|end| name.ends_with(end))
}

fn is_denied(path: &Path) -> bool {
    let wanted = if path.is_dir() { Access::READ_OK | Access::EXEC_OK } else { Access::READ_OK };
    access(path, wanted) == Err(Errno::ACCESS)
}
