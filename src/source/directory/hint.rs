//! Turns what the system reports into where to look. Reports are only hints: they may come late, twice, or not at all.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use notify::{
    ErrorKind, Event, EventKind,
    event::{AccessKind, AccessMode, ModifyKind},
};

use crate::{
    function::{Digest, FilePath, route::stray::stray},
    source::names::{is_read, is_skipped},
};

/// Why changes are not reported where the process, or its user, may open nothing more.
pub(super) const NO_HANDLES: &str =
    "there are no more inotify instances (raise `fs.inotify.max_user_instances`) or file handles (`ulimit -n`)";

/// A place to look at, and how soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hint {
    /// A file, whether or not it is a function file, that somebody has finished writing: at once.
    File(FilePath),
    /// One whose name was given, taken or changed: at once. Whoever writes to it may go on.
    Named(FilePath),
    /// One that somebody has opened, to read it or to write to it: nowhere.
    Opened(FilePath),
    /// One that somebody writes to: when it is closed.
    Writing(FilePath),
    /// Files that the node itself has written or deleted: at once, and a deletion is meant.
    Edited {
        /// They have another content.
        written: Vec<FilePath>,
        /// They are not there.
        gone: Vec<FilePath>,
    },
    /// A file that is new, or of which something else has changed than what it holds: when nothing more comes.
    FileSoon(FilePath),
    /// Something that is no function file; everything, if it is or was a folder.
    Other(FilePath),
    /// Something below a skipped folder or with a skipped name; everything, if a link may lead to it.
    Hidden,
    /// Everything.
    All,
    /// Everything, after watching anew: the root itself is not what it was.
    Root,
    /// The same if the root leads elsewhere now, or something else is mounted in it.
    Mounts,
    /// Everything, after watching anew, because somebody wants it, and takes what is there as it is.
    Refresh {
        /// The wish.
        number: u64,
        /// Also when nothing is there.
        takes_empty: bool,
    },
    /// Everything, with these files as if they had been seen before: wish number so-and-so.
    Remember(BTreeMap<FilePath, Digest>, u64),
    /// Reports can no longer be relied upon.
    Trouble(String),
    /// The source is no longer needed.
    Stop,
}

/// Returns what a report about something in or below the root hints at. The root is named as it was when the watch began.
pub(super) fn in_root(root: &Path, report: &notify::Result<Event>) -> Vec<Hint> {
    let event = match report {
        Ok(event) => event,
        Err(error) => return vec![Hint::Trouble(explained(error))],
    };
    // It has no path: the queue was full, and what was lost is unknown.
    if event.need_rescan() {
        return vec![Hint::All];
    }
    let is_finished = match event.kind {
        // All other access is reading; we do that ourselves, and must not wake ourselves by it.
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(AccessKind::Open(_)) => false,
        EventKind::Access(_) => return Vec::new(),
        EventKind::Modify(ModifyKind::Name(_)) | EventKind::Remove(_) => true,
        _ => false,
    };
    event.paths.iter().filter_map(|path| path_hint(root, path, event.kind, is_finished)).collect()
}

fn path_hint(root: &Path, path: &Path, kind: EventKind, is_finished: bool) -> Option<Hint> {
    let below = path.strip_prefix(root).ok()?;
    if let EventKind::Access(AccessKind::Open(_)) = kind {
        return below.to_str().filter(|path| is_read(path)).map(|path| Hint::Opened(path.into()));
    }
    if below.as_os_str().is_empty() {
        return Some(if is_finished { Hint::Root } else { Hint::All });
    }
    let Some(path) = below.to_str() else {
        return Some(Hint::All);
    };
    let path = FilePath::from(path);
    match kind {
        // Also of what is no function file: links may lead to it.
        EventKind::Access(_) => Some(Hint::File(path)),
        EventKind::Modify(ModifyKind::Data(_)) => Some(Hint::Writing(path)),
        _ if is_read(&path) && is_finished => Some(Hint::Named(path)),
        _ if is_read(&path) => Some(Hint::FileSoon(path)),
        _ if below.iter().any(is_skipped) && stray(&path, |_| false).is_none() => Some(Hint::Hidden),
        _ => Some(Hint::Other(path)),
    }
}

/// Returns whether a report from a folder on the way to the root says that the way may lead elsewhere now.
pub(super) fn is_about_way(way: &[PathBuf], report: &notify::Result<Event>) -> bool {
    let Ok(event) = report else { return true };
    let is_change = matches!(event.kind, EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)));
    let concerns_way = |path: &Path| way.iter().any(|step| step == path || step.parent() == Some(path));
    event.need_rescan() || (is_change && event.paths.iter().any(|path| concerns_way(path)))
}

