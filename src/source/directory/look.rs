//! Results of looking into a path, and their time.

use std::time::{Duration, Instant};

use super::{fault::FileFault, scan::signature::Signature};
use crate::{
    clock::{Clock as _, SystemClock, monotonic},
    function::Content,
};

/// A point in time, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// For waiting.
    pub instant: Instant,
    /// For comparing with a file's times.
    pub wall_us: i64,
}

impl Now {
    /// Reads the machine's clocks: those of a file system cannot be held by a test either.
    pub fn read() -> Self {
        Self { instant: monotonic(), wall_us: SystemClock.now_us() }
    }

    /// Returns how long ago a file was changed, at most so long; a time in the future is now.
    pub fn age(&self, signature: &Signature, at_most: Duration) -> Duration {
        let age_us = self.wall_us.saturating_sub(signature.changed_ns / 1000).max(0);
        Duration::from_micros(age_us as u64).min(at_most)
    }
}

/// Whether what was read can be half of a save.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// It is whole: who wrote it has closed it, or somebody says to take it as it is.
    Closed,
    /// Whoever writes to it is reported, and nobody was.
    Watched,
    /// Nobody reports who writes to it.
    Unwatched,
}

/// The result of looking into a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// It is not there.
    Missing,
    /// It is as it was when it was last read, or could not be looked at for a reason that is reported elsewhere.
    Unchanged,
    /// It is open for writing. Nobody reads it before it is closed, or this time has come.
    BeingWritten(Instant),
    /// It was read.
    Read(Signature, Content, Trust),
    /// It is there and cannot be used.
    Fault(FileFault),
}
