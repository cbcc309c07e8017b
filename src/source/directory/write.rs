//! Writes files below a root so that nobody ever sees half of one: beside its place first, then under its name. Folders are entered one by
//! one and never through a link, so that nothing is written outside.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Read as _, Write as _},
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
    path::Path,
};

use rustix::{
    fs::{
        Access, AtFlags, FileType, Gid, Mode, OFlags, Uid, accessat, fchmod, fchown, fstat, fsync, mkdirat, open, openat, renameat, statat,
        syncfs, unlinkat,
    },
    io::Errno,
};

use super::{
    order::{Step, steps},
    staged::{remove_leftovers, staged_name},
};
use crate::{
    function::{Content, FilePath},
    source::edit::{Edit, EditError, FileEdit},
};

/// So many files are put on the disk one by one; of more, the file system writes all at once.
const FEW: usize = 16;
/// Folders that are held open; when there are more, they are entered anew.
const OPEN: usize = 64;

/// Changes files below a root, if they are still as the change expects.
pub(super) fn write(root: &Path, edit: &Edit) -> Result<(), EditError> {
    let folders = Folders::below(root)?;
    let mut writer = Writer { swept: remove_leftovers(&folders.top), folders, staged: BTreeMap::new() };
    // Until all of it is on the disk nothing has changed.
    writer.stage(edit)?;
    for step in steps(edit) {
        match step {
            Step::Name(path) => writer.name(path, &edit.files[path])?,
            Step::Remove(path) => writer.remove(path)?,
        }
    }
    writer.remove_emptied(edit);
    writer.keep(edit)
}

/// Says whether files below a root could be changed so. They must be as the change expects, nothing may be in the way, and their folders
/// must be writable.
pub(super) fn check(root: &Path, edit: &Edit) -> Result<(), EditError> {
    let mut folders = Folders::below(root)?;
    for (path, file) in &edit.files {
        let (folder, name) = split(path);
        let Some(at) = folders.enter(folder, false)? else { continue };
        must_be_as_expected(at, path, name, file)?;
        accessat(at, ".", Access::WRITE_OK, AtFlags::EACCESS).map_err(|error| failed(path, error))?;
    }
    Ok(())
}

fn failed(path: &str, error: impl Into<io::Error>) -> EditError {
    EditError::refused(path, "its functions folder", &error.into())
}

/// Says that a file is not what the node has read last.
fn unread(path: &str) -> EditError {
    EditError::Moved(format!(
        "`{path}` is being written, or was changed a moment ago, and the node has not read it since\n  hint: try again when it is closed"
    ))
}

/// Says that a file is not there that the node has read.
fn gone(path: &str) -> EditError {
    EditError::Moved(format!("`{path}` went away a moment ago, and the node waits whether it comes back\n  hint: try again in ten seconds"))
}

/// Returns the folders that a path lies in, the outermost first.
fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

struct Writer {
    folders: Folders,
    /// Files that are on the disk and have not got their names yet: by their paths, and what they are called. What is left of them goes with
    /// this.
    staged: BTreeMap<FilePath, String>,
    /// Folders in which an earlier writer had left something. Those that are empty without it go with this, too.
    swept: BTreeSet<String>,
}

impl Writer {
    fn stage(&mut self, edit: &Edit) -> Result<(), EditError> {
        let is_few = edit.files.len() <= FEW;
        for (number, (path, file)) in edit.files.iter().enumerate() {
            let (folder, name) = split(path);
            let Some(at) = self.folders.enter(folder, file.after.is_some())? else { continue };
            let like = must_be_as_expected(at, path, name, file)?;
            if let Some(content) = &file.after {
                let next = staged_name(number);
                stage(at, &next, content, &like, is_few).map_err(|error| failed(path, error))?;
                self.staged.insert(path.clone(), next);
            }
        }
        if is_few { Ok(()) } else { syncfs(&self.folders.top).map_err(|error| failed("", error)) }
    }

