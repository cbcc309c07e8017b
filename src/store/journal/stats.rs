//! What the journal reports about itself.

use serde::{Deserialize, Serialize};
use std::sync::atomic::Ordering;
use utoipa::ToSchema;

use super::Journal;

/// Counters of the journal since the start, and what waits now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = JournalStats)]
pub struct Stats {
    /// Executions in memory.
    pub queued: u64,
    /// Bytes of executions on disk, because the database is or was away.
    pub spooled_bytes: u64,
    /// Executions that reached the store.
    pub written: u64,
    /// Executions lost because the queue or the spool was full.
    pub dropped: u64,
    /// Executions that the store refused for their content.
    pub refused: u64,
    /// Unfinished lines in the spool, left by a killed process.
    pub torn: u64,
    /// Whether the database did not take the last batch.
    pub is_away: bool,
    /// Executions recorded without the request that was to be kept, because too many waited.
    pub uncaptured: u64,
}

/// Executions that reached the store since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriteTotals {
    /// Their number.
    pub executions: u64,
    /// The bytes that they take there, roughly.
    pub bytes: u64,
    /// Batches of executions and of runs that were counted.
    pub counted: u64,
}

/// The problems that keep executions from the store now.
#[derive(Debug, Clone, Default)]
pub(super) struct Problems {
    /// Why the store did not take the last batch.
    pub store: Option<String>,
    /// Why the spool did not take the last batch that the store did not take.
    pub spool: Option<String>,
}

/// What keeps executions from the store now, a sentence each.
#[derive(Debug, Clone, Default)]
pub struct JournalProblems {
    /// They wait on disk.
    pub backlog: Option<String>,
    /// They are lost.
    pub loss: Option<String>,
}

impl Journal {
    /// Returns the counters.
    pub fn stats(&self) -> Stats {
        Stats {
            queued: self.0.queue.lock().expect("nothing panics while it holds the queue").len() as u64,
            spooled_bytes: self.0.spooled_bytes.load(Ordering::Relaxed),
            written: self.0.written.borrow().executions,
            dropped: self.0.overflowed.load(Ordering::Relaxed) + self.0.spool_dropped.load(Ordering::Relaxed),
            refused: self.0.refused.load(Ordering::Relaxed),
            torn: self.0.spool_torn.load(Ordering::Relaxed),
            is_away: self.0.is_away.load(Ordering::Relaxed),
            uncaptured: self.0.uncaptured.load(Ordering::Relaxed),
        }
    }

    /// Returns what keeps executions from the store now.
    pub fn problems(&self) -> JournalProblems {
        let now = self.0.problems().clone();
        let bytes = self.0.spooled_bytes.load(Ordering::Relaxed);
        let why = now.store.map(|why| format!(": {why}")).unwrap_or_default();
        JournalProblems {
            backlog: (bytes > 0).then(|| format!("{bytes} bytes of executions wait on disk for the database{why}")),
            loss: now.spool.map(|why| format!("executions are lost: the database does not take them, and the spool neither: {why}")),
        }
    }
}
