//! Looks at the disk: which paths there are below a root, what each one is, and what is in it. Decides nothing.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    io::{self, Read as _},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{MetadataExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
};

use super::fault::Fault;
use crate::function::{Content, FilePath};

/// Deepest folder that is looked into, so that a mistake with links ends.
const MAX_DEPTH: usize = 32;

/// What `stat` says of a file. While it stays the same, so has the content, unless the two were written within one tick of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signature {
    device: u64,
    inode: u64,
    size_bytes: u64,
    modified_ns: i64,
    /// The kernel sets it at every write and nobody can set it back.
    pub changed_ns: i64,
}

impl From<&fs::Metadata> for Signature {
    fn from(metadata: &fs::Metadata) -> Self {
        let ns = |seconds: i64, ns: i64| seconds.saturating_mul(1_000_000_000).saturating_add(ns);
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size_bytes: metadata.size(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

#[cfg(test)]
impl Signature {
    /// Returns what `stat` would say of a file changed at this time.
    pub fn changed_at(changed_us: i64) -> Self {
        Self { device: 1, inode: 1, size_bytes: 1, modified_ns: 0, changed_ns: changed_us * 1000 }
    }
}

/// What a path is, before anything is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing that could be a function: absent, a socket, a pipe.
    Missing,
    /// A regular file, perhaps through a link.
    File(Signature),
    /// A folder, by its name without links.
    Folder(PathBuf),
    /// Something is there that cannot be used.
    Fault(Fault),
}

/// What came of looking into a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// It is not there.
    Missing,
    /// It is as it was when it was last read, or could not be looked at for a reason that is reported elsewhere.
    Unchanged,
    /// It was read.
    Read(Signature, Content),
    /// It is there and cannot be used.
    Fault(Fault),
}

/// Returns whether a name belongs to editors, version control or mounts (`.git`, `..data`, `.x.swp`, `x~`), not to us.
pub(in crate::source) fn is_skipped(name: &OsStr) -> bool {
    let name = name.as_bytes();
    (name.starts_with(b".") && name != b".well-known") || name.ends_with(b"~") || name.windows(5).any(|part| part == b"___jb")
}

/// Returns whether a name is one of a function file.
pub(in crate::source) fn is_function_file(name: &OsStr) -> bool {
    name.as_bytes().ends_with(b".rhai")
}

/// Returns what a path of the walk is; a link counts as what it leads to, if that is inside the root.
fn see(root: &Path, path: &Path, max_file_bytes: u64) -> Seen {
    let seen = fs::symlink_metadata(path).map_err(Fault::unreadable).and_then(|metadata| {
        if !metadata.is_symlink() {
            return Ok((metadata, path.to_path_buf()));
        }
        let target = follow(root, path)?;
        Ok((fs::metadata(&target).map_err(Fault::unreadable)?, target))
    });
    match seen {
        Ok((metadata, target)) if metadata.is_dir() => Seen::Folder(target),
        Ok((metadata, _)) if metadata.is_file() && metadata.len() > max_file_bytes => {
            Seen::Fault(Fault::TooLarge { size_bytes: metadata.len(), limit_bytes: max_file_bytes })
        }
        Ok((metadata, _)) if metadata.is_file() => Seen::File(Signature::from(&metadata)),
        Ok(_) | Err(Fault::Absent) => Seen::Missing,
        Err(fault) => Seen::Fault(fault),
    }
}

/// Returns where a link leads, if that is inside the root.
fn follow(root: &Path, link: &Path) -> Result<PathBuf, Fault> {
    match link.canonicalize() {
        Ok(target) if target.starts_with(root) => Ok(target),
        Ok(target) => Err(Fault::LeavesRoot { target }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Gone in this moment, or leading nowhere?
            let target = fs::read_link(link).map_err(Fault::unreadable)?;
            Err(Fault::Dangling { target })
        }
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => Err(Fault::Circle),
        Err(error) => Err(Fault::unreadable(error)),
    }
}

/// Returns what a path below the root is, however it was learnt of: no link on the way to it may lead out, and what the walk would not
/// reach is not there.
pub(super) fn see_below(root: &Path, below: &str, max_file_bytes: u64) -> Seen {
    if below.matches('/').count() > MAX_DEPTH {
        return Seen::Missing;
    }
    let path = root.join(below);
    match path.parent().unwrap_or(root).canonicalize().map_err(Fault::unreadable) {
        Ok(folder) if folder.starts_with(root) => see(root, &path, max_file_bytes),
        Ok(_) | Err(Fault::Absent) => Seen::Missing,
        Err(fault) => Seen::Fault(fault),
    }
}

/// Reads a file of at most so many bytes, with the signature that it had just before.
pub(super) fn read(path: &Path, max_file_bytes: u64) -> Look {
    let open = || -> io::Result<Look> {
        // What was a file a moment ago may be a pipe now, and opening one would wait for a writer.
        let file = fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(Look::Missing);
        }
        let mut bytes = Vec::with_capacity(metadata.len().min(max_file_bytes) as usize + 1);
        file.take(max_file_bytes + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > max_file_bytes {
            let size_bytes = metadata.len().max(bytes.len() as u64);
            return Ok(Look::Fault(Fault::TooLarge { size_bytes, limit_bytes: max_file_bytes }));
        }
        Ok(Look::Read(Signature::from(&metadata), Content::new(bytes)))
    };
    open().unwrap_or_else(|error| match Fault::unreadable(error) {
        Fault::Absent => Look::Missing,
        fault => Look::Fault(fault),
    })
}

/// Everything that is below a root.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Function files, and whatever cannot be used, folders too.
    pub found: BTreeMap<FilePath, Seen>,
    /// Folders that could not be looked into: what is below them is unknown, not gone.
    pub closed: Vec<String>,
    /// Whether there are links: then a change in one place shows in another.
    pub has_links: bool,
}

