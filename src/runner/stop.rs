//! Runs that are stopped from outside although somebody wants their results.

use std::{fmt, time::Duration};

use crate::{execution::Execution, function::limits::LONGEST_BACKGROUND_RUN};

/// How long a run that is stopped may take to end. One that takes longer is recorded when it ends, if the node is there still.
pub(super) const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// Why a run is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The next due time of its schedule takes its place.
    Replaced,
    /// The node stops, and the run did not end within the grace period.
    NodeStops,
    /// It has run for as long as a run may that an event or a schedule starts.
    TooLong,
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Replaced => "the next due time took its place (`overlap`)",
            Self::NodeStops => "the node stopped before it ended",
            Self::TooLong => return write!(f, "a run of an event or a schedule ends after {LONGEST_BACKGROUND_RUN}"),
        })
    }
}

/// A run that was stopped.
#[derive(Debug)]
pub struct StoppedRun {
    /// Why.
    pub reason: StopReason,
    /// What is on record; none: it did not end within a second.
    pub execution: Option<Box<Execution>>,
}
