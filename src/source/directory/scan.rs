//! Looks at the disk: which paths there are below a root, what each one is, and what is in it. Decides nothing.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read as _},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Dir, FileType, Mode, OFlags, open, openat},
    io::Errno,
};

use super::fault::Fault;
use crate::{
    function::{
        Content, FilePath,
        route::{file::GUARD, stray::stray},
    },
    source::names::{MAX_DEPTH, MAX_ENTRIES, is_function_file, is_skipped},
};

/// Ways to one folder through links that are followed: each folder with two links to the next would double what there is.
const MAX_WAYS: usize = 16;

/// Which file it is, whatever it is called.
pub(super) type Inode = (u64, u64);

/// What `stat` says of a file. While it stays the same, so has the content, unless the two were written within one tick of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signature {
    device: u64,
    inode: u64,
    size_bytes: u64,
    /// How many names it has. A write through one of them is reported where that name is.
    links: u64,
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
            links: metadata.nlink(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Signature {
    /// Returns which file it is.
    pub fn inode(&self) -> Inode {
        (self.device, self.inode)
    }

    /// Returns whether the file has another name, perhaps where nobody watches.
    pub fn has_other_names(&self) -> bool {
        self.links > 1
    }
}

#[cfg(test)]
impl Signature {
    /// Returns what `stat` would say of a file changed at this time.
    pub fn changed_at(changed_us: i64) -> Self {
        Self { device: 1, inode: 1, size_bytes: 1, links: 1, modified_ns: 0, changed_ns: changed_us * 1000 }
    }
}

/// What a path is, before anything is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing.
    Missing,
    /// A regular file, perhaps through a link.
    File(Signature),
    /// A folder, by its name without links.
    Folder(PathBuf),
    /// Something is there that cannot be used.
    Fault(Fault),
}

/// The folder that is looked at.
#[derive(Debug)]
pub(super) struct Root {
    /// Its name without links.
    real: PathBuf,
    /// What is opened below it is opened from here.
    handle: OwnedFd,
}

impl Root {
    /// Opens it by its name without links.
    pub fn open(real: &Path) -> io::Result<Self> {
        let handle = open(real, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { real: real.into(), handle })
    }

    /// Opens what has this name below it and is inside. Somebody may put a link in its place at any moment, so names are entered one by
    /// one and through no link; where there is one, the name that it stands for is entered the same way.
    fn enter(&self, below: &Path, flags: OFlags) -> Result<OwnedFd, Fault> {
        match enter(self.handle.as_fd(), below, flags) {
            Err(Errno::LOOP | Errno::NOTDIR) => {
                let target = self.real.join(below).canonicalize().map_err(Fault::unreadable)?;
                let inside = target.strip_prefix(&self.real).map_err(|_| Fault::LeavesRoot { target: target.clone() })?;
                enter(self.handle.as_fd(), inside, flags).map_err(|error| match error {
                    // It changes while it is looked at.
                    Errno::LOOP => Fault::Absent,
                    error => Fault::unreadable(error.into()),
                })
            }
            entered => entered.map_err(|error| Fault::unreadable(error.into())),
        }
    }
}

