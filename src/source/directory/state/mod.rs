//! Decides what looks at the disk mean: what changed, what is only half saved, what is really gone. It does no I/O and reads no clock, so
//! every rule can be tested as a table.

mod entry;
mod loss;
mod missing;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use self::{
    entry::{Doubt, FileEntry},
    loss::Losses,
};
use super::{
    look::{Look, Now, Trust},
    scan::signature::Signature,
    settings::DirectorySettings,
    writers::Writers,
};
use crate::function::{Content, Diagnostic, Digest, FilePath};

/// One difference that looks have made.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// A file has this content now, or is gone.
    Content(FilePath, Option<Content>),
    /// The content of a file is not certain. It is so new that it may be half of a save, or it is not known yet.
    Unsettled(FilePath),
    /// It is certain now.
    Settled(FilePath),
    /// Something is wrong with a path, or no longer.
    Problem(FilePath, Option<Diagnostic>),
}

/// Everything known of a root.
#[derive(Debug)]
pub(super) struct State {
    settings: DirectorySettings,
    entries: BTreeMap<FilePath, FileEntry>,
    /// When to look at which path again, soonest first.
    due: BTreeSet<(Instant, FilePath)>,
    /// Who has files open.
    pub writers: Writers,
    losses: Losses,
    /// Something was there before the first look.
    remembers: bool,
    /// At the first look there is nothing to keep that a moment's patience would protect.
    is_first: bool,
    /// Everything that was there is missing, and has been for as long as anybody waits.
    is_empty: bool,
}

impl State {
    /// Knows nothing yet.
    pub fn new(settings: DirectorySettings) -> Self {
        Self {
            settings,
            entries: BTreeMap::new(),
            due: BTreeSet::new(),
            writers: Writers::default(),
            losses: Losses::default(),
            remembers: false,
            is_first: true,
            is_empty: false,
        }
    }

    /// Returns whether a file must be read to know its content.
    pub fn must_read(&self, path: &str, signature: &Signature) -> bool {
        self.entries.get(path).is_none_or(|entry| entry.signature != Some(*signature) || entry.racy_until.is_some())
    }

    /// Returns whether there is anything below this folder.
    pub fn has_below(&self, folder: &str) -> bool {
        let start: FilePath = format!("{folder}/").into();
        self.entries.range(start.clone()..).next().is_some_and(|(path, _)| path.starts_with(&*start))
    }

    /// Returns all known paths.
    pub fn paths(&self) -> impl Iterator<Item = &FilePath> {
        self.entries.keys()
    }

    /// Returns when the next path wants to be looked at again.
    pub fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Returns the paths that want to be looked at again by now.
    pub fn due_by(&self, now: Instant) -> impl Iterator<Item = &FilePath> {
        self.due.iter().take_while(move |(due, _)| *due <= now).map(|(_, path)| path)
    }

    /// Returns whether everything that was there is gone. Then nothing of it is believed to be: most likely the volume is away.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Takes in which files there were before anybody looked. They are as if they had been seen and were missing since.
    pub fn remember(&mut self, files: BTreeMap<FilePath, Digest>, now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        self.remembers |= !files.is_empty();
        for (path, digest) in files {
            if !self.entries.contains_key(&path) {
                let entry = FileEntry { remembered: Some(digest), doubt: Some(Doubt::Missing { since: now }), ..FileEntry::default() };
                self.losses.gone(now);
                self.put(path, entry, None, now, &mut changes);
            }
        }
        changes
    }

    /// Takes in that the node itself has deleted a file: when it is not there, nobody waits for it to come back.
    pub fn deleted(&mut self, path: &FilePath) {
        if let Some(entry) = self.entries.get_mut(path) {
            entry.doubt = Some(Doubt::Deleted);
        }
    }

    /// Takes in that somebody means it if everything is gone. Returns whether it is.
    pub fn all_deleted(&mut self) -> bool {
        let is_gone = self.count().is_everything();
        if is_gone {
            self.is_empty = false;
            self.entries.values_mut().for_each(|entry| entry.doubt = Some(Doubt::Deleted));
        }
        is_gone
    }

