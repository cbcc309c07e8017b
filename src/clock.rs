//! Time. Everything that asks for it asks a [`Clock`], so that tests can hold it.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Returns the microseconds since 1970-01-01T00:00:00Z.
    fn now_us(&self) -> i64;
}

/// A clock shared by the parts of a node.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    fn now_us(&self) -> i64 {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
    }
}

/// Returns a point in monotonic time, for durations and deadlines; it cannot be set back.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the monotonic clock")]
pub fn monotonic() -> Instant {
    Instant::now()
}

/// Returns milliseconds of monotonic time as of the kernel's last tick: some behind, and cheap enough to be asked for each request. Never 0.
pub fn coarse_ms() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse);
    (time.tv_sec as u64 * 1_000 + time.tv_nsec as u64 / 1_000_000).max(1)
}

/// Writes microseconds since 1970 as `2026-11-23T09:04:05.678Z`.
pub fn rfc3339(time_us: i64) -> String {
    let (days, in_day_us) = (time_us.div_euclid(86_400_000_000), time_us.rem_euclid(86_400_000_000));
    let (year, month, day) = civil_from_days(days);
    let ms = in_day_us / 1000;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

/// Returns year, month and day of a count of days since 1970, by the proleptic Gregorian calendar.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    // Years are counted from 1 March, so that the leap day is a year's last.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_rfc_3339_says() {
        for (time_us, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000Z"),
            (1_795_424_645_678_000, "2026-11-23T09:04:05.678Z"),
            (-1_000, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(rfc3339(time_us), text);
        }
    }
}
