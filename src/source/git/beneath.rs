//! Writing into a repository that others may write too. Every folder is entered from the one above and never through a link, so that nobody
//! can lead the node elsewhere; and what is written has the modes that the repository's other files have, whatever the node's umask is.

use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::OwnedFd,
    path::Path,
};

use rustix::{
    fs::{AtFlags, Mode, OFlags, RawMode, fchmod, fstat, fsync, mkdirat, open, openat, renameat, syncfs, unlinkat},
    io::Errno,
};

const OPEN_FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const MAKE_FILE: OFlags = OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// An open folder of a repository.
pub struct Folder {
    handle: OwnedFd,
    /// Its mode: what is made in it is shared with as many.
    mode: RawMode,
}

impl Folder {
    /// Opens the folder of a repository itself.
    pub fn open(repository: &Path) -> io::Result<Self> {
        // The way to it is the operator's, and may have links.
        Self::of(open(repository, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
    }

    fn of(handle: OwnedFd) -> io::Result<Self> {
        let mode = fstat(&handle)?.st_mode & 0o7777;
        Ok(Self { handle, mode })
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