    /// Takes in what was seen and returns what is different for it.
    pub fn apply(&mut self, looks: Vec<(FilePath, Look)>, now: Now) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut missing = Vec::new();
        let was_empty = self.is_empty;
        for (path, look) in looks {
            if look == Look::Missing {
                missing.push(path);
                continue;
            }
            let mut entry = match self.entries.get(&path) {
                Some(entry) if look == Look::Unchanged && entry.due.is_none() && entry.doubt.is_none() => continue,
                _ => self.take(&path),
            };
            // What cannot be read says nothing of the rest: the top folder of an empty volume may have such a thing, as `lost+found` is.
            let has_come = !entry.is_known() && !matches!(look, Look::Unchanged | Look::Fault(_));
            if entry.is_missing() || has_come {
                self.losses.come(now.instant);
                self.is_empty = false;
            }
            match look {
                Look::Missing => {}
                Look::Unchanged => entry.confirm(),
                Look::BeingWritten(until) => entry.wait(until),
                Look::Read(signature, content, trust) => {
                    let trust = match (self.is_first, self.remembers) {
                        (true, true) => Trust::Unwatched,
                        // Nothing was live before that could be kept instead.
                        (true, false) => Trust::Closed,
                        (false, _) => trust,
                    };
                    entry.read(&self.settings, &path, signature, content, trust, now, &mut changes);
                }
                Look::Fault(fault) => {
                    let patience = if self.is_first { Duration::ZERO } else { self.settings.settle };
                    entry.fault(&path, fault, patience, now.instant, &mut changes);
                }
            }
            self.put(path, entry, None, now.instant, &mut changes);
        }
        if !missing.is_empty() || self.losses.is_any() {
            self.miss(missing, now.instant, &mut changes);
        }
        if was_empty && !self.is_empty {
            self.look_again_for_the_missing(now.instant);
        }
        self.is_first = false;
        changes
    }

    fn take(&mut self, path: &FilePath) -> FileEntry {
        let mut entry = self.entries.remove(path).unwrap_or_default();
        if let Some(due) = entry.due.take() {
            self.due.remove(&(due, path.clone()));
        }
        entry
    }

    /// Puts an entry back, says whether it is settled, and notes when to look again (a missing one: at `until`).
    fn put(&mut self, path: FilePath, mut entry: FileEntry, until: Option<Instant>, now: Instant, changes: &mut Vec<Change>) {
        entry.racy_until = entry.racy_until.filter(|until| *until > now);
        let doubt_until = match entry.doubt {
            Some(Doubt::Empty { until, .. } | Doubt::BeingWritten { until } | Doubt::Faulty { until }) => Some(until),
            _ => until,
        };
        let is_uncertain = match entry.doubt {
            Some(Doubt::Empty { .. } | Doubt::BeingWritten { .. }) => true,
            // Before somebody is told of it, it is there all the same.
            Some(Doubt::Faulty { .. }) => entry.digest.is_none(),
            _ => false,
        };
        if !is_uncertain {
            entry.unsettled_until = entry.unsettled_until.filter(|until| *until > now);
        }
        // While a save is under way, what was new before it has no chance to settle.
        let is_unsettled = match is_uncertain {
            true => entry.is_unsettled || entry.digest.is_none(),
            false => entry.remembered.is_some() || entry.unsettled_until.is_some(),
        };
        if is_unsettled != entry.is_unsettled {
            entry.is_unsettled = is_unsettled;
            changes.push(if is_unsettled { Change::Unsettled(path.clone()) } else { Change::Settled(path.clone()) });
        }
        entry.due = [entry.racy_until, entry.unsettled_until.filter(|until| *until > now), doubt_until].into_iter().flatten().min();
        if let Some(due) = entry.due {
            self.due.insert((due, path.clone()));
        }
        self.entries.insert(path, entry);
    }
}