impl Listing {
    /// Returns whether a path lies below a folder that could not be looked into.
    pub fn is_closed(&self, path: &str) -> bool {
        self.closed.iter().any(|folder| path.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/')))
    }
}

/// Lists everything below a root, which must be a name without links.
pub(super) fn list(root: &Path, max_file_bytes: u64) -> io::Result<Listing> {
    let mut walk = Walk { root, max_file_bytes, listing: Listing::default(), trail: vec![root.to_path_buf()] };
    walk.folder(root, "", 0)?;
    Ok(walk.listing)
}

struct Walk<'a> {
    root: &'a Path,
    max_file_bytes: u64,
    listing: Listing,
    /// The folders on the way here, by what links lead to, to notice a circle.
    trail: Vec<PathBuf>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, below: &str, depth: usize) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if is_skipped(&name) {
                continue;
            }
            let kind = entry.file_type()?;
            self.listing.has_links |= kind.is_symlink();
            if !kind.is_dir() && !kind.is_symlink() && !is_function_file(&name) {
                continue;
            }
            let separator = if below.is_empty() { "" } else { "/" };
            let path = format!("{below}{separator}{}", name.to_string_lossy());
            let seen = see(self.root, &entry.path(), self.max_file_bytes);
            match seen {
                Seen::Missing => {}
                Seen::File(_) if !is_function_file(&name) => {}
                // A link that is not named like a function and leads to no folder is somebody else's.
                Seen::Fault(Fault::TooLarge { .. } | Fault::Dangling { .. }) if !is_function_file(&name) => {}
                Seen::Fault(Fault::LeavesRoot { target }) if !is_function_file(&name) && !target.is_dir() => {}
                _ if name.to_str().is_none() => self.close(path, Fault::NotUtf8),
                Seen::Folder(real) if kind.is_symlink() && self.trail.iter().any(|way| way.starts_with(&real)) => {
                    self.close(path, Fault::Circle);
                }
                Seen::Folder(real) => self.subfolder(&entry.path(), real, path, depth + 1),
                Seen::Fault(fault) => self.close(path, fault),
                Seen::File(signature) => {
                    self.listing.found.insert(path.into(), Seen::File(signature));
                }
            }
        }
        Ok(())
    }

    fn subfolder(&mut self, folder: &Path, real: PathBuf, path: String, depth: usize) {
        if depth > MAX_DEPTH {
            return self.close(path, Fault::TooDeep { limit: MAX_DEPTH });
        }
        self.trail.push(real);
        let read = self.folder(folder, &path, depth);
        self.trail.pop();
        match read.map_err(Fault::unreadable) {
            Ok(()) | Err(Fault::Absent) => {}
            Err(fault) => self.close(path, fault),
        }
    }

    fn close(&mut self, path: String, fault: Fault) {
        self.listing.found.insert(path.as_str().into(), Seen::Fault(fault));
        self.listing.closed.push(path);
    }
}
