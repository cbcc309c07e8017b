//! Decides how long missing files are waited for. The more are missing, the likelier it is that nobody meant it. A volume may be away, or a
//! copy may be under way that began by deleting.

use std::time::{Duration, Instant};

use crate::{
    function::{Loss, Role},
    source::directory::settings::DirectorySettings,
};

/// The number of files that are missing, and of those that there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MissingCount {
    /// Files that were there.
    pub known: usize,
    /// Files of those that are not.
    pub missing: usize,
}

impl MissingCount {
    /// Returns whether nothing is left.
    pub fn is_everything(self) -> bool {
        self.missing > 0 && self.missing == self.known
    }
}

/// What is missing now, taken together: it goes together.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// How much it was when most was missing. What comes back one by one does not make the rest a small loss.
    patience: Option<Duration>,
    /// When the last file went.
    gone: Option<Instant>,
    /// When the last file went, came back, or came anew.
    moved: Option<Instant>,
    /// When the first came after that.
    returned: Option<Instant>,
}

impl Losses {
    /// Returns whether something is missing.
    pub fn is_any(&self) -> bool {
        self.patience.is_some()
    }

    /// Takes in that a file went.
    pub fn gone(&mut self, now: Instant) {
        self.gone = Some(now);
        self.moved = Some(now);
    }

    /// Takes in that a file came, or came back.
    pub fn come(&mut self, now: Instant) {
        self.moved = Some(now);
        self.returned = self.returned.or(self.patience.map(|_| now));
    }

    /// Takes in how much is missing by now.
    pub fn judge(&mut self, settings: &DirectorySettings, missed: MissingCount) {
        if missed.missing == 0 {
            return *self = Self::default();
        }
        let patience = match Loss::of(missed.known, missed.missing) {
            Loss::Few => settings.gone_after,
            Loss::Most => settings.many_gone_after,
            Loss::All => settings.all_gone_after,
        };
        self.patience = self.patience.max(Some(patience));
    }

    /// Returns when a file is gone that has been missing for so long.
    pub fn until(&self, settings: &DirectorySettings, path: &str, since: Instant) -> Instant {
        let (gone, moved) = (self.gone.unwrap_or(since), self.moved.unwrap_or(since));
        let patience = self.patience.unwrap_or(settings.gone_after);
        // Without its guard a folder is open to anybody, and the copy that brings it back may bring the functions first.
        if Role::of(path) == Some(Role::Guard) {
            return moved + patience.max(settings.all_gone_after);
        }
        if patience <= settings.gone_after {
            // However slowly a folder is emptied, no file outlives its own longest wait.
            return (gone + patience).min(since + settings.all_gone_after);
        }
        (moved + patience).min(since.max(self.returned.unwrap_or(since)) + settings.copied_within)
    }
}
