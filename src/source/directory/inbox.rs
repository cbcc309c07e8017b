//! Queues of the thread that looks: hints on their way to it, and looks that wait until no more hints come.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Instant,
};

use super::{DirectorySettings, hint::Hint};
use crate::{clock::monotonic, function::FilePath};

/// Hints that wait for the thread. When there are more, they are forgotten and everything is looked at instead. Whoever puts one in must
/// not wait, or the system's own queue overflows.
pub(super) const CAPACITY: usize = 4096;

/// Takes hints for the thread.
#[derive(Clone)]
pub(super) struct Inbox {
    hints: SyncSender<Hint>,
    is_overfull: Arc<AtomicBool>,
    /// Whether a file may be open for writing: only then matters who opens one.
    is_writing: Arc<AtomicBool>,
}

impl Inbox {
    /// Makes one, and the end at which hints come out.
    pub fn new() -> (Self, Receiver<Hint>) {
        let (hints, received) = sync_channel(CAPACITY);
        (Self { hints, is_overfull: Arc::default(), is_writing: Arc::default() }, received)
    }

    /// Puts a hint in without waiting.
    pub fn put(&self, hint: Hint) {
        match hint {
            Hint::Writing(_) => self.is_writing.store(true, Ordering::Release),
            Hint::Opened(_) if !self.is_writing.load(Ordering::Acquire) => return,
            _ => {}
        }
        if self.hints.try_send(hint).is_err() {
            self.is_overfull.store(true, Ordering::Release);
        }
    }

    /// Takes in that nobody writes any more.
    pub fn nobody_writes(&self) {
        self.is_writing.store(false, Ordering::Release);
    }

    /// Returns whether hints have been forgotten since this was last asked.
    pub fn was_overfull(&self) -> bool {
        self.is_overfull.swap(false, Ordering::Acquire)
    }
}

/// Looks that wait until no more hints come.
#[derive(Default)]
pub(super) struct PendingLooks {
    /// Files that are being written.
    pub files: BTreeSet<FilePath>,
    /// Whether nobody knows where to look.
    pub everything: bool,
    /// When the first and the last hint of this burst came.
    burst: Option<(Instant, Instant)>,
}

impl PendingLooks {
    /// Takes in that a file is being written.
    pub fn add_file(&mut self, path: FilePath) {
        self.extend_burst();
        self.files.insert(path);
    }

    /// Takes in that anything may have changed.
    pub fn add_everything(&mut self) {
        self.extend_burst();
        self.everything = true;
    }

    fn extend_burst(&mut self) {
        let now = monotonic();
        let first = self.burst.filter(|_| self.is_waiting()).map_or(now, |(first, _)| first);
        self.burst = Some((first, now));
    }

    fn is_waiting(&self) -> bool {
        self.everything || !self.files.is_empty()
    }

    /// Returns when to look.
    pub fn due(&self, settings: &DirectorySettings) -> Option<Instant> {
        let (first, last) = self.burst.filter(|_| self.is_waiting())?;
        Some((last + settings.quiet).min(first + settings.quiet_at_most))
    }
}

#[cfg(test)]
impl Inbox {
    /// Does as if a hint had not fitted in.
    pub fn overfill(&self) {
        self.is_overfull.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_that_does_not_fit_is_remembered_as_such() {
        let (inbox, received) = Inbox::new();
        (0..CAPACITY).for_each(|_| inbox.put(Hint::Hidden));
        assert!(!inbox.was_overfull());
        inbox.put(Hint::All);
        assert!(inbox.was_overfull() && !inbox.was_overfull());
        assert_eq!(received.try_iter().count(), CAPACITY);
    }
}
