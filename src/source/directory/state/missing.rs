//! Files that are not there: which of them are gone, and since when.

use std::time::Instant;

use super::{
    Change, State,
    entry::{Doubt, RACY},
    loss::MissingCount,
};
use crate::function::FilePath;

impl State {
    /// Takes in that these paths are not there. They go when they have been missing long enough, all together.
    pub(super) fn miss(&mut self, paths: Vec<FilePath>, now: Instant, changes: &mut Vec<Change>) {
        for path in &paths {
            if let Some(entry) = self.entries.get_mut(path)
                && !matches!(entry.doubt, Some(Doubt::Missing { .. } | Doubt::Deleted))
            {
                entry.doubt = Some(Doubt::Missing { since: now });
                self.losses.gone(now);
            }
        }
        let missed = self.count();
        self.losses.judge(&self.settings, missed);
        for path in paths {
            let entry = self.take(&path);
            let until = match entry.doubt {
                Some(Doubt::Missing { since }) => self.losses.until(&self.settings, &path, since),
                Some(Doubt::Deleted) => now,
                _ => continue,
            };
            let is_over = now >= until || (self.is_first && missed.is_everything());
            if entry.is_missing() && entry.is_known() && missed.is_everything() && is_over {
                self.is_empty = true;
                self.put(path, entry, None, now, changes);
                continue;
            }
            if entry.is_known() && !is_over {
                self.put(path, entry, Some(until), now, changes);
                continue;
            }
            if entry.is_unsettled {
                changes.push(Change::Settled(path.clone()));
            }
            if entry.problem.is_some() {
                changes.push(Change::Problem(path.clone(), None));
            }
            if entry.digest.is_some() {
                changes.push(Change::Content(path, None));
            }
        }
    }

    /// Counts what is missing of what has been read.
    pub(super) fn count(&self) -> MissingCount {
        let known = || self.entries.values().filter(|entry| entry.digest.is_some() || entry.remembered.is_some());
        MissingCount { known: known().count(), missing: known().filter(|entry| entry.is_missing()).count() }
    }

    /// Looks for what is missing: while that was everything, nobody did.
    pub(super) fn look_again_for_the_missing(&mut self, now: Instant) {
        let forgotten = self.entries.iter().filter(|(_, entry)| entry.due.is_none());
        let forgotten: Vec<(FilePath, Instant)> = forgotten
            .filter_map(|(path, entry)| match entry.doubt {
                Some(Doubt::Missing { since }) => Some((path.clone(), since)),
                _ => None,
            })
            .collect();
        for (path, since) in forgotten {
            let due = self.losses.until(&self.settings, &path, since).max(now + RACY);
            self.due.insert((due, path.clone()));
            if let Some(entry) = self.entries.get_mut(&path) {
                entry.due = Some(due);
            }
        }
    }
}
