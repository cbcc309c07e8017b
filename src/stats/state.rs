//! Whether a function is in trouble, by its last hour beside the time before.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::RunCounts;

/// How a function does. In the order in which trouble is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FunctionState {
    /// More than one in a hundred runs of the last hour failed.
    Failing,
    /// The slowest hundredth of the last hour took three times as long as before.
    Slow,
    /// Neither.
    Ok,
    /// Nothing was asked of it.
    Idle,
}

/// Which share of requests may fail.
const FAILING_SHARE: f64 = 0.01;
/// How many times as long as before is slow, and from when on that matters.
const SLOW_TIMES: f64 = 3.0;
const SLOW_US: u64 = 10_000;
/// Fewer runs than this say nothing about a percentile.
const ENOUGH: u64 = 20;

impl FunctionState {
    /// Judges a function by its last hour and by the time before that. The sentence says why it is in trouble.
    pub fn of(last_hour: &RunCounts, before: &RunCounts) -> (Self, Option<String>) {
        let (requests, failed) = (last_hour.requests(), last_hour.failed());
        if failed_share(last_hour) > FAILING_SHARE {
            let share = failed_share(last_hour) * 100.0;
            return (Self::Failing, Some(format!("{failed} of {requests} runs of the last hour failed ({share:.1} %)")));
        }
        if let Some((now_us, times)) = slower(last_hour, before) {
            let now_ms = now_us as f64 / 1_000.0;
            return (Self::Slow, Some(format!("p99 of the last hour is {now_ms:.0} ms, {times:.1} times that of the time before")));
        }
        let is_idle = requests == 0 && before.requests() == 0;
        (if is_idle { Self::Idle } else { Self::Ok }, None)
    }
}

/// Returns which share of them failed.
pub fn failed_share(counts: &RunCounts) -> f64 {
    counts.failed() as f64 / counts.requests().max(1) as f64
}

/// Returns p99 of the last hour, and how many times that of before it is, if that is slow.
fn slower(last_hour: &RunCounts, before: &RunCounts) -> Option<(u64, f64)> {
    let p99 = |counts: &RunCounts| counts.durations.quantile_us(0.99).filter(|_| counts.durations.count() >= ENOUGH);
    let (now_us, before_us) = (p99(last_hour)?, p99(before)?);
    let times = now_us as f64 / before_us.max(1) as f64;
    (now_us >= SLOW_US && times >= SLOW_TIMES).then_some((now_us, times))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(requests: u64, failed: u64, took_us: u64) -> RunCounts {
        let mut counts = RunCounts { by_class: [requests - failed, 0, 0, failed], ..RunCounts::default() };
        (0..requests).for_each(|_| counts.durations.add(took_us));
        counts
    }

    #[test]
    fn trouble_is_told_with_its_reason() {
        let said: Vec<String> = [
            ("nothing was asked", counts(0, 0, 0), counts(0, 0, 0)),
            ("nothing in the last hour", counts(0, 0, 0), counts(9, 0, 50)),
            ("all well", counts(100, 1, 50), counts(100, 0, 50)),
            ("one in forty fails", counts(200, 5, 50), counts(100, 0, 50)),
            ("one and only", counts(1, 1, 50), counts(0, 0, 0)),
            ("five times as slow", counts(20, 0, 500_000), counts(20, 0, 100_000)),
            ("too few to tell", counts(19, 0, 500_000), counts(20, 0, 100_000)),
            ("too short to matter", counts(100, 0, 9_000), counts(100, 0, 100)),
        ]
        .into_iter()
        .map(|(what, last_hour, before)| format!("{what}: {:?}", FunctionState::of(&last_hour, &before)))
        .collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        nothing was asked: (Idle, None)
        nothing in the last hour: (Ok, None)
        all well: (Ok, None)
        one in forty fails: (Failing, Some("5 of 200 runs of the last hour failed (2.5 %)"))
        one and only: (Failing, Some("1 of 1 runs of the last hour failed (100.0 %)"))
        five times as slow: (Slow, Some("p99 of the last hour is 500 ms, 5.2 times that of the time before"))
        too few to tell: (Ok, None)
        too short to matter: (Ok, None)
        "#);
    }
}
