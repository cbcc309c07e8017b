//! Counts what becomes of requests. A request adds to three numbers and asks for nothing: its meter hangs on the function that the router found.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::execution::{Outcome, STATUS_CLASSES, status_class};

/// Upper ends of the ranges that durations are counted in, in microseconds; what is longer has a range of its own. From a function that only
/// answers, which takes less than the first, to the default time limit of a run.
pub const BOUNDS_US: [u64; 10] = [500, 2_000, 10_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 10_000_000];

/// Counts the requests to one function, or to several that share it.
#[derive(Debug, Default)]
pub struct Meter {
    by_class: [Durations; STATUS_CLASSES.len()],
    by_outcome: [AtomicU64; Outcome::ALL.len()],
    asked_again: AtomicU64,
}

/// How long requests took. A request is in one range only, so one more costs one addition, and one for the sum.
#[derive(Debug, Default)]
struct Durations {
    ranges: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

/// How many requests took how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    /// For each bound so many took at most that long, and last how many there are.
    pub up_to: [u64; BOUNDS_US.len() + 1],
    /// All of them together, in microseconds.
    pub sum_us: u64,
}

impl Histogram {
    /// Returns how many there are.
    pub fn count(&self) -> u64 {
        self.up_to[BOUNDS_US.len()]
    }
}

impl Meter {
    /// Counts a request that was answered with this status, and the execution that it led to, if it led to one.
    pub fn count(&self, status: u16, took: Duration, outcome: Option<Outcome>) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let durations = &self.by_class[status_class(status)];
        let range = BOUNDS_US.iter().position(|bound| took_us <= *bound).unwrap_or(BOUNDS_US.len());
        durations.ranges[range].fetch_add(1, Ordering::Relaxed);
        durations.sum_us.fetch_add(took_us, Ordering::Relaxed);
        if let Some(outcome) = outcome {
            self.count_execution(outcome);
        }
    }

    /// Counts an execution that no request led to.
    pub fn count_execution(&self, outcome: Outcome) {
        self.by_outcome[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an execution whose script asked to be run again. It has failed by its outcome, and nothing went wrong.
    pub fn count_asked_again(&self) {
        self.asked_again.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how many requests there were.
    pub fn requests(&self) -> u64 {
        self.by_class.iter().flat_map(|durations| &durations.ranges).map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Returns how many executions there were, and how many of them went wrong.
    pub fn runs_and_failures(&self) -> (u64, u64) {
        let is_wrong = |outcome: &Outcome| !matches!(outcome, Outcome::Ok | Outcome::Rejected | Outcome::Cancelled);
        let (mut runs, mut failures) = (0, 0);
        for (outcome, count) in self.outcomes() {
            runs += count;
            failures += if is_wrong(&outcome) { count } else { 0 };
        }
        (runs, failures.saturating_sub(self.asked_again.load(Ordering::Relaxed)))
    }

    /// Returns how long requests took, for each class of status.
    pub fn durations(&self) -> impl Iterator<Item = (&'static str, Histogram)> {
        STATUS_CLASSES.into_iter().zip(self.by_class.iter().map(Durations::read))
    }

    /// Returns how many executions ended so, for each outcome.
    pub fn outcomes(&self) -> impl Iterator<Item = (Outcome, u64)> {
        Outcome::ALL.into_iter().zip(self.by_outcome.iter().map(|count| count.load(Ordering::Relaxed)))
    }
}

impl Durations {
    fn read(&self) -> Histogram {
        let mut count = 0;
        let up_to = self.ranges.each_ref().map(|range| {
            count += range.load(Ordering::Relaxed);
            count
        });
        Histogram { up_to, sum_us: self.sum_us.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(meter: &Meter, class: &str) -> Histogram {
        meter.durations().find(|(known, _)| *known == class).unwrap().1
    }

    #[test]
    fn a_request_is_in_every_range_that_it_does_not_outlast() {
        let meter = Meter::default();
        for us in [0, 500, 501, 10_000_000, 10_000_001] {
            meter.count(200, Duration::from_micros(us), None);
        }
        assert_eq!(of(&meter, "2xx"), Histogram { up_to: [2, 3, 3, 3, 3, 3, 3, 3, 3, 4, 5], sum_us: 20_001_002 });
        assert_eq!(of(&meter, "5xx").count(), 0);
    }

    #[test]
    fn statuses_are_counted_by_class_and_executions_by_outcome() {
        let meter = Meter::default();
        for (status, class) in [(200, "2xx"), (299, "2xx"), (304, "3xx"), (404, "4xx"), (499, "4xx"), (500, "5xx"), (599, "5xx")] {
            let before = of(&meter, class).count();
            meter.count(status, Duration::ZERO, None);
            assert_eq!(of(&meter, class).count(), before + 1, "{status}");
        }
        for outcome in Outcome::ALL {
            meter.count(200, Duration::ZERO, Some(outcome));
            assert_eq!(meter.outcomes().find(|(known, _)| *known == outcome).unwrap().1, 1, "{outcome:?}");
        }
        assert_eq!(meter.outcomes().map(|(_, count)| count).sum::<u64>(), Outcome::ALL.len() as u64);
        assert_eq!(meter.runs_and_failures(), (8, 5));
        meter.count_execution(Outcome::Failed);
        meter.count_asked_again();
        assert_eq!(meter.runs_and_failures(), (9, 5), "who asks to be run again has not gone wrong");
    }
}
