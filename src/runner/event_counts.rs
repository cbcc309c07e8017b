//! Counts what became of events.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::queue::{End, Settlement};

/// How an attempt to handle something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandledOutcome {
    /// It is done.
    Done,
    /// It failed, and the next due time comes anyway.
    Failed,
    /// It failed, and is tried again.
    Retried,
    /// It was given up.
    Dead,
    /// Its function cannot run.
    Held,
    /// The node had no place for it.
    Later,
}

impl HandledOutcome {
    /// Every one.
    pub const ALL: [Self; 6] = [Self::Done, Self::Failed, Self::Retried, Self::Dead, Self::Held, Self::Later];

    /// Returns what an attempt that is settled so counts as.
    pub fn of(settled: &Settlement) -> Self {
        match settled.end {
            End::Done if settled.error.is_some() => Self::Failed,
            End::Done => Self::Done,
            End::Retry(_) => Self::Retried,
            End::Dead(_) => Self::Dead,
            End::Held => Self::Held,
            End::Later(_) => Self::Later,
        }
    }

    /// Returns its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Retried => "retried",
            Self::Dead => "dead",
            Self::Held => "held",
            Self::Later => "later",
        }
    }
}

/// What became of events since the node started.
#[derive(Debug, Default)]
pub struct EventCounts {
    emitted: AtomicU64,
    handled: [AtomicU64; HandledOutcome::ALL.len()],
}

impl EventCounts {
    /// Counts events that are kept.
    pub fn emitted(&self, events: usize) {
        self.emitted.fetch_add(events as u64, Relaxed);
    }

    /// Counts an attempt.
    pub fn handled(&self, outcome: HandledOutcome) {
        self.handled[outcome as usize].fetch_add(1, Relaxed);
    }

    /// Returns how many events were kept.
    pub fn read_emitted(&self) -> u64 {
        self.emitted.load(Relaxed)
    }

    /// Returns how many attempts ended so.
    pub fn read_handled(&self) -> impl Iterator<Item = (HandledOutcome, u64)> {
        HandledOutcome::ALL.into_iter().zip(self.handled.iter().map(|count| count.load(Relaxed)))
    }
}
