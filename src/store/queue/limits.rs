//! What the queue may hold, and for how long.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    clock::monotonic,
    queue::QueueError,
    store::{Store, StoreError, database::read},
};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// What the queue may hold, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Most deliveries in the queue; past that nothing is emitted. There may be a twentieth more for each other node.
    pub max_waiting: u64,
    /// Events are kept for so long, and longer while something of them waits or is a dead letter.
    pub max_age: Duration,
    /// The oldest events beyond this number go earlier.
    pub max_count: u64,
    /// Dead letters are kept for so long.
    pub dead_max_age: Duration,
    /// The oldest dead letters beyond this number go earlier.
    pub dead_max_count: u64,
}

impl Default for QueueLimits {
    fn default() -> Self {
        let days = |days| DAY * days;
        Self { max_waiting: 1_000_000, max_age: days(7), max_count: 100_000, dead_max_age: days(30), dead_max_count: 100_000 }
    }
}

/// How long a full queue is taken to be full.
const FULL_FOR: Duration = Duration::from_secs(1);

/// Knows whether more deliveries fit, without counting them each time.
#[derive(Debug)]
pub(super) struct Room {
    most: u64,
    free: Mutex<Free>,
}

/// What is known to be free, and since when nothing was.
#[derive(Debug, Default)]
struct Free {
    deliveries: u64,
    full_since: Option<Instant>,
}

impl Room {
    pub fn new(most: u64) -> Self {
        Self { most, free: Mutex::default() }
    }

    /// Takes room for so many deliveries. Counts those that there are where it does not know.
    pub async fn take(&self, wanted: u64, store: &Store) -> Result<(), QueueError> {
        if self.take_known(wanted)? {
            return Ok(());
        }
        let free = self.most.saturating_sub(store.count_deliveries().await.map_err(|error| QueueError(error.to_string().into()))?);
        let mut known = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free < wanted {
            *known = Free { deliveries: 0, full_since: Some(monotonic()) };
            return Err(self.is_full());
        }
        // Others add deliveries, too, so that is not believed for long.
        *known = Free { deliveries: free.min(self.most / 20).saturating_sub(wanted), full_since: None };
        Ok(())
    }

    fn take_known(&self, wanted: u64) -> Result<bool, QueueError> {
        let mut known = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if known.full_since.is_some_and(|since| since.elapsed() < FULL_FOR) {
            return Err(self.is_full());
        }
        let left = known.deliveries.checked_sub(wanted);
        known.deliveries = left.unwrap_or(0);
        Ok(left.is_some())
    }

    fn is_full(&self) -> QueueError {
        let most = self.most;
        QueueError(format!("the queue is full: it may hold {most} deliveries (`max_waiting` in the section `[events]`)\n  hint: try again when less waits; `picloud events topics` and `picloud events waiting` list that").into())
    }
}

/// How much is in the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueSizes {
    /// Deliveries that wait for their time, for a place, or for another of their key.
    pub waiting: u64,
    /// Deliveries that run.
    pub running: u64,
    /// Deliveries whose functions cannot run.
    pub held: u64,
    /// Dead letters.
    pub dead: u64,
    /// When the oldest delivery that can run is due, or was, in microseconds since 1970.
    pub oldest_due_us: Option<i64>,
}

impl Store {
    async fn count_deliveries(&self) -> Result<u64, StoreError> {
        let (count,): (i64,) = read!(self, pool => sqlx::query_as("SELECT COUNT(*) FROM deliveries").fetch_one(pool))
            .map_err(StoreError::query("count deliveries"))?;
        Ok(count.unsigned_abs())
    }

    /// Counts what is in the queue.
    pub async fn queue_sizes(&self) -> Result<QueueSizes, StoreError> {
        let states: Vec<(i64, i64)> =
            read!(self, pool => sqlx::query_as("SELECT state, COUNT(*) FROM deliveries GROUP BY state").fetch_all(pool))
                .map_err(StoreError::query("count deliveries"))?;
        let mut sizes = QueueSizes { dead: self.count_dead_letters().await?, ..QueueSizes::default() };
        for (state, count) in states {
            let size = match state {
                super::CLAIMED => &mut sizes.running,
                super::HELD => &mut sizes.held,
                _ => &mut sizes.waiting,
            };
            *size += count.unsigned_abs();
        }
        (sizes.oldest_due_us, _) = self.next_due(i64::MIN, i64::MAX).await.map_err(StoreError::query("ask what is due"))?;
        Ok(sizes)
    }
}
