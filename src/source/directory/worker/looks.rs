//! Looking at the disk, and showing what is different.

use std::{collections::BTreeSet, mem, path::Path};

use super::Worker;
use crate::{
    clock::monotonic,
    function::{Diagnostic, FilePath, role::guard_paths, route::stray::stray},
    source::directory::{
        fault::FileFault,
        look::{Look, Now, Trust},
        scan::{
            kind::{PathKind, kind_below},
            list,
            root::{self, Root},
            signature::Signature,
        },
        view::Obstacle,
        watch::{self, RootFolder},
    },
};

impl Worker {
    pub(super) fn look_everywhere(&mut self, closed: &BTreeSet<FilePath>) {
        let Some(folder) = self.folder.clone() else { return };
        let listed = Root::open(&folder.real).and_then(|root| Ok((list::list(&root, self.settings.max_file_bytes)?, root)));
        let (mut listing, root) = match listed {
            Ok(listed) => listed,
            Err(error) => return self.block(error),
        };
        let known = self.state.paths().filter(|path| !listing.found.contains_key(*path));
        let unseen = known.map(|path| (path.clone(), if listing.is_closed(path) { Look::Unchanged } else { Look::Missing }));
        let mut looks: Vec<(FilePath, Look)> = unseen.collect();
        let strays = listing.strays.iter().filter_map(|path| stray(path, |other| listing.found.contains_key(other))).collect();
        for (path, kind) in mem::take(&mut listing.found) {
            let look = self.look(&root, &path, kind, closed.contains(&path));
            looks.push((path, look));
        }
        let unreported = match listing.has_other_names {
            _ if !self.mounts.is_empty() => Some(watch::MOUNTED),
            true => Some(watch::OTHER_NAMES),
            false => None,
        };
        self.last = listing;
        let now = monotonic();
        self.follow_up = self.follow_up.filter(|due| *due > now);
        self.has_lost_reports = false;
        self.state.writers.forget(now);
        if self.state.writers.is_empty() {
            self.inbox.nobody_writes();
        }
        self.set_unreported(unreported);
        self.plan_next_full_scan();
        self.decide(&folder, looks, Some(strays));
        if self.must_watch_anew {
            return;
        }
        if mem::take(&mut self.takes_empty) && self.state.all_deleted() {
            self.is_wanted = false;
            return self.look_everywhere(closed);
        }
        self.fulfil();
    }

    pub(super) fn look_at(&mut self, mut files: BTreeSet<FilePath>, closed: &BTreeSet<FilePath>) {
        let Some(folder) = self.folder.clone() else { return };
        let root = match Root::open(&folder.real) {
            Ok(root) => root,
            Err(error) => return self.block(error),
        };
        // In a new folder a function's report may come without that of the guard beside it, which was there before the watch.
        let guards: Vec<FilePath> = files.iter().flat_map(|path| guard_paths(path)).map(FilePath::from).collect();
        files.extend(guards.into_iter().filter(|guard| !self.last.is_closed(guard)));
        let mut looks = Vec::with_capacity(files.len());
        for path in files {
            let look = if self.last.is_closed(&path) {
                Look::Unchanged
            } else {
                let kind = kind_below(&root, &path, self.settings.max_file_bytes);
                if matches!(kind, PathKind::Folder(_)) {
                    self.soon.add_everything();
                }
                self.look(&root, &path, kind, closed.contains(&path))
            };
            looks.push((path, look));
        }
        self.decide(&folder, looks, None);
    }

    /// Reads a file if its signature does not say enough, and nobody is writing to it.
    fn look(&self, root: &Root, path: &str, kind: PathKind, is_closed: bool) -> Look {
        let signature = match kind {
            PathKind::File(signature) => signature,
            PathKind::Fault(fault) => return Look::Fault(fault),
            PathKind::Missing | PathKind::Folder(_) => return Look::Missing,
        };
        if let Some(until) = self.state.writers.until(signature.inode(), monotonic()) {
            return Look::BeingWritten(until);
        }
        if !self.state.must_read(path, &signature) {
            return Look::Unchanged;
        }
        match root::read(root, path, self.settings.max_file_bytes) {
            Ok((signature, content)) => Look::Read(signature, content, self.trust(path, &signature, is_closed)),
            Err(FileFault::Absent) => Look::Missing,
            Err(fault) => Look::Fault(fault),
        }
    }

    fn trust(&self, path: &str, signature: &Signature, is_closed: bool) -> Trust {
        let is_elsewhere = || {
            let path = self.folder.as_ref().map(|folder| folder.real.join(path)).unwrap_or_default();
            self.mounts.iter().any(|mount| Path::new(&path).starts_with(mount))
        };
        if is_closed || self.is_wanted {
            Trust::Closed
        } else if self.trouble.is_some() || self.has_lost_reports || signature.has_other_names() || is_elsewhere() {
            Trust::Unwatched
        } else {
            Trust::Watched
        }
    }

    /// Shows what looks have changed, and what was met that is probably meant as something else, unless the root went away under them.
    fn decide(&mut self, folder: &RootFolder, mut looks: Vec<(FilePath, Look)>, strays: Option<Vec<Diagnostic>>) {
        if RootFolder::of(&self.root).ok().as_ref() != Some(folder) {
            self.must_watch_anew = true;
            return;
        }
        // What somebody has begun to write since it was read may have been read half.
        self.take_all();
        let now = Now::read();
        for (_, look) in &mut looks {
            if let Look::Read(signature, ..) = look
                && let Some(until) = self.state.writers.until(signature.inode(), now.instant)
            {
                *look = Look::BeingWritten(until);
            }
        }
        let changes = self.state.apply(looks, now);
        let blocked = self.state.is_empty().then_some(Obstacle::Empty);
        self.view.send_if_modified(|view| view.show(changes, strays, blocked));
    }
}
