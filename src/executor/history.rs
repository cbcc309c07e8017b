//! How fast a function is known to be, and so where it runs next.

use std::{
    sync::atomic::{AtomicI8, Ordering},
    time::Duration,
};

use crate::execution::Finished;

/// What a function's last runs say about its next.
pub struct History(AtomicI8);

/// A run with more operations than this belongs onto the pool: about a tenth of a millisecond. Handing it over takes some 20 µs more, and leaves
/// the threads that serve connections to those who are quicker, however many ask for this one. Measured on one core of a server, an operation
/// takes 1 to 2 ns with numbers, 4 to 8 ns in calls, arrays and texts, 10 to 17 ns where maps, closures or parts of texts are made. So this
/// many take 10 to 170 µs, and 75 µs in the middle.
const POOL_OPERATIONS: u64 = 10_000;

/// The same in CPU time: one operation can stand for milliseconds of work on a large value.
const POOL_TIME: Duration = Duration::from_micros(200);

/// Fast runs that a function needs in a row, on the pool, before it may run where connections are served.
const PROBATION: i8 = 16;
/// It may run where connections are served.
const FAST: i8 = 0;
/// It may, but its last run took long by the wall clock. The next run measures how much of that was its own. Reading the thread's clock
/// takes a good part of the time of a small run.
const DOUBTED: i8 = 1;
/// A byte of the answer weighs as much as this part of an operation: JSON takes 1.1 ns a byte to write. What is parsed is not counted; it has
/// a limit of its own.
const BYTES_PER_OPERATION: usize = 8;

impl History {
    /// Nothing is known: one fast run is enough.
    pub fn unknown() -> Self {
        Self(AtomicI8::new(FAST - 1))
    }

    /// Returns whether the next run may be where connections are served.
    pub fn is_fast(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= FAST
    }

    /// Returns whether somebody should look at the CPU time of the next run.
    pub fn is_doubted(&self) -> bool {
        self.0.load(Ordering::Relaxed) == DOUBTED
    }

    /// Remembers a run, and its CPU time if somebody looked.
    pub fn record(&self, finished: &Finished, cpu: Option<Duration>) {
        let bytes = finished.reply.as_ref().map_or(0, |reply| reply.body.len());
        let operations = finished.execution.operations + (bytes / BYTES_PER_OPERATION) as u64;
        let seen = self.0.load(Ordering::Relaxed);
        // No run uses more CPU time than passes.
        let took = cpu.unwrap_or(Duration::from_micros(finished.execution.duration_us));
        let next = match took > POOL_TIME {
            _ if operations > POOL_OPERATIONS => -PROBATION,
            true if cpu.is_some() => -PROBATION,
            true => DOUBTED,
            false if seen < FAST => seen + 1,
            false => FAST,
        };
        if next != seen {
            self.0.store(next, Ordering::Relaxed);
        }
    }

    /// Remembers a run that was given up because it took too long.
    pub fn record_slow(&self) {
        self.0.store(-PROBATION, Ordering::Relaxed);
    }
}
