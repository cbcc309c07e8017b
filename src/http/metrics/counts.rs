//! What is counted while requests are answered.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{clock::monotonic, execution::Outcome, executor::ExecuteError, http::problem::Problem, live::meter::Meter};

/// Why functions do not run for a request that met them.
const REASONS: [&str; 10] = [
    "function_busy",
    "node_busy",
    "leaks",
    "not_loaded",
    "malformed_body",
    "denied",
    "encoded_body",
    "large_body",
    "slow_body",
    "broken_body",
];

/// What is counted of the node as a whole.
pub struct Counts {
    started_us: i64,
    refused: [AtomicU64; REASONS.len()],
    /// One text is written at a time, so that many who ask take no more than one processor.
    turn: Semaphore,
}

impl Counts {
    /// Begins to count, for a process that started then.
    pub fn new(started_us: i64) -> Self {
        Self { started_us, refused: Default::default(), turn: Semaphore::new(1) }
    }

    /// Counts a request whose function did not run.
    pub fn reject(&self, problem: &Problem) {
        let reason = match problem {
            Problem::Refused(ExecuteError::FunctionBusy { .. }) => 0,
            Problem::Refused(ExecuteError::NodeBusy { .. }) => 1,
            Problem::Refused(ExecuteError::Leaks { .. }) => 2,
            Problem::Refused(ExecuteError::NotLoaded) => 3,
            Problem::Refused(ExecuteError::MalformedBody(_)) => 4,
            Problem::NotAdmitted(_) => 5,
            Problem::BodyEncoded(_) => 6,
            Problem::BodyTooLarge { .. } => 7,
            Problem::BodyTimeout => 8,
            // Nothing else is left.
            _ => 9,
        };
        self.refused[reason].fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how many functions did not run, by why.
    pub fn rejected(&self) -> impl Iterator<Item = (&'static str, u64)> {
        REASONS.into_iter().zip(&self.refused).map(|(reason, count)| (reason, count.load(Ordering::Relaxed)))
    }

    /// Returns when the process started.
    pub fn started_us(&self) -> i64 {
        self.started_us
    }

    /// Waits until nobody else writes the numbers.
    pub async fn turn(&self) -> SemaphorePermit<'_> {
        self.turn.acquire().await.expect("nobody closes it")
    }
}

/// Measures one request to a function, and counts it when dropped.
pub struct Measure<'a> {
    meter: &'a Meter,
    began: Instant,
    /// What the caller got. A request that is dropped before that was left by its client.
    pub status: u16,
    /// How its run ended; none if it did not come to one.
    pub outcome: Option<Outcome>,
}

/// The client closed the request: no status of HTTP's, but the one that servers write into their logs for this.
pub const CLIENT_WENT_AWAY: u16 = 499;

impl<'a> Measure<'a> {
    /// Begins with the request.
    pub fn begin(meter: &'a Meter) -> Self {
        Self { meter, began: monotonic(), status: CLIENT_WENT_AWAY, outcome: None }
    }
}

impl Drop for Measure<'_> {
    fn drop(&mut self) {
        self.meter.count(self.status, self.began.elapsed(), self.outcome);
    }
}