    fn name(&mut self, path: &FilePath, file: &FileEdit) -> Result<(), EditError> {
        let Some(next) = self.staged.get(path) else { return Ok(()) };
        let (folder, name) = split(path);
        let Some(at) = self.folders.enter(folder, false)? else { return Err(gone(path)) };
        // Others may have written while the rest was staged.
        must_be_as_expected(at, path, name, file)?;
        renameat(at, next, at, name).map_err(|error| failed(path, error))?;
        self.staged.remove(path);
        Ok(())
    }

    fn remove(&mut self, path: &FilePath) -> Result<(), EditError> {
        let (folder, name) = split(path);
        let Some(at) = self.folders.enter(folder, false)? else { return Ok(()) };
        match unlinkat(at, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(failed(path, error)),
        }
    }

    /// Removes the folders below the root in which nothing is left of what was removed. The system removes none that holds something or that
    /// something is mounted on, so nobody's files are in danger, whatever others write meanwhile.
    fn remove_emptied(&mut self, edit: &Edit) {
        let removed = edit.files.iter().filter(|(_, file)| file.after.is_none()).map(|(path, _)| above(path));
        self.remove_empty(removed.flatten().collect());
    }

    fn remove_empty(&mut self, folders: BTreeSet<&str>) {
        // What is inside comes behind what it is in.
        for folder in folders.into_iter().rev() {
            let (parent, name) = split(folder);
            let Ok(Some(at)) = self.folders.enter(parent, false) else { continue };
            if unlinkat(at, name, AtFlags::REMOVEDIR).is_ok() {
                self.folders.opened.remove(folder);
            }
        }
    }

    /// Waits until the names are on the disk.
    fn keep(&mut self, edit: &Edit) -> Result<(), EditError> {
        if edit.files.len() > FEW {
            return syncfs(&self.folders.top).map_err(|error| failed("", error));
        }
        for path in edit.files.keys() {
            // What is above holds the name of a folder that was made.
            for folder in above(path).chain([""]) {
                let Some(at) = self.folders.enter(folder, false)? else { continue };
                fsync(at).map_err(|error| failed(folder, error))?;
            }
        }
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        for (path, next) in std::mem::take(&mut self.staged) {
            if let Ok(Some(at)) = self.folders.enter(split(&path).0, false) {
                let _ = unlinkat(at, next, AtFlags::empty());
            }
        }
        let swept = std::mem::take(&mut self.swept);
        self.remove_empty(swept.iter().filter(|folder| !folder.is_empty()).flat_map(|folder| above(folder).chain([&**folder])).collect());
    }
}

/// The mode and owner of a file.
struct FileAttributes {
    mode: Mode,
    owner: Option<(Uid, Gid)>,
}

/// Returns the mode and owner for the new file. Fails if the old one changed or is not a regular file.
fn must_be_as_expected(at: &OwnedFd, path: &str, name: &str, file: &FileEdit) -> Result<FileAttributes, EditError> {
    let there = match statat(at, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(there) => there,
        Err(Errno::NOENT) if file.before.is_some() => return Err(gone(path)),
        Err(Errno::NOENT) => {
            // Whoever may read and write the folder may read and write what is new in it.
            let folder = fstat(at).map_err(|error| failed(path, error))?;
            return Ok(FileAttributes { mode: Mode::from_raw_mode(folder.st_mode & 0o666 | 0o600), owner: None });
        }
        Err(error) => return Err(failed(path, error)),
    };
    match FileType::from_raw_mode(there.st_mode) {
        FileType::RegularFile => {}
        // What it leads to stays.
        FileType::Symlink if file.after.is_none() => return Ok(FileAttributes { mode: Mode::empty(), owner: None }),
        FileType::Symlink => return Err(EditError::InTheWay { path: path.into(), why: "it is a link\n  hint: change what it leads to" }),
        _ => return Err(EditError::InTheWay { path: path.into(), why: "it is no file" }),
    }
    let Some(before) = &file.before else { return Err(unread(path)) };
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = openat(at, name, flags, Mode::empty()).map_err(|error| failed(path, error))?;
    let mut bytes = Vec::new();
    File::from(opened).take(before.bytes.len() as u64 + 1).read_to_end(&mut bytes).map_err(|error| failed(path, error))?;
    if bytes != *before.bytes {
        return Err(unread(path));
    }
    let owner = Some((Uid::from_raw(there.st_uid), Gid::from_raw(there.st_gid)));
    Ok(FileAttributes { mode: Mode::from_raw_mode(there.st_mode & 0o7777), owner })
}

