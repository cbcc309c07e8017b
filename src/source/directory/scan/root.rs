//! Opens and reads files below a root, and none outside, whatever links lead out.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read as _},
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags, open, openat},
    io::Errno,
};

use super::signature::Signature;
use crate::{function::Content, source::directory::fault::FileFault};

/// The folder that is looked at.
#[derive(Debug)]
pub struct Root {
    /// Its name without links.
    pub(super) real: PathBuf,
    /// What is opened below it is opened from here.
    pub(super) handle: OwnedFd,
}

impl Root {
    /// Opens it by its name without links.
    pub fn open(real: &Path) -> io::Result<Self> {
        let handle = open(real, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { real: real.into(), handle })
    }

    /// Opens the file or folder with this name, if it is inside. Somebody may put a link in its place at any moment, so names are entered
    /// one by one and through no link. Where there is a link, its target is entered the same way.
    fn enter(&self, below: &Path, flags: OFlags) -> Result<OwnedFd, FileFault> {
        match enter(self.handle.as_fd(), below, flags) {
            Err(Errno::LOOP | Errno::NOTDIR) => {
                let target = self.real.join(below).canonicalize().map_err(FileFault::unreadable)?;
                let inside = target.strip_prefix(&self.real).map_err(|_| FileFault::LeavesRoot { target: target.clone() })?;
                enter(self.handle.as_fd(), inside, flags).map_err(|error| match error {
                    // It changes while it is looked at.
                    Errno::LOOP => FileFault::Absent,
                    error => FileFault::unreadable(error.into()),
                })
            }
            entered => entered.map_err(|error| FileFault::unreadable(error.into())),
        }
    }
}

/// Opens what has this name below a folder, through no link.
pub(super) fn enter(root: impl AsFd, below: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let way = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut folder = openat(root, ".", way, Mode::empty())?;
    for part in below.parent().into_iter().flatten() {
        folder = openat(&folder, part, way, Mode::empty())?;
    }
    let name = below.file_name().unwrap_or(OsStr::new("."));
    openat(&folder, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// Reads a file below a root, of at most so many bytes, with the signature that it had just before. What is looked at and what is read is
/// one open file.
pub fn read(root: &Root, below: &str, max_file_bytes: u64) -> Result<(Signature, Content), FileFault> {
    // What was a file a moment ago may be a pipe now, and opening one would wait for a writer.
    let file = File::from(root.enter(Path::new(below), OFlags::RDONLY | OFlags::NONBLOCK)?);
    let metadata = file.metadata().map_err(FileFault::unreadable)?;
    if !metadata.is_file() {
        return Err(FileFault::Absent);
    }
    let mut bytes = Vec::with_capacity(metadata.len().min(max_file_bytes) as usize + 1);
    file.take(max_file_bytes + 1).read_to_end(&mut bytes).map_err(FileFault::unreadable)?;
    if bytes.len() as u64 > max_file_bytes {
        return Err(FileFault::TooLarge { size_bytes: metadata.len().max(bytes.len() as u64), limit_bytes: max_file_bytes });
    }
    Ok((Signature::from(&metadata), Content::new(bytes)))
}
