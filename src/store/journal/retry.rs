//! When to try the store again while it is away.

use std::time::{Duration, Instant};

use crate::clock::monotonic;

/// Shortest and longest wait between two attempts to reach the store.
const WAIT: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// The time of the next attempt, if the store is away.
pub(super) struct Retry {
    at: Option<Instant>,
    wait: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { at: None, wait: WAIT.0 }
    }
}

impl Retry {
    /// Returns the time of the next attempt.
    pub(super) fn at(&self) -> Option<Instant> {
        self.at
    }

    /// Returns whether the next attempt must wait.
    pub(super) fn is_early(&self) -> bool {
        self.at.is_some_and(|at| monotonic() < at)
    }

    /// Sets the next attempt, twice as far away as the last time.
    pub(super) fn postpone(&mut self) {
        self.at = Some(monotonic() + self.wait);
        self.wait = (self.wait * 2).min(WAIT.1);
    }

    /// Makes the next attempt due now.
    pub(super) fn clear(&mut self) {
        self.at = None;
    }

    /// Begins anew with the shortest wait. Returns whether the store was away.
    pub(super) fn reset(&mut self) -> bool {
        self.wait = WAIT.0;
        self.at.take().is_some()
    }
}
