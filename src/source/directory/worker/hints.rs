//! Takes hints: where to look, and how soon.

use std::{collections::BTreeMap, fs};

use super::Worker;
use crate::{
    clock::monotonic,
    function::{Digest, FilePath, route::stray::stray},
    source::{
        directory::{
            hint::Hint,
            mounts,
            scan::signature::{Inode, Signature},
            watch::RootFolder,
        },
        names::is_read,
    },
};

impl Worker {
    /// Remembers what a hint points at.
    pub(super) fn take(&mut self, hint: Hint) {
        match hint {
            Hint::Stop => return self.is_stopped = true,
            Hint::File(path) => {
                if let Some(inode) = self.written_as(&path) {
                    self.state.writers.closed(inode, monotonic() + self.settings.unclosed_for);
                }
                if !is_read(&path) && !self.last.has_links {
                    return;
                }
                if is_read(&path) {
                    self.look_at_once(path);
                }
            }
            Hint::Named(path) => self.look_at_once(path),
            Hint::Opened(path) => {
                if let Some(inode) = self.written_as(&path) {
                    self.state.writers.opened(inode);
                }
                return;
            }
            Hint::Writing(path) => {
                // Whatever it is called: it may get another name, or have one.
                if let Some(inode) = self.inode(&path) {
                    self.state.writers.written(path.clone(), inode, monotonic() + self.settings.open_at_most, monotonic());
                }
                if !is_read(&path) && !self.last.has_links {
                    return;
                }
            }
            Hint::Edited { written, gone } => {
                gone.iter().for_each(|path| self.state.deleted(path));
                self.at_once.extend(written.into_iter().chain(gone));
            }
            Hint::FileSoon(path) => self.soon.add_file(path),
            Hint::Other(path) if self.is_or_was_folder(&path) || stray(&path, |_| false).is_some() => self.soon.add_everything(),
            Hint::Hidden if self.last.has_links => {}
            Hint::Other(_) | Hint::Hidden => return,
            Hint::All => {
                self.state.writers.lost(monotonic() + self.settings.unclosed_for);
                self.has_lost_reports = true;
                self.soon.add_everything();
            }
            Hint::Root => self.must_watch_anew = true,
            Hint::Mounts if self.is_mounted_otherwise() => self.must_watch_anew = true,
            Hint::Mounts => return,
            Hint::Refresh { number, takes_empty } => {
                self.must_watch_anew = true;
                self.is_wanted = true;
                self.takes_empty |= takes_empty;
                self.wish = number;
            }
            Hint::Remember(files, number) => self.remember(files, number),
            Hint::Trouble(trouble) => {
                self.set_trouble(Some(trouble));
                self.soon.add_everything();
            }
        }
        if self.last.has_links {
            self.soon.add_everything();
        }
        self.follow_up = Some(monotonic() + self.settings.follow_up);
    }

    fn look_at_once(&mut self, path: FilePath) {
        self.soon.files.remove(&path);
        self.at_once.insert(path);
    }

    fn remember(&mut self, files: BTreeMap<FilePath, Digest>, number: u64) {
        let changes = self.state.remember(files, monotonic());
        // Nobody sees it before the look that follows.
        self.view.send_if_modified(|view| {
            view.note(changes);
            false
        });
        self.must_watch_anew = true;
        self.wish = self.wish.max(number);
    }

    /// Returns which file a path is.
    fn inode(&self, path: &str) -> Option<Inode> {
        let metadata = fs::symlink_metadata(self.folder.as_ref()?.real.join(path)).ok()?;
        Some(Signature::from(&metadata).inode())
    }

    /// Returns which file it is that somebody writes to under this name, or which has it.
    fn written_as(&self, path: &str) -> Option<Inode> {
        self.state.writers.named(path).or_else(|| self.inode(path))
    }

    fn is_mounted_otherwise(&self) -> bool {
        let folder = RootFolder::of(&self.root).ok();
        self.folder != folder || folder.is_some_and(|folder| mounts::below(&folder.real) != self.mounts)
    }

    /// Returns whether a path that is no function file can have some below it, or lead to some.
    fn is_or_was_folder(&self, path: &str) -> bool {
        let is_folder = |folder: &RootFolder| {
            fs::symlink_metadata(folder.real.join(path)).is_ok_and(|metadata| metadata.is_dir() || metadata.is_symlink())
        };
        self.state.has_below(path) || self.folder.as_ref().is_some_and(is_folder)
    }
}