/// Writes a content to the disk under another name.
fn stage(at: &OwnedFd, next: &str, content: &Content, like: &FileAttributes, is_synced: bool) -> io::Result<()> {
    // A link, which the sweep leaves alone, or one of another node.
    match unlinkat(at, next, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(at, next, flags, Mode::RUSR | Mode::WUSR)?);
    let written = (|| {
        file.write_all(&content.bytes)?;
        if let Some((user, group)) = like.owner {
            let own = file.metadata()?;
            // Only root may give files away, and whoever may not still may write.
            if (own.uid(), own.gid()) != (user.as_raw(), group.as_raw()) {
                let _ = fchown(&file, Some(user), Some(group)).or_else(|_| fchown(&file, None, Some(group)));
            }
        }
        // After the owner, whose change takes some bits away.
        fchmod(&file, like.mode)?;
        if is_synced { file.sync_all() } else { Ok(()) }
    })();
    if written.is_err() {
        let _ = unlinkat(at, next, AtFlags::empty());
    }
    written
}

/// Folders below a root, each entered from the one above.
struct Folders {
    top: OwnedFd,
    opened: BTreeMap<String, OwnedFd>,
}

impl Folders {
    fn below(root: &Path) -> Result<Self, EditError> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let top = open(root, flags, Mode::empty()).map_err(|error| failed(&root.display().to_string(), error))?;
        Ok(Self { top, opened: BTreeMap::new() })
    }

    /// Opens a folder, and makes it if it is wanted and not there.
    fn enter(&mut self, folder: &str, is_wanted: bool) -> Result<Option<&OwnedFd>, EditError> {
        if folder.is_empty() {
            return Ok(Some(&self.top));
        }
        if !self.opened.contains_key(folder) {
            let (above, name) = split(folder);
            let Some(at) = self.enter(above, is_wanted)? else { return Ok(None) };
            let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
            let entered = match openat(at, name, flags, Mode::empty()) {
                Err(Errno::NOENT) if !is_wanted => return Ok(None),
                Err(Errno::NOENT) => make_folder(at, name).and_then(|()| openat(at, name, flags, Mode::empty())),
                opened => opened,
            };
            let entered = entered.map_err(|error| match error {
                Errno::LOOP => in_the_way(folder, "it is a link\n  hint: change what it leads to"),
                Errno::NOTDIR if is_link(at, name) => in_the_way(folder, "it is a link\n  hint: change what it leads to"),
                Errno::NOTDIR => in_the_way(folder, "it is a file"),
                error => failed(folder, error),
            })?;
            if self.opened.len() >= OPEN {
                self.opened.clear();
            }
            self.opened.insert(folder.into(), entered);
        }
        Ok(self.opened.get(folder))
    }
}

fn in_the_way(path: &str, why: &'static str) -> EditError {
    EditError::InTheWay { path: path.into(), why }
}

fn is_link(at: &OwnedFd, name: &str) -> bool {
    statat(at, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|there| FileType::from_raw_mode(there.st_mode).is_symlink())
}

/// Makes a folder that is as open as the one that it is in, whatever the process gives to new ones.
fn make_folder(at: &OwnedFd, name: &str) -> rustix::io::Result<()> {
    let mode = Mode::from_raw_mode(fstat(at)?.st_mode & 0o7777);
    mkdirat(at, name, Mode::RWXU)?;
    let made = openat(at, name, OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    fchmod(&made, mode | Mode::RWXU)
}
