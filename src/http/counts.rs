//! What is counted while requests are answered.

use std::sync::OnceLock;

use tokio::sync::{Semaphore, SemaphorePermit};

/// What is counted of the node as a whole.
pub struct Counts {
    started_us: i64,
    /// How long after that functions were live.
    ready_us: OnceLock<i64>,
    /// One text is written at a time, so that many who ask take no more than one processor.
    turn: Semaphore,
}

impl Counts {
    /// Begins to count, for a process that started then.
    pub fn new(started_us: i64) -> Self {
        Self { started_us, ready_us: OnceLock::new(), turn: Semaphore::new(1) }
    }

    /// Returns when the process started.
    pub fn started_us(&self) -> i64 {
        self.started_us
    }

    /// Functions are live; only the first time counts.
    pub fn is_ready(&self, now_us: i64) {
        self.ready_us.get_or_init(|| now_us - self.started_us);
    }

    /// Returns how long after the start functions were live, in microseconds.
    pub fn ready_us(&self) -> Option<i64> {
        self.ready_us.get().copied()
    }

    /// Waits until nobody else writes the numbers.
    pub async fn turn(&self) -> SemaphorePermit<'_> {
        self.turn.acquire().await.expect("nobody closes it")
    }
}