fn enter(root: impl AsFd, below: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let way = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut folder = openat(root, ".", way, Mode::empty())?;
    for part in below.parent().into_iter().flatten() {
        folder = openat(&folder, part, way, Mode::empty())?;
    }
    let name = below.file_name().unwrap_or(OsStr::new("."));
    openat(&folder, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
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
        // Of a guard that is a folder, what is below it would be taken for modules.
        Ok((metadata, target)) if metadata.is_dir() && path.file_name() != Some(OsStr::new(GUARD)) => Seen::Folder(target),
        Ok((metadata, _)) if metadata.is_file() && metadata.len() > max_file_bytes => {
            Seen::Fault(Fault::TooLarge { size_bytes: metadata.len(), limit_bytes: max_file_bytes })
        }
        Ok((metadata, _)) if metadata.is_file() => Seen::File(Signature::from(&metadata)),
        Ok(_) => Seen::Fault(Fault::NoFile),
        Err(Fault::Absent) => Seen::Missing,
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
pub(super) fn see_below(root: &Root, below: &str, max_file_bytes: u64) -> Seen {
    if below.matches('/').count() > MAX_DEPTH {
        return Seen::Missing;
    }
    let root = &*root.real;
    let path = root.join(below);
    match path.parent().unwrap_or(root).canonicalize().map_err(Fault::unreadable) {
        Ok(folder) if folder.starts_with(root) => see(root, &path, max_file_bytes),
        Ok(_) | Err(Fault::Absent) => Seen::Missing,
        Err(fault) => Seen::Fault(fault),
    }
}

/// Reads a file below a root, of at most so many bytes, with the signature that it had just before. What is looked at and what is read is
/// one open file.
pub(super) fn read(root: &Root, below: &str, max_file_bytes: u64) -> Result<(Signature, Content), Fault> {
    // What was a file a moment ago may be a pipe now, and opening one would wait for a writer.
    let file = File::from(root.enter(Path::new(below), OFlags::RDONLY | OFlags::NONBLOCK)?);
    let metadata = file.metadata().map_err(Fault::unreadable)?;
    if !metadata.is_file() {
        return Err(Fault::Absent);
    }
    let mut bytes = Vec::with_capacity(metadata.len().min(max_file_bytes) as usize + 1);
    file.take(max_file_bytes + 1).read_to_end(&mut bytes).map_err(Fault::unreadable)?;
    if bytes.len() as u64 > max_file_bytes {
        return Err(Fault::TooLarge { size_bytes: metadata.len().max(bytes.len() as u64), limit_bytes: max_file_bytes });
    }
    Ok((Signature::from(&metadata), Content::new(bytes)))
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
pub(super) fn list(root: &Root, max_file_bytes: u64) -> io::Result<Listing> {
    list_at_most(MAX_ENTRIES, root, max_file_bytes)
}

fn list_at_most(max_entries: usize, root: &Root, max_file_bytes: u64) -> io::Result<Listing> {
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
        let may_be_read = is_function_file(name) || matches!(kind, FileType::Directory | FileType::Symlink);
        if is_skipped(name) || !may_be_read {
            if kind != FileType::Directory && stray(&path, |_| false).is_some() {
                self.listing.strays.push(path);
            }
            return;
        }
        let is_link = kind == FileType::Symlink;
        self.listing.has_links |= is_link;
        match see(&self.root.real, &real, self.max_file_bytes) {
            Seen::Missing => {}
            Seen::File(_) if !is_function_file(name) => {}
            // A link that is not named like a function and leads to no folder is somebody else's.
            Seen::Fault(Fault::TooLarge { .. } | Fault::Dangling { .. } | Fault::NoFile) if !is_function_file(name) => {}
            Seen::Fault(Fault::LeavesRoot { target }) if !is_function_file(name) && !target.is_dir() => {}
            _ if name.to_str().is_none() => self.close(path, Fault::NotUtf8),
            Seen::Folder(real) if is_link && self.trail.iter().any(|way| way.starts_with(&real)) => self.close(path, Fault::Circle),
            Seen::Folder(real) => self.subfolder(real, path, depth + 1),
            Seen::Fault(fault) => self.close(path, fault),
            Seen::File(signature) => {
                self.listing.has_other_names |= signature.has_other_names();
                self.listing.found.insert(path.into(), Seen::File(signature));
            }
        }
    }

    fn subfolder(&mut self, real: PathBuf, path: String, depth: usize) {
        if depth > MAX_DEPTH {
            return self.close(path, Fault::TooDeep { limit: MAX_DEPTH });
        }
        let ways = self.ways.entry(real.clone()).or_default();
        *ways += 1;
        if *ways > MAX_WAYS {
            return self.close(path, Fault::TooManyWays { limit: MAX_WAYS });
        }
        self.trail.push(real.clone());
        let read = self.folder(&real, &path, depth);
        self.trail.pop();
        match read.map_err(|error| Fault::unreadable(error.into())) {
            Ok(()) | Err(Fault::Absent) => {}
            Err(fault) => self.close(path, fault),
        }
    }

    fn close(&mut self, path: String, fault: Fault) {
        self.listing.found.insert(path.as_str().into(), Seen::Fault(fault));
        self.listing.closed.push(path);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, RenameFlags, renameat_with};

    use super::*;

    const MAX_FILE_BYTES: u64 = 1000;

    fn folder() -> (tempfile::TempDir, PathBuf, Root) {
        let base = tempfile::tempdir().unwrap();
        let real = base.path().canonicalize().unwrap().join("root");
        fs::create_dir_all(real.join("x/y")).unwrap();
        fs::write(base.path().join("secret"), "secret").unwrap();
        let root = Root::open(&real).unwrap();
        (base, real, root)
    }

    fn text(root: &Root, path: &str) -> Result<String, Fault> {
        read(root, path, MAX_FILE_BYTES).map(|(_, content)| String::from_utf8(content.bytes.to_vec()).unwrap())
    }

    #[test]
    fn what_is_read_lies_inside_whatever_a_name_leads_to() {
        let (base, real, root) = folder();
        fs::write(real.join("x/y/a.rhai"), "a").unwrap();
        symlink("y", real.join("x/relative")).unwrap();
        symlink(real.join("x/y/a.rhai"), real.join("absolute.rhai")).unwrap();
        symlink("../secret", real.join("out.rhai")).unwrap();
        symlink("../../../secret", real.join("x/y/out.rhai")).unwrap();
        symlink(base.path(), real.join("folder")).unwrap();
        symlink("loop.rhai", real.join("loop.rhai")).unwrap();
        for path in ["x/y/a.rhai", "x/relative/a.rhai", "absolute.rhai"] {
            assert_eq!(text(&root, path), Ok("a".into()), "{path}");
        }
        for path in ["out.rhai", "x/y/out.rhai", "x/relative/out.rhai", "folder/secret"] {
            assert!(matches!(text(&root, path), Err(Fault::LeavesRoot { .. })), "{path}");
        }
        for path in ["loop.rhai", "none.rhai", "x", "x/y/a.rhai/b.rhai"] {
            assert!(text(&root, path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_link_that_takes_the_place_of_a_file_or_a_folder_is_never_followed_out() {
        let (base, real, root) = folder();
        fs::create_dir(base.path().join("outside")).unwrap();
        fs::write(base.path().join("outside/a.rhai"), "secret").unwrap();
        fs::write(real.join("a.rhai"), "a").unwrap();
        fs::write(real.join("x/a.rhai"), "a").unwrap();
        symlink("../secret", real.join("file")).unwrap();
        symlink("../outside", real.join("folder")).unwrap();
        let exchange = |one: &str, other: &str| {
            renameat_with(CWD, real.join(one), CWD, real.join(other), RenameFlags::EXCHANGE).unwrap();
        };
        std::thread::scope(|scope| {
            let swaps = scope.spawn(|| {
                for _ in 0..2_000 {
                    exchange("a.rhai", "file");
                    exchange("x", "folder");
                }
            });
            while !swaps.is_finished() {
                for path in ["a.rhai", "x/a.rhai"] {
                    assert_ne!(text(&root, path).ok().as_deref(), Some("secret"), "{path}");
                }
            }
        });
    }

    #[test]
    fn links_do_not_multiply_what_there_is() {
        let (_base, real, root) = folder();
        for level in 0..14 {
            let folder = real.join(format!("l{level}"));
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("f.rhai"), "1").unwrap();
            for name in ["a", "b"] {
                symlink(format!("../l{}", level + 1), folder.join(name)).unwrap();
            }
        }
        fs::create_dir(real.join("l14")).unwrap();
        let listing = list(&root, MAX_FILE_BYTES).unwrap();
        assert!(listing.found.len() < 14 * 2 * (MAX_WAYS + 1) * 2, "{}", listing.found.len());
        let fault = Seen::Fault(Fault::TooManyWays { limit: MAX_WAYS });
        assert!(listing.found.values().any(|seen| *seen == fault));
    }

    #[test]
    fn more_entries_than_anybody_means_are_a_mistake() {
        let (_base, real, root) = folder();
        for number in 0..10 {
            fs::write(real.join(format!("x/{number}.txt")), "").unwrap();
        }
        assert!(list_at_most(12, &root, MAX_FILE_BYTES).is_ok());
        let error = list_at_most(11, &root, MAX_FILE_BYTES).unwrap_err();
        assert!(error.to_string().starts_with("it has more than 11 files and folders"), "{error}");
    }
}
