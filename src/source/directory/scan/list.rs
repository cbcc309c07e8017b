//! Lists what is below a root.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsStr,
    fs, io,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Dir, FileType, OFlags},
    io::Errno,
};

use super::{
    kind::{PathKind, kind_of},
    root::{Root, enter},
};
use crate::{
    function::{FilePath, role::is_source_file, route::stray::stray},
    source::{
        directory::fault::FileFault,
        names::{MAX_DEPTH, MAX_ENTRIES, is_skipped},
    },
};

/// Ways to one folder through links that are followed: each folder with two links to the next would double what there is.
pub(super) const MAX_WAYS: usize = 16;

/// Everything that is below a root.
#[derive(Debug, Default)]
pub struct Listing {
    /// Function files, and whatever cannot be used, folders too.
    pub found: BTreeMap<FilePath, PathKind>,
    /// Folders that could not be looked into: what is below them is unknown, not gone.
    pub closed: Vec<String>,
    /// Whether there are links: then a change in one place shows in another.
    pub has_links: bool,
    /// Whether there are files with other names, perhaps elsewhere: a change there is not reported here.
    pub has_other_names: bool,
    /// Files that are not read and may be meant as some that are.
    pub strays: Vec<String>,
}

impl Listing {
    /// Returns whether a path lies below a folder that could not be looked into.
    pub fn is_closed(&self, path: &str) -> bool {
        self.closed.iter().any(|folder| path.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/')))
    }
}

/// Lists everything below a root.
pub fn list(root: &Root, max_file_bytes: u64) -> io::Result<Listing> {
    list_at_most(MAX_ENTRIES, root, max_file_bytes)
}

pub(super) fn list_at_most(max_entries: usize, root: &Root, max_file_bytes: u64) -> io::Result<Listing> {
    let (trail, ways) = (vec![root.real.clone()], HashMap::new());
    let mut walk = Walk { root, max_file_bytes, listing: Listing::default(), max_entries, entries: 0, trail, ways };
    walk.folder(&root.real, "", 0).map_err(io::Error::from)?;
    if walk.entries > max_entries {
        return Err(io::Error::other(format!("it has more than {max_entries} files and folders; keep functions in a folder of their own")));
    }
    Ok(walk.listing)
}

struct Walk<'a> {
    root: &'a Root,
    max_file_bytes: u64,
    listing: Listing,
    /// So many are looked at.
    max_entries: usize,
    /// So many were met.
    entries: usize,
    /// The folders on the way here, by what links lead to, to notice a circle.
    trail: Vec<PathBuf>,
    /// How often each folder was entered.
    ways: HashMap<PathBuf, usize>,
}

impl Walk<'_> {
    /// Looks into a folder, by its name without links.
    fn folder(&mut self, real: &Path, below: &str, depth: usize) -> Result<(), Errno> {
        let inside = real.strip_prefix(&self.root.real).unwrap_or(real);
        let folder = enter(&self.root.handle, inside, OFlags::RDONLY | OFlags::DIRECTORY)?;
        for entry in Dir::read_from(folder)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if matches!(name.as_bytes(), b"." | b"..") {
                continue;
            }
            self.entries += 1;
            if self.entries > self.max_entries {
                return Ok(());
            }
            self.entry(real, below, name, entry.file_type(), depth);
        }
        Ok(())
    }

    fn entry(&mut self, folder: &Path, below: &str, name: &OsStr, kind: FileType, depth: usize) {
        let separator = if below.is_empty() { "" } else { "/" };
        let path = format!("{below}{separator}{}", name.to_string_lossy());
        let real = folder.join(name);
        let kind = match kind {
            // Some file systems do not say.
            FileType::Unknown => fs::symlink_metadata(&real).map_or(kind, |metadata| FileType::from_raw_mode(metadata.mode())),
            kind => kind,
        };
        let is_ours = is_source_file(&path);
        let may_be_read = is_ours || matches!(kind, FileType::Directory | FileType::Symlink);
        if is_skipped(name) || !may_be_read {
            if kind != FileType::Directory && stray(&path, |_| false).is_some() {
                self.listing.strays.push(path);
            }
            return;
        }
        let is_link = kind == FileType::Symlink;
        self.listing.has_links |= is_link;
        match kind_of(&self.root.real, &real, self.max_file_bytes) {
            PathKind::Missing => {}
            PathKind::File(_) if !is_ours => {}
            // A link that is not named like a function and leads to no folder is somebody else's.
            PathKind::Fault(FileFault::TooLarge { .. } | FileFault::Dangling { .. } | FileFault::NoFile) if !is_ours => {}
            PathKind::Fault(FileFault::LeavesRoot { target }) if !is_ours && !target.is_dir() => {}
            _ if name.to_str().is_none() => self.close(path, FileFault::NotUtf8),
            PathKind::Folder(real) if is_link && self.trail.iter().any(|way| way.starts_with(&real)) => self.close(path, FileFault::Circle),
            PathKind::Folder(real) => self.subfolder(real, path, depth + 1),
            PathKind::Fault(fault) => self.close(path, fault),
            PathKind::File(signature) => {
                self.listing.has_other_names |= signature.has_other_names();
                self.listing.found.insert(path.into(), PathKind::File(signature));
            }
        }
    }

    fn subfolder(&mut self, real: PathBuf, path: String, depth: usize) {
        if depth > MAX_DEPTH {
            return self.close(path, FileFault::TooDeep { limit: MAX_DEPTH });
        }
        let ways = self.ways.entry(real.clone()).or_default();
        *ways += 1;
        if *ways > MAX_WAYS {
            return self.close(path, FileFault::TooManyWays { limit: MAX_WAYS });
        }
        self.trail.push(real.clone());
        let read = self.folder(&real, &path, depth);
        self.trail.pop();
        match read.map_err(|error| FileFault::unreadable(error.into())) {
            Ok(()) | Err(FileFault::Absent) => {}
            Err(fault) => self.close(path, fault),
        }
    }

    fn close(&mut self, path: String, fault: FileFault) {
        self.listing.found.insert(path.as_str().into(), PathKind::Fault(fault));
        self.listing.closed.push(path);
    }
}
