//! When a schedule is due: by a calendar, or by a period.
//!
//! The rule for clocks that are set, as Vixie's cron has it: a fixed time in the hour that is left out comes at the first moment after it, a
//! fixed time in the hour that comes twice comes once, and what has `*` for its hour or its minute follows the real time.

use std::fmt;

use serde::{Serialize, Serializer};

use super::expression::{Expression, Zone};
use crate::function::quantity::Span;

/// When a schedule is due.
#[derive(Debug, Clone, PartialEq)]
pub enum When {
    /// By the calendar of a zone.
    Cron {
        /// At which of its times.
        expression: Expression,
        /// In which zone.
        zone: Zone,
    },
    /// Each time that this period has passed since 1970.
    Every {
        /// At least a second.
        every: Span,
    },
}

impl When {
    /// Returns the first time after this one, in microseconds since 1970; none if there is none before the year 5000.
    pub fn next(&self, after_us: i64) -> Option<i64> {
        match self {
            Self::Every { every } => {
                let period = every.0.as_micros() as i64;
                after_us.div_euclid(period).checked_add(1)?.checked_mul(period)
            }
            Self::Cron { expression, zone } => expression.next(after_us, zone),
        }
    }

    /// Returns the last time before this one, in microseconds since 1970.
    pub fn previous(&self, before_us: i64) -> Option<i64> {
        match self {
            Self::Every { every } => {
                let period = every.0.as_micros() as i64;
                before_us.checked_sub(1)?.div_euclid(period).checked_mul(period)
            }
            Self::Cron { expression, zone } => expression.previous(before_us, zone),
        }
    }

    /// Says it in words, without the zone: `At 02:30, on Monday`, `Every 15 minutes`.
    pub fn words(&self) -> String {
        match self {
            Self::Cron { expression, .. } => expression.words(),
            Self::Every { every } => period_in_words(every.0.as_millis()),
        }
    }

    /// Returns the IANA name of the zone that it is read in.
    pub fn zone(&self) -> &str {
        match self {
            Self::Cron { zone, .. } => zone.name(),
            Self::Every { .. } => "UTC",
        }
    }
}

/// Says a period in its largest unit that makes it whole.
fn period_in_words(ms: u128) -> String {
    let units = [(86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1_000, "second"), (1, "millisecond")];
    let (length, unit) = units.into_iter().find(|(length, _)| ms.is_multiple_of(*length)).unwrap_or((1, "millisecond"));
    match ms / length {
        1 => format!("Every {unit}"),
        count => format!("Every {count} {unit}s"),
    }
}

impl fmt::Display for When {
    /// Writes `30 2 * * * Europe/Berlin`, or `every 15m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron { expression, .. } => write!(f, "{} {}", expression.as_str(), self.zone()),
            Self::Every { every } => write!(f, "every {every}"),
        }
    }
}

impl Serialize for When {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn cron(expression: &str, zone: &str) -> When {
        When::Cron { expression: expression.to_owned().try_into().unwrap(), zone: zone.to_owned().try_into().unwrap() }
    }

