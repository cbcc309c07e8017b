//! When a schedule is due: by a calendar, or by a period.
//!
//! The rule for clocks that are set, as Vixie's cron has it: a fixed time in the hour that is left out comes at the first moment after it, a
//! fixed time in the hour that comes twice comes once, and what has `*` for its hour or its minute follows the real time.

use std::fmt;

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{
    Timestamp,
    tz::{self, TimeZone},
};
use serde::{Serialize, Serializer};

use super::calendar::Moment;
use crate::function::{diagnostic::near_miss, quantity::Span};

/// Microseconds of a second: due times are whole seconds.
const SECOND_US: i64 = 1_000_000;
/// Longest expression, in bytes.
const LONGEST_EXPRESSION: usize = 256;
/// The short forms that are known.
const SHORT_FORMS: [&str; 6] = ["@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly"];

/// When a schedule is due.
#[derive(Debug, Clone, PartialEq)]
pub enum When {
    /// By the calendar of a zone.
    Cron {
        /// As written.
        expression: Box<str>,
        /// The same, parsed.
        cron: Box<Cron>,
        /// In which zone.
        zone: TimeZone,
    },
    /// Each time that this period has passed since 1970.
    Every {
        /// At least a second.
        every: Span,
    },
}

/// A text that says no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}\nhint: {hint}")]
pub struct NotATime {
    what: String,
    hint: String,
}

impl NotATime {
    fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

impl When {
    /// Reads five fields or a short form such as `@daily`, for the zone of this IANA name, or UTC.
    pub fn cron(expression: &str, zone: Option<&str>) -> Result<Self, NotATime> {
        let zone = zone.map_or(Ok(TimeZone::UTC), zone_of)?;
        let cron = parse(expression.trim())?;
        let when = Self::Cron { expression: expression.trim().into(), cron: Box::new(cron), zone };
        match when.next(0) {
            Some(_) => Ok(when),
            None => Err(NotATime::new(
                format!("`cron = \"{}\"` is never due", expression.trim()),
                "there is no such day in any month; the third field is the day, and the fourth the month",
            )),
        }
    }

    /// Returns the first time after this one, in microseconds since 1970; none if there is none before the year 5000.
    pub fn next(&self, after_us: i64) -> Option<i64> {
        match self {
            Self::Every { every } => {
                let period = every.0.as_micros() as i64;
                after_us.div_euclid(period).checked_add(1)?.checked_mul(period)
            }
            Self::Cron { cron, zone, .. } => us_of(&cron.find_next_occurrence(&moment(after_us.div_euclid(SECOND_US), zone)?, false).ok()?),
        }
    }

    /// Returns the last time before this one, in microseconds since 1970.
    pub fn previous(&self, before_us: i64) -> Option<i64> {
        match self {
            Self::Every { every } => {
                let period = every.0.as_micros() as i64;
                before_us.checked_sub(1)?.div_euclid(period).checked_mul(period)
            }
            Self::Cron { cron, zone, .. } => {
                // The first whole second that is not before it: a part of a second after a due time, that one has passed.
                let second = before_us.checked_add(SECOND_US - 1)?.div_euclid(SECOND_US);
                us_of(&cron.find_previous_occurrence(&moment(second, zone)?, false).ok()?)
            }
        }
    }

    /// Returns the IANA name of the zone that it is read in.
    pub fn zone(&self) -> &str {
        match self {
            Self::Cron { zone, .. } => zone.iana_name().unwrap_or("UTC"),
            Self::Every { .. } => "UTC",
        }
    }
}

impl fmt::Display for When {
    /// Writes `30 2 * * * Europe/Berlin`, or `every 15m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron { expression, .. } => write!(f, "{expression} {}", self.zone()),
            Self::Every { every } => write!(f, "every {every}"),
        }
    }
}

impl Serialize for When {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn moment(second: i64, zone: &TimeZone) -> Option<Moment> {
    Some(Moment(Timestamp::from_second(second).ok()?.to_zoned_datetime(zone.clone())))
}

fn us_of(moment: &Moment) -> Option<i64> {
    moment.0.timestamp().as_second().checked_mul(SECOND_US)
}

fn zone_of(name: &str) -> Result<TimeZone, NotATime> {
    TimeZone::get(name).map_err(|_| {
        let shown: String = name.chars().take(64).collect();
        let known: Vec<String> = tz::db().available().map(|zone| zone.to_string()).collect();
        let hint = match near_miss(&shown, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "use a name of the IANA database, such as `Europe/Berlin`".into(),
        };
        NotATime::new(format!("`zone = \"{shown}\"` is no time zone"), hint)
    })
}

fn parse(expression: &str) -> Result<Cron, NotATime> {
    let shown: String = expression.chars().take(64).collect();
    let wrong = |why: &str, hint: &str| NotATime::new(format!("`cron = \"{shown}\"`: {why}"), hint);
    if expression.len() > LONGEST_EXPRESSION {
        return Err(wrong("it is too long", "write two schedules"));
    }
    if let Some(short) = expression.strip_prefix('@') {
        if !SHORT_FORMS.contains(&expression) {
            let known = SHORT_FORMS.join(", ");
            let near = near_miss(expression, SHORT_FORMS).map(|near| format!("did you mean `{near}`?"));
            return Err(wrong(&format!("`@{short}` is not known"), &near.unwrap_or(format!("the short forms are {known}"))));
        }
    } else {
        match expression.split_whitespace().count() {
            5 => {}
            6 => {
                let hint = "leave the seconds out, which are the first; for a period of seconds write `every = \"10s\"`";
                return Err(wrong("it has six fields, and there are five", hint));
            }
            count => {
                let hint = "the fields are minute, hour, day of the month, month, day of the week: `30 2 * * *` is every day at 02:30";
                return Err(wrong(&format!("it has {count} fields, and there are five"), hint));
            }
        }
    }
    CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build().parse(expression).map_err(|error| {
        let hint =
            "a field is `*`, a number, a list `1,15`, a range `1-5`, or steps `*/15`; months and days of the week may be `JAN`, `MON`";
        wrong(&explained(&error.to_string()), hint)
    })
}

/// Turns the parser's sentence into one of ours: without the name of its type and the full stop.
fn explained(error: &str) -> String {
    let reason = error.split_once(": ").map_or(error, |(_, reason)| reason).trim_start_matches("CronPattern contains ");
    let mut letters = reason.trim_end_matches('.').chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn times_follow_the_calendar_of_their_zone() {
        let berlin = |text: &str| When::cron(text, Some("Europe/Berlin")).unwrap();
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
            ("@monthly", "2026-11-27T09:00:00Z", ["2026-11-30T23:00:00Z", "2026-12-31T23:00:00Z"]),
        ] {
            assert_eq!(next(&berlin(expression), after, 2), expected, "{expression} after {after}");
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
        let when = When::cron("0 * * * *", Some("Europe/Berlin")).unwrap();
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
            let when = When::cron(expression, Some(zone)).unwrap();
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

    #[test]
    fn every_mistake_says_what_to_do() {
        let found: Vec<String> = [
            ("0 30 2 * * *", None),
            ("30 2 * *", None),
            ("", None),
            ("61 * * * *", None),
            ("* * * FOO *", None),
            ("0 0 30 2 *", None),
            ("@dayly", None),
            ("@reboot", None),
            ("* * * * *", Some("Europe/Berln")),
            ("* * * * *", Some("Mars")),
        ]
        .iter()
        .map(|(expression, zone)| When::cron(expression, *zone).unwrap_err().to_string())
        .collect();
        insta::assert_snapshot!(found.join("\n"));
    }
}
