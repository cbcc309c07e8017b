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

/// For so long a count is believed where not all that was wanted fitted.
const SHORT_FOR: Duration = Duration::from_secs(1);

/// Knows whether more deliveries fit, without counting them each time.
#[derive(Debug)]
pub(super) struct Room {
    most: u64,
    free: Mutex<Free>,
}

/// What is known to be free, and since when that is too little for somebody.
#[derive(Debug, Default)]
struct Free {
    deliveries: u64,
    short_since: Option<Instant>,
}

impl Room {
    pub fn new(most: u64) -> Self {
        Self { most, free: Mutex::default() }
    }

    /// Takes room for so many deliveries.
    pub async fn take(&self, wanted: u64, store: &Store) -> Result<(), QueueError> {
        // What never fits keeps nobody else out.
        if wanted > self.most {
            return Err(self.is_full());
        }
        self.take_first(&[wanted], store).await.map(drop)
    }

    /// Takes room for the first of these, as many as fit. Returns how many; an empty queue takes one in any case. Counts the deliveries that there
    /// are where it does not know.
    pub async fn take_first(&self, wanted: &[u64], store: &Store) -> Result<usize, QueueError> {
        let fitting = match self.take_known(wanted) {
            Some(fitting) => fitting,
            None => {
                let there = store.count_deliveries().await.map_err(|error| QueueError(error.to_string().into()))?;
                self.take_counted(wanted, there)
            }
        };
        if fitting == 0 { Err(self.is_full()) } else { Ok(fitting) }
    }

    fn take_known(&self, wanted: &[u64]) -> Option<usize> {
        let mut known = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let is_short = known.short_since.is_some_and(|since| since.elapsed() < SHORT_FOR);
        if known.short_since.is_some() && !is_short {
            *known = Free::default();
        }
        let (fitting, deliveries) = first_fitting(wanted, known.deliveries);
        if fitting < wanted.len() && !is_short {
            known.deliveries = 0;
            return None;
        }
        known.deliveries -= deliveries;
        Some(fitting)
    }

    fn take_counted(&self, wanted: &[u64], there: u64) -> usize {
        let free = self.most.saturating_sub(there);
        let (fitting, deliveries) = match first_fitting(wanted, free) {
            (0, _) if there == 0 => (1, free),
            fitting => fitting,
        };
        let mut known = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        *known = match fitting < wanted.len() {
            true => Free { deliveries: free - deliveries, short_since: Some(monotonic()) },
            // Others add deliveries, too, so that is not believed for long.
            false => Free { deliveries: free.min(self.most / 20).saturating_sub(deliveries), short_since: None },
        };
        fitting
    }

    fn is_full(&self) -> QueueError {
        let most = self.most;
        QueueError(format!("the queue is full: it may hold {most} deliveries (`max_waiting` in the section `[events]`)\n  hint: try again when less waits; `picloud events topics` and `picloud events waiting` list that").into())
    }
}

/// Returns how many of the first of these fit, and the deliveries of those.
fn first_fitting(wanted: &[u64], free: u64) -> (usize, u64) {
    let sums = wanted.iter().scan(0, |sum: &mut u64, one| {
        *sum = sum.saturating_add(*one);
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= free).enumerate().last().map_or((0, 0), |(at, sum)| (at + 1, sum))
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
    /// Those that wait and have failed before.
    pub retrying: u64,
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
        let count = "SELECT state, COUNT(*), COUNT(CASE WHEN attempt > earlier THEN 1 END) FROM deliveries GROUP BY state";
        let states: Vec<(i64, i64, i64)> =
            read!(self, pool => sqlx::query_as(count).fetch_all(pool)).map_err(StoreError::query("count deliveries"))?;
        let mut sizes = QueueSizes { dead: self.count_dead_letters().await?, ..QueueSizes::default() };
        for (state, count, tried) in states {
            let size = match state {
                super::CLAIMED => &mut sizes.running,
                super::HELD => &mut sizes.held,
                _ => {
                    sizes.retrying += tried.unsigned_abs();
                    &mut sizes.waiting
                }
            };
            *size += count.unsigned_abs();
        }
        (sizes.oldest_due_us, _) = self.next_due(i64::MIN, i64::MAX).await.map_err(StoreError::query("ask what is due"))?;
        Ok(sizes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_fit_are_taken() {
        for (wanted, free, fitting) in [
            (&[] as &[u64], 3, (0, 0)),
            (&[1, 2, 3], 3, (2, 3)),
            (&[0, 0, 4, 1], 3, (2, 0)),
            (&[4], 3, (0, 0)),
            (&[1, u64::MAX, 1], 3, (1, 1)),
            (&[1, 1], 3, (2, 2)),
        ] {
            assert_eq!(first_fitting(wanted, free), fitting, "{wanted:?}");
        }
    }

    #[test]
    fn one_that_wants_too_much_leaves_the_rest_to_others() {
        let room = Room::new(20);
        assert_eq!(room.take_known(&[1; 31]), None);
        assert_eq!(room.take_counted(&[1; 31], 5), 15);
        assert_eq!(room.take_known(&[1]), Some(0));
        // What is counted as free stays free for smaller ones.
        assert_eq!(room.take_counted(&[31], 5), 0);
        assert_eq!(room.take_known(&[10]), Some(1));
        assert_eq!(room.take_known(&[6]), Some(0));
        assert_eq!(room.take_known(&[5]), Some(1));
        // An empty queue takes one, however many handlers it has.
        assert_eq!(room.take_counted(&[31, 1], 0), 1);
        assert_eq!(room.take_known(&[1]), Some(0));
    }
}