/// Says why something cannot be watched, and what to do about it where that is known.
pub(super) fn explained(error: &notify::Error) -> String {
    match &error.kind {
        ErrorKind::MaxFilesWatch => "the system has no more watches for this user (raise `fs.inotify.max_user_watches`)".into(),
        ErrorKind::Io(error) if error.raw_os_error() == Some(libc::EMFILE) => NO_HANDLES.into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, DataChange, Flag, MetadataKind, RemoveKind, RenameMode};

    use super::*;

    fn hints(kind: EventKind, paths: &[&str]) -> Vec<Hint> {
        let event = paths.iter().fold(Event::new(kind), |event, path| event.add_path(PathBuf::from(path)));
        in_root(Path::new("/f"), &Ok(event))
    }

    const CLOSED: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));
    const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    const MADE: EventKind = EventKind::Create(CreateKind::File);

    #[test]
    fn reading_hints_at_nothing() {
        assert_eq!(hints(EventKind::Access(AccessKind::Open(AccessMode::Any)), &["/f", "/f/x", "/f/a.txt"]), []);
        for access in [AccessKind::Close(AccessMode::Read), AccessKind::Read, AccessKind::Any] {
            assert_eq!(hints(EventKind::Access(access), &["/f/a.rhai"]), []);
        }
    }

    #[test]
    fn a_finished_save_is_looked_at_at_once_and_an_unfinished_one_soon() {
        let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::Both));
        let [a, b] = ["a.rhai", "x/b.rhai"].map(|path| Hint::Named(path.into()));
        assert_eq!(hints(CLOSED, &["/f/a.rhai"]), [Hint::File("a.rhai".into())]);
        assert_eq!(hints(EventKind::Access(AccessKind::Open(AccessMode::Any)), &["/f/a.rhai"]), [Hint::Opened("a.rhai".into())]);
        assert_eq!(hints(renamed, &["/f/a.rhai", "/f/x/b.rhai"]), [a.clone(), b]);
        assert_eq!(hints(EventKind::Remove(RemoveKind::File), &["/f/a.rhai"]), [a]);
        assert_eq!(hints(WRITTEN, &["/f/a.rhai"]), [Hint::Writing("a.rhai".into())]);
        for kind in [MADE, EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any)), EventKind::Any] {
            assert_eq!(hints(kind, &["/f/a.rhai"]), [Hint::FileSoon("a.rhai".into())]);
        }
    }

    #[test]
    fn a_full_queue_means_to_look_everywhere() {
        let event = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert_eq!(in_root(Path::new("/f"), &Ok(event.clone())), [Hint::All]);
        assert!(is_about_way(&["/f".into()], &Ok(event)));
    }

    #[test]
    fn an_error_of_the_watcher_is_trouble() {
        let error = || Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch));
        assert!(matches!(in_root(Path::new("/f"), &error())[..], [Hint::Trouble(_)]));
        assert!(is_about_way(&["/f".into()], &error()));
    }

    #[test]
    fn what_is_no_function_may_be_a_folder() {
        assert_eq!(hints(MADE, &["/f/sub"]), [Hint::Other("sub".into())]);
        assert_eq!(hints(MADE, &["/f/.middleware.rhai"]), [Hint::Other(".middleware.rhai".into())]);
        for hidden in ["/f/.git/index", "/f/..data", "/f/a.rhai~", "/f/.a.rhai.swp", "/f/a.rhai___jb_tmp___"] {
            assert_eq!(hints(MADE, &[hidden]), [Hint::Hidden], "{hidden}");
        }
        assert_eq!(hints(CLOSED, &["/f/.well-known/a.rhai"]), [Hint::File(".well-known/a.rhai".into())]);
        assert_eq!(hints(EventKind::Remove(RemoveKind::Folder), &["/f"]), [Hint::Root]);
        assert_eq!(hints(MADE, &["/elsewhere/a.rhai"]), []);
    }

    #[test]
    fn only_changes_of_names_on_the_way_matter() {
        let way = [PathBuf::from("/srv/current"), PathBuf::from("/srv/r1/functions")];
        let about = |kind, path: &str| is_about_way(&way, &Ok(Event::new(kind).add_path(path.into())));
        let moved = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        assert!(about(moved, "/srv/current") && about(MADE, "/srv/r1/functions") && about(moved, "/srv/r1"));
        assert!(!about(moved, "/srv/r2") && !about(CLOSED, "/srv/current"));
        assert!(!about(EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any)), "/srv/current"));
    }
}