    fn us(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    fn shown(us: Option<i64>) -> String {
        us.map_or_else(|| "never".into(), |us| Timestamp::from_microsecond(us).unwrap().to_string())
    }

    /// Returns the next times after a moment.
    fn next(when: &When, after: &str, count: usize) -> Vec<String> {
        let mut at = us(after);
        let mut times = Vec::new();
        for _ in 0..count {
            let next = when.next(at);
            times.push(shown(next));
            at = next.unwrap_or(i64::MAX);
        }
        times
    }

    #[test]
    fn it_is_said_in_words() {
        let every = |text: &str| When::Every { every: Span::parse(text).unwrap() };
        for (when, words) in [
            (cron("30 2 * * *", "UTC"), "At 02:30"),
            (cron("@midnight", "UTC"), "At 00:00"),
            (cron("*/15 * * * *", "UTC"), "Every 15 minutes"),
            (cron("0 9 * * MON-FRI", "UTC"), "At 09:00, on Monday, Tuesday, Wednesday, Thursday, and Friday"),
            (cron("0 0 1 1 *", "UTC"), "At 00:00, on day 1, in January"),
            (every("1h"), "Every hour"),
            (every("90m"), "Every 90 minutes"),
            (every("36h"), "Every 36 hours"),
            (every("2d"), "Every 2 days"),
            (every("1500ms"), "Every 1500 milliseconds"),
        ] {
            assert_eq!(when.words(), words);
        }
    }

    #[test]
    fn times_follow_the_calendar_of_their_zone() {
        let berlin = |text: &str| cron(text, "Europe/Berlin");
        for (expression, after, expected) in [
            // 29 March 2026: 02:00 becomes 03:00. A fixed time in the gap comes at the first moment after it.
            ("30 2 * * *", "2026-03-28T12:00:00Z", ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
            // 25 October 2026: 03:00 becomes 02:00. A fixed time in the hour that comes twice comes once.
            ("30 2 * * *", "2026-10-24T12:00:00Z", ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
            // What follows the real time does so in both nights.
            ("*/30 * * * *", "2026-03-29T00:45:00Z", ["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"]),
            ("30 * * * *", "2026-10-25T00:00:00Z", ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]),
            ("0 9 * * MON-FRI", "2026-11-27T09:00:00Z", ["2026-11-30T08:00:00Z", "2026-12-01T08:00:00Z"]),
            ("0 0 29 2 *", "2026-11-27T09:00:00Z", ["2028-02-28T23:00:00Z", "2032-02-28T23:00:00Z"]),
            ("10-50/20 9 * * *", "2026-11-27T09:00:00Z", ["2026-11-28T08:10:00Z", "2026-11-28T08:30:00Z"]),
            ("5-59/15 9 27 NOV *", "2026-11-27T08:05:00Z", ["2026-11-27T08:20:00Z", "2026-11-27T08:35:00Z"]),
            ("@monthly", "2026-11-27T09:00:00Z", ["2026-11-30T23:00:00Z", "2026-12-31T23:00:00Z"]),
        ] {
            assert_eq!(next(&berlin(expression), after, 2), expected, "{expression} after {after}");
        }
    }

    #[test]
    fn a_day_is_right_by_one_of_its_fields_or_by_both() {
        for (expression, expected) in [
            // Both fields name days: either is enough.
            ("0 0 1 * MON", ["2026-11-30", "2026-12-01", "2026-12-07"]),
            ("0 0 1,15 * 0", ["2026-11-29", "2026-12-01", "2026-12-06"]),
            // One of them begins with `*`: both must hold.
            ("0 0 * * MON", ["2026-11-30", "2026-12-07", "2026-12-14"]),
            ("0 0 15 * *", ["2026-12-15", "2027-01-15", "2027-02-15"]),
            ("0 0 */2 * MON", ["2026-12-07", "2026-12-21", "2027-01-11"]),
            ("0 0 13 * */5", ["2026-12-13", "2027-06-13", "2027-08-13"]),
            ("0 0 ? * MON", ["2026-11-30", "2026-12-07", "2026-12-14"]),
            ("0 0 13 * +FRI", ["2027-08-13", "2028-10-13", "2029-04-13"]),
            // Days that depend on the month.
            ("0 0 L * *", ["2026-11-30", "2026-12-31", "2027-01-31"]),
            ("0 0 13W * *", ["2026-12-14", "2027-01-13", "2027-02-12"]),
            ("0 0 1W * *", ["2026-12-01", "2027-01-01", "2027-02-01"]),
            ("0 0 * * FRI#2", ["2026-12-11", "2027-01-08", "2027-02-12"]),
            ("0 0 * * FRI#L", ["2026-11-27", "2026-12-25", "2027-01-29"]),
            ("0 0 * * 5L", ["2026-11-27", "2026-12-25", "2027-01-29"]),
            ("0 0 * * 7", ["2026-11-29", "2026-12-06", "2026-12-13"]),
        ] {
            let days = next(&cron(expression, "UTC"), "2026-11-26T12:00:00Z", 3);
            assert_eq!(days, expected.map(|day| format!("{day}T00:00:00Z")), "{expression}");
        }
    }

    #[test]
    fn periods_count_from_1970() {
        let every = When::Every { every: Span::seconds(900) };
        assert_eq!(next(&every, "2026-11-27T09:00:00Z", 2), ["2026-11-27T09:15:00Z", "2026-11-27T09:30:00Z"]);
        assert_eq!(next(&every, "2026-11-27T09:14:59.999999Z", 1), ["2026-11-27T09:15:00Z"]);
        assert_eq!(shown(every.previous(us("2026-11-27T09:15:00Z"))), "2026-11-27T09:00:00Z");
        assert_eq!(shown(every.previous(us("2026-11-27T09:15:00.000001Z"))), "2026-11-27T09:15:00Z");
    }

    #[test]
    fn a_time_has_passed_as_soon_as_it_has_come() {
        let when = cron("0 * * * *", "Europe/Berlin");
        let previous = |before: &str| shown(when.previous(us(before)));
        assert_eq!(previous("2026-11-27T09:00:00Z"), "2026-11-27T08:00:00Z");
        assert_eq!(previous("2026-11-27T09:00:00.000001Z"), "2026-11-27T09:00:00Z");
        assert_eq!(previous("2026-11-27T09:00:01Z"), "2026-11-27T09:00:00Z");
        assert_eq!(next(&when, "2026-11-27T08:59:59.999999Z", 1), ["2026-11-27T09:00:00Z"]);
        assert_eq!(next(&when, "2026-11-27T09:00:00.000001Z", 1), ["2026-11-27T10:00:00Z"]);
    }

    #[test]
    fn the_next_time_is_after_the_previous_one() {
        for (expression, zone) in
            [("*/7 3-5 * * *", "America/New_York"), ("15 2 * * SUN", "Europe/Berlin"), ("0 0 1 */3 *", "Asia/Kolkata")]
        {
            let when = cron(expression, zone);
            let mut at = us("2026-01-01T00:00:00.5Z");
            for _ in 0..500 {
                let next = when.next(at).unwrap();
                assert!(next > at && next % 1_000_000 == 0, "{expression}");
                let previous = when.previous(next).unwrap();
                assert!(previous < next && when.next(previous) == Some(next), "{expression}: {}", shown(Some(next)));
                at = next;
            }
        }
    }
}
