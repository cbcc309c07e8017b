//! A span of time in equal steps that begin at round times, so that two questions about one span have the same steps.

use super::{BY_MINUTE_FOR, BY_TEN_FOR, KEPT_FOR, RunCounts, minute_of};

/// Lengths of a step, in minutes.
const LENGTHS: [i64; 13] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1_440];

/// Equal steps, in minutes since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// Where the first begins.
    pub begin: i64,
    /// How long each is.
    pub length: i64,
    /// How many there are, one at least.
    pub count: usize,
}

/// A span that has no steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it ends before it begins")]
pub struct StepsError;

impl Steps {
    /// Returns steps of at least `length` minutes, `most` (32 or more) at most, that cover the time from `since_us` to `until_us`. What is older than anything
    /// kept is left out. No step is finer than what is kept of its time.
    pub fn of(since_us: i64, until_us: i64, now_us: i64, length: i64, most: usize) -> Result<Self, StepsError> {
        let now = minute_of(now_us);
        let since = minute_of(since_us).max(now - KEPT_FOR);
        let until = minute_of(until_us.min(now_us).saturating_sub(1)) + 1;
        if until <= since {
            return Err(StepsError);
        }
        let kept = match now - since {
            age if age <= BY_MINUTE_FOR => 1,
            age if age <= BY_TEN_FOR => 10,
            _ => 60,
        };
        let count = |length: i64| (until - since.div_euclid(length) * length - 1).div_euclid(length) as usize + 1;
        let fits = |at: &&i64| **at >= length && **at % kept == 0 && count(**at) <= most;
        let length = LENGTHS.iter().find(fits).copied().unwrap_or(LENGTHS[LENGTHS.len() - 1]);
        Ok(Self { begin: since.div_euclid(length) * length, length, count: count(length) })
    }

    /// Returns where the last step ends.
    pub fn end(&self) -> i64 {
        self.begin + self.length * self.count as i64
    }

    /// Returns the step that a minute is in.
    pub fn step_of(&self, minute: i64) -> Option<usize> {
        let at = (minute - self.begin).div_euclid(self.length);
        usize::try_from(at).ok().filter(|at| *at < self.count)
    }

    /// Returns counts of nothing for each step.
    pub fn empty(&self) -> Vec<RunCounts> {
        vec![RunCounts::default(); self.count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_US: i64 = 60_000_000;
    /// 23 November 2026, 09:04:05.
    const NOW_US: i64 = 1_795_424_645_000_000;

    fn steps(since_min: i64, until_min: i64, length: i64, most: usize) -> (i64, i64, usize) {
        let steps = Steps::of(NOW_US - since_min * MINUTE_US, NOW_US - until_min * MINUTE_US, NOW_US, length, most).unwrap();
        (steps.begin - minute_of(NOW_US), steps.length, steps.count)
    }

    #[test]
    fn steps_begin_at_round_times_and_are_no_finer_than_what_is_kept() {
        for (asked, found) in [
            // An hour by the minute, a day by ten minutes, a month by four hours.
            ((60, 0, 0, 200), (-60, 1, 61)),
            ((24 * 60, 0, 0, 200), (-24 * 60 - 4, 10, 145)),
            ((30 * 24 * 60, 0, 0, 200), (-30 * 24 * 60 - 64, 240, 181)),
            ((24 * 60, 0, 60, 200), (-24 * 60 - 4, 60, 25)),
            ((60, 0, 7, 200), (-64, 10, 7)),
            ((60, 0, 0, 32), (-60, 2, 31)),
            ((30 * 24 * 60, 0, 0, 32), (-30 * 24 * 60 - 544, 1_440, 31)),
            // What is nearly two days old is kept by ten minutes, and what is older by the hour.
            ((47 * 60, 46 * 60, 0, 200), (-47 * 60 - 4, 10, 7)),
            ((49 * 60, 48 * 60, 0, 200), (-49 * 60 - 4, 60, 2)),
            // Nothing is kept longer than thirty days.
            ((400 * 24 * 60, 0, 0, 200), (-30 * 24 * 60 - 64, 240, 181)),
        ] {
            let (since, until, length, most) = asked;
            assert_eq!(steps(since, until, length, most), found, "{asked:?}");
        }
    }

    #[test]
    fn a_minute_is_in_one_step_at_most() {
        let steps = Steps { begin: 100, length: 10, count: 3 };
        let found = [99, 100, 109, 110, 129, 130].map(|minute| steps.step_of(minute));
        assert_eq!((found, steps.end()), ([None, Some(0), Some(0), Some(1), Some(2), None], 130));
    }

    #[test]
    fn a_span_that_ends_before_it_begins_has_no_steps() {
        for (since_us, until_us) in [(NOW_US, NOW_US - MINUTE_US), (NOW_US + MINUTE_US, NOW_US + 2 * MINUTE_US)] {
            assert_eq!(Steps::of(since_us, until_us, NOW_US, 0, 200), Err(StepsError));
        }
    }
}
