//! What is counted while requests are answered.

use tokio::sync::{Semaphore, SemaphorePermit};

/// What is counted of the node as a whole.
pub struct Counts {
    started_us: i64,
    /// One text is written at a time, so that many who ask take no more than one processor.
    turn: Semaphore,
}

impl Counts {
    /// Begins to count, for a process that started then.
    pub fn new(started_us: i64) -> Self {
        Self { started_us, turn: Semaphore::new(1) }
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
