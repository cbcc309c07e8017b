//! Requests that met a function whose script did not run.

use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;

use crate::executor::ExecuteError;

/// Why the script did not run for a request.
pub struct Rejection {
    /// As it is counted.
    pub reason: RejectionReason,
    /// What the caller gets.
    pub status: StatusCode,
    /// As the record says it, to the function's author.
    pub message: String,
}

/// The kinds of rejections that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectionReason {
    /// As many runs of the function as it may have are under way.
    FunctionBusy,
    /// As many runs as the node may have are under way.
    NodeBusy,
    /// As many runs that can wait for something outside as the node may have are under way.
    NodeWaits,
    /// Its runs have left too much memory behind.
    Leaks,
    /// The executor does not have it.
    NotLoaded,
    /// The body is not what its content type says.
    MalformedBody,
    /// Its caller may not run it.
    Denied,
    /// The body is compressed.
    EncodedBody,
    /// The body is larger than the function takes.
    LargeBody,
    /// The body did not come in time.
    SlowBody,
    /// The body did not come to its end.
    BrokenBody,
    /// A schedule was due while its run before went on.
    Overlap,
    /// A due time of a schedule passed while nobody ran it.
    Missed,
}

impl RejectionReason {
    /// Every reason.
    const ALL: [Self; 13] = [
        Self::FunctionBusy,
        Self::NodeBusy,
        Self::NodeWaits,
        Self::Leaks,
        Self::NotLoaded,
        Self::MalformedBody,
        Self::Denied,
        Self::EncodedBody,
        Self::LargeBody,
        Self::SlowBody,
        Self::BrokenBody,
        Self::Overlap,
        Self::Missed,
    ];

    /// Returns the word that metrics show.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FunctionBusy => "function_busy",
            Self::NodeBusy => "node_busy",
            Self::NodeWaits => "node_waits",
            Self::Leaks => "leaks",
            Self::NotLoaded => "not_loaded",
            Self::MalformedBody => "malformed_body",
            Self::Denied => "denied",
            Self::EncodedBody => "encoded_body",
            Self::LargeBody => "large_body",
            Self::SlowBody => "slow_body",
            Self::BrokenBody => "broken_body",
            Self::Overlap => "overlap",
            Self::Missed => "missed",
        }
    }
}

impl From<&ExecuteError> for RejectionReason {
    fn from(error: &ExecuteError) -> Self {
        match error {
            ExecuteError::FunctionBusy { .. } => Self::FunctionBusy,
            ExecuteError::NodeBusy { .. } => Self::NodeBusy,
            ExecuteError::NodeWaits { .. } => Self::NodeWaits,
            ExecuteError::Leaks { .. } => Self::Leaks,
            ExecuteError::NotLoaded => Self::NotLoaded,
            ExecuteError::MalformedBody(_) => Self::MalformedBody,
        }
    }
}

/// Counts rejections since the start of the node.
#[derive(Default)]
pub(super) struct RejectionCounts([AtomicU64; RejectionReason::ALL.len()]);

impl RejectionCounts {
    pub fn add(&self, reason: RejectionReason) {
        self.0[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how many there were, for each reason.
    pub fn read(&self) -> impl Iterator<Item = (RejectionReason, u64)> {
        RejectionReason::ALL.into_iter().zip(self.0.iter().map(|count| count.load(Ordering::Relaxed)))
    }
}
