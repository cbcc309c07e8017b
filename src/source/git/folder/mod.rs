//! Writes into a repository that others may write too. Every folder is entered from the one above and never through a link, so nobody can
//! lead the node elsewhere. New files get the modes of the repository's other files, whatever the node's umask is.

pub mod socket;

use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::{AsRawFd as _, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, Dir, FileType, Gid, Mode, OFlags, RawMode, Stat, Uid, fchmod, fchown, fstat, fsync, mkdirat, open, openat, renameat,
        statat, syncfs, unlinkat,
    },
    io::Errno,
    process::geteuid,
};

use super::plain;

const OPEN_FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const READ_FILE: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const MAKE_FILE: OFlags = OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// An open folder of a repository.
pub struct Folder {
    handle: OwnedFd,
    /// Its mode: what is made in it is shared with as many.
    mode: RawMode,
    owner: (Uid, Gid),
}

impl Folder {
    /// Opens the folder of a repository itself.
    pub fn open(repository: &Path) -> io::Result<Self> {
        // The way to it is the operator's, and may have links.
        Self::of(open(repository, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
    }

    fn of(handle: OwnedFd) -> io::Result<Self> {
        let Stat { st_mode, st_uid, st_gid, .. } = fstat(&handle)?;
        Ok(Self { handle, mode: st_mode & 0o7777, owner: (Uid::from_raw(st_uid), Gid::from_raw(st_gid)) })
    }

    /// Returns a short path of a file in it, which leads there whatever becomes of the folder's own path.
    pub fn path_of(&self, name: &str) -> PathBuf {
        format!("/proc/self/fd/{}/{name}", self.handle.as_raw_fd()).into()
    }

    /// Opens a folder in this one; none if there is none.
    pub fn find(&self, name: &str) -> io::Result<Option<Self>> {
        match openat(&self.handle, name, OPEN_FOLDER, Mode::empty()) {
            Err(Errno::NOENT) => Ok(None),
            // A file is a reference where others have a folder.
            Err(Errno::NOTDIR) if !self.is_link(name) => Ok(None),
            opened => Self::of(opened?).map(Some),
        }
    }

    fn is_link(&self, name: &str) -> bool {
        let found = statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW);
        found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Symlink)
    }

    /// Returns the names in it, which are UTF-8, and what has them.
    pub fn entries(&self) -> io::Result<Vec<(String, FileType)>> {
        let mut entries = Vec::new();
        for entry in Dir::read_from(&self.handle)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if name == "." || name == ".." {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => match statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(found) => FileType::from_raw_mode(found.st_mode),
                    Err(_) => continue,
                },
                kind => kind,
            };
            entries.push((name.to_owned(), kind));
        }
        Ok(entries)
    }

    /// Reads a file in it; none if there is nothing, or something else. One with more bytes than `limit` counts as empty.
    pub fn text(&self, name: &str, limit: u64) -> io::Result<Option<String>> {
        match openat(&self.handle, name, READ_FILE, Mode::empty()) {
            Err(Errno::NOENT) => Ok(None),
            opened => plain::read(File::from(opened?), limit),
        }
    }

    /// Opens a folder below this one, by a path with `/`. Those that are not there are made.
    pub fn enter(&self, path: &str) -> io::Result<Self> {
        let mut folder: Option<Self> = None;
        for name in path.split('/') {
            let next = folder.as_ref().unwrap_or(self).step(name)?;
            folder = Some(next);
        }
        folder.ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    fn step(&self, name: &str) -> io::Result<Self> {
        match openat(&self.handle, name, OPEN_FOLDER, Mode::empty()) {
            Err(Errno::NOENT) => {}
            opened => return Self::of(opened?),
        }
        match mkdirat(&self.handle, name, Mode::RWXU) {
            Err(Errno::EXIST) => {}
            made => made?,
        }
        let made = openat(&self.handle, name, OPEN_FOLDER, Mode::empty())?;
        fchmod(&made, Mode::from_raw_mode(self.mode))?;
        Self::of(made)
    }

    /// Makes a file that is not there yet. Whoever may read this folder may read it; with `is_writable` the same for writing.
    pub fn make(&self, name: &str, content: &[u8], is_writable: bool) -> io::Result<File> {
        let handle = openat(&self.handle, name, MAKE_FILE, Mode::RUSR | Mode::WUSR)?;
        let most = if is_writable { 0o666 } else { 0o444 };
        fchmod(&handle, Mode::from_raw_mode(self.mode & most))?;
        let mut file = File::from(handle);
        file.write_all(content)?;
        Ok(file)
    }

    /// Lets those read this folder and all below who may write into another one, as its group. Only what is this user's alone is opened to them:
    /// others may have put something else there.
    pub fn show_to_group_of(&self, other: &Self) -> io::Result<()> {
        if other.mode & 0o020 == 0 {
            return Ok(());
        }
        // What is below first: nobody else gets there yet.
        for (name, kind) in self.entries()? {
            if kind == FileType::Directory
                && let Some(below) = self.find(&name)?
            {
                below.show_to_group_of(other)?;
            } else if kind == FileType::RegularFile {
                let file = openat(&self.handle, &name, READ_FILE, Mode::empty())?;
                let found = fstat(&file)?;
                if FileType::from_raw_mode(found.st_mode) == FileType::RegularFile && found.st_nlink == 1 {
                    show(&file, &found, other, 0o040)?;
                }
            }
        }
        show(&self.handle, &fstat(&self.handle)?, other, 0o050)
    }

    /// Gives a file in it another name, in the place of what has that.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(renameat(&self.handle, from, &self.handle, to)?)
    }

    /// Removes a file in it.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.handle, name, AtFlags::empty())?)
    }

    /// Removes an empty folder in it.
    pub fn remove_folder(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.handle, name, AtFlags::REMOVEDIR)?)
    }

    /// Waits until the names in it are on the disk.
    pub fn sync(&self) -> io::Result<()> {
        Ok(fsync(&self.handle)?)
    }

    /// Waits until everything is on the disk that was written to its file system.
    pub fn sync_all(&self) -> io::Result<()> {
        Ok(syncfs(&self.handle)?)
    }
}

/// Gives the group of a folder these rights to a file or folder of this user.
fn show(opened: &OwnedFd, found: &Stat, folder: &Folder, rights: RawMode) -> io::Result<()> {
    if found.st_uid != geteuid().as_raw() {
        return Ok(());
    }
    if found.st_gid != folder.owner.1.as_raw() {
        fchown(opened, None, Some(folder.owner.1))?;
    }
    if found.st_mode & rights != rights {
        fchmod(opened, Mode::from_raw_mode(found.st_mode & 0o7777 | rights))?;
    }
    Ok(())
}
