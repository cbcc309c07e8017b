//! What some executions come to.

use super::{Histogram, Run};
use crate::execution::{Outcome, STATUS_CLASSES, status_class};

/// What some executions come to. Those that a request, a schedule or an event led to count alike.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunCounts {
    /// How many were answered with a status of each of the [`STATUS_CLASSES`].
    pub by_class: [u64; STATUS_CLASSES.len()],
    /// How many ended so, in the order of [`Outcome::ALL`].
    pub by_outcome: [u64; Outcome::ALL.len()],
    /// How long the runs took. What was rejected did not run.
    pub durations: Histogram,
    /// Microseconds that they waited for something outside of themselves.
    pub waited_us: u64,
    /// The most that one of them took.
    pub highest: Highest,
    /// When the last of them was asked for that was answered with 5xx, in milliseconds since 1970. 0: none was, or it was counted before times were kept.
    pub last_failed_ms: u64,
}

/// The most that one run took of what is limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Highest {
    /// Time, in microseconds.
    pub duration_us: u64,
    /// Operations of the engine.
    pub operations: u64,
    /// Memory that it held at once, in bytes.
    pub memory_bytes: u64,
}

/// The class whose requests count as failed: a link from the number to the list of them needs one filter.
const FAILED: usize = 3;

impl RunCounts {
    /// Counts an execution.
    pub fn add(&mut self, run: &Run) {
        let class = status_class(run.status);
        self.by_class[class] += 1;
        if class == FAILED {
            self.last_failed_ms = self.last_failed_ms.max(u64::try_from(run.asked_us / 1_000).unwrap_or(0));
        }
        self.by_outcome[run.outcome as usize] += 1;
        if run.outcome != Outcome::Rejected {
            self.durations.add(run.duration_us);
        }
        self.waited_us = self.waited_us.saturating_add(run.waited_us);
        self.highest.raise(Highest { duration_us: run.duration_us, operations: run.operations, memory_bytes: run.memory_bytes });
    }

    /// Adds those of others.
    pub fn merge(&mut self, other: &Self) {
        let sums = self.by_class.iter_mut().chain(&mut self.by_outcome);
        for (sum, more) in sums.zip(other.by_class.iter().chain(&other.by_outcome)) {
            *sum = sum.saturating_add(*more);
        }
        self.durations.merge(&other.durations);
        self.waited_us = self.waited_us.saturating_add(other.waited_us);
        self.highest.raise(other.highest);
        self.last_failed_ms = self.last_failed_ms.max(other.last_failed_ms);
    }

    /// Returns how many of them were answered with a status of this one of the [`STATUS_CLASSES`]. Nothing else is known of those alone.
    pub fn of_class(&self, class: usize) -> Self {
        let mut some = Self::default();
        some.by_class[class] = self.by_class[class];
        some
    }

    /// Returns how many there are.
    pub fn requests(&self) -> u64 {
        self.by_class.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Returns what some of them took, if any of them is known to have run.
    pub fn of_runs<T>(&self, of: impl FnOnce(&Self) -> T) -> Option<T> {
        (!self.durations.is_empty()).then(|| of(self))
    }

    /// Returns how many were answered with 5xx.
    pub fn failed(&self) -> u64 {
        self.by_class[FAILED]
    }
}

impl Highest {
    fn raise(&mut self, other: Self) {
        self.duration_us = self.duration_us.max(other.duration_us);
        self.operations = self.operations.max(other.operations);
        self.memory_bytes = self.memory_bytes.max(other.memory_bytes);
    }
}
