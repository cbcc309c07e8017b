//! What executions come to over time: how many, how they ended, how long they took. Plain data and sums; `store` keeps it.
//!
//! Every number can be added to another of its kind, so it does not matter which node counted, nor in which order rows are read.

mod counts;
mod histogram;
mod run;
mod series;
mod state;
mod steps;
mod tally;

pub use counts::{Highest, RunCounts};
pub use histogram::Histogram;
pub use run::{Run, RunKey};
pub use series::{BadSeries, Point, Series};
pub use state::{FunctionState, failed_share};
pub use steps::{Steps, StepsError};
pub use tally::RunTally;

/// Minutes of a day.
pub const DAY: i64 = 24 * 60;
/// Counts are kept by the minute for so many minutes.
pub const BY_MINUTE_FOR: i64 = 2 * 60;
/// Then they are kept by ten minutes, until they are so many minutes old.
pub const BY_TEN_FOR: i64 = 2 * DAY;
/// Then they are kept by the hour, until they are so many minutes old.
pub const KEPT_FOR: i64 = 30 * DAY;

/// Returns the minute since 1970 of a time in microseconds.
pub fn minute_of(time_us: i64) -> i64 {
    time_us.div_euclid(60_000_000)
}
