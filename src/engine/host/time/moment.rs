//! A moment in a time zone: what a script has of the time.

use std::cmp::Ordering;

use jiff::{
    RoundMode, Span, Timestamp, ToSpan as _, Unit, ZonedDateTime, ZonedDateTimeRound, civil,
    fmt::{
        rfc2822, strtime,
        temporal::{DateTimeParser, Pieces},
    },
    tz::{self, TimeZone},
};

use super::NAME;
use crate::{
    engine::{
        host::HostError,
        meter,
        value::plain::{HostObject, Object, Value, object_of},
    },
    function::diagnostic::near_miss,
};

/// Longest text that is read as a time, as a time span or as a format, in bytes. The longest sensible ones have some hundred.
const MAX_TEXT: usize = 1024;
/// Longest name of a time zone, in bytes; IANA's longest has 38.
const MAX_ZONE: usize = 64;

/// A moment, and the zone that its parts are read in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Time(ZonedDateTime);

impl Time {
    /// Makes a time in UTC of microseconds since 1970; none beyond the years from -9999 to 9999.
    pub fn of_us(us: i64) -> Option<Self> {
        Timestamp::from_microsecond(us).ok().map(Self::of)
    }

    /// Makes a time in UTC of milliseconds since 1970; none beyond the years from -9999 to 9999.
    pub fn of_ms(ms: i64) -> Option<Self> {
        Timestamp::from_millisecond(ms).ok().map(Self::of)
    }

    fn of(timestamp: Timestamp) -> Self {
        Self(timestamp.to_zoned_datetime(TimeZone::UTC))
    }

    /// Returns the microseconds since 1970.
    pub fn us(&self) -> i64 {
        self.0.timestamp().as_microsecond()
    }

    /// Returns the milliseconds since 1970.
    pub fn ms(&self) -> i64 {
        self.0.timestamp().as_millisecond()
    }

    /// Reads a time: RFC 3339, RFC 9557, RFC 2822, or a date with or without a time of day. What names no offset is a time in `zone`.
    pub fn parse(text: &str, zone: Option<&str>) -> Result<Self, HostError> {
        let zone = zone.map(zone_of).transpose()?;
        let text = bounded(text)?.trim();
        let pieces = match Pieces::parse(text) {
            Ok(pieces) => pieces,
            Err(why) => {
                let time = rfc2822::parse(text).map_err(|_| no_time(text, &why))?;
                return Ok(Self(zone.map_or_else(|| time.clone(), |zone| time.with_time_zone(zone))));
            }
        };
        let datetime = civil::DateTime::from_parts(pieces.date(), pieces.time().unwrap_or_default());
        let annotated = meter::beside(|| pieces.to_time_zone()).map_err(|why| why.to_string())?;
        let time = match (pieces.to_numeric_offset(), annotated) {
            (_, Some(_)) => meter::beside(|| DateTimeParser::new().parse_zoned_datetime(text)),
            (Some(offset), None) => offset.to_timestamp(datetime).map(|timestamp| timestamp.to_zoned_datetime(offset.to_time_zone())),
            (None, None) => {
                let zone = zone
                    .clone()
                    .ok_or_else(|| format!("`{text}` has no zone: `time::parse(text, \"Europe/Berlin\")` says which is meant"))?;
                zone.to_zoned_datetime(datetime)
            }
        };
        let time = time.map_err(|why| why.to_string())?;
        Ok(Self(zone.map_or_else(|| time.clone(), |zone| time.with_time_zone(zone))))
    }

    /// Returns the same moment in another zone.
    pub fn in_zone(&self, zone: &str) -> Result<Self, HostError> {
        Ok(Self(self.0.with_time_zone(zone_of(zone)?)))
    }

    /// Adds a time span: days, months and years by the calendar, what is shorter by the clock.
    pub fn add(&self, span: &str) -> Result<Self, HostError> {
        self.0.checked_add(span_of(span)?).map(Self).map_err(|_| out_of_range())
    }

    /// Takes a time span off in the same way.
    pub fn sub(&self, span: &str) -> Result<Self, HostError> {
        self.0.checked_sub(span_of(span)?).map(Self).map_err(|_| out_of_range())
    }

    /// Writes it as a pattern of `strftime` says.
    pub fn format(&self, pattern: &str) -> Result<String, HostError> {
        strtime::format(bounded(pattern)?, &self.0).map_err(|why| format!("the format `{pattern}` is wrong: {why}").into())
    }

    /// Writes it as RFC 3339, with the offset of its zone.
    pub fn rfc3339(&self) -> String {
        self.0.timestamp().display_with_offset(self.0.offset()).to_string()
    }

    /// Returns the first moment of the day, week, month or year that it is in. A week begins on Monday.
    pub fn start_of(&self, unit: &str) -> Result<Self, HostError> {
        let time = &self.0;
        let start = match unit {
            "day" => time.start_of_day(),
            "week" => {
                let days = time.weekday().to_monday_zero_offset();
                time.checked_sub(i64::from(days).days()).and_then(|monday| monday.start_of_day())
            }
            "month" => time.first_of_month().and_then(|first| first.start_of_day()),
            "year" => time.first_of_year().and_then(|first| first.start_of_day()),
            "hour" | "minute" => {
                let unit = if unit == "hour" { Unit::Hour } else { Unit::Minute };
                time.round(ZonedDateTimeRound::new().smallest(unit).mode(RoundMode::Floor))
            }
            _ => return Err(format!("there is no `{unit}`: it is `year`, `month`, `week`, `day`, `hour` or `minute`").into()),
        };
        start.map(Self).map_err(|_| out_of_range())
    }

    /// Returns the milliseconds to another time; negative if that is earlier.
    pub fn ms_until(&self, other: &Self) -> i64 {
        i64::try_from(self.0.duration_until(&other.0).as_millis()).unwrap_or(i64::MAX)
    }

    /// Returns the date and the time of day in its zone.
    pub fn civil(&self) -> civil::DateTime {
        self.0.datetime()
    }

    /// Returns the name of its zone: IANA's, or the offset from UTC.
    pub fn zone(&self) -> String {
        match self.0.time_zone().iana_name() {
            Some(name) => name.into(),
            None => self.0.strftime("%:z").to_string(),
        }
    }
}

impl HostObject for Time {
    fn class(&self) -> &'static str {
        NAME
    }

    fn shown(&self) -> String {
        self.rfc3339()
    }

    fn json(&self) -> Option<Value> {
        Some(self.rfc3339().into())
    }

    fn compare(&self, other: &dyn HostObject) -> Option<Ordering> {
        object_of::<Self>(other).map(|other| self.0.timestamp().cmp(&other.0.timestamp()))
    }
}

impl From<Time> for Value {
    fn from(time: Time) -> Self {
        Object::new(time).into()
    }
}

/// Finds a zone: a name of IANA, or an offset such as `+02:00`. The zones that were read are the process's, not the run's.
fn zone_of(name: &str) -> Result<TimeZone, HostError> {
    if name.len() <= MAX_ZONE
        && let Ok(zone) = meter::beside(|| DateTimeParser::new().parse_time_zone(name))
    {
        return Ok(zone);
    }
    let shown = &name[..name.floor_char_boundary(MAX_ZONE)];
    let names = meter::beside(|| tz::db().available().map(|name| name.to_string()).collect::<Vec<_>>());
    let near = near_miss(shown, names.iter().map(String::as_str)).map(|near| format!("; did you mean `{near}`?"));
    let error = format!("there is no time zone `{shown}`{}", near.unwrap_or_else(|| "; one is `Europe/Berlin`, `UTC` or `+02:00`".into()));
    meter::beside(|| drop(names));
    Err(error.into())
}

fn span_of(text: &str) -> Result<Span, HostError> {
    let wrong = |_| format!("`{text}` is no time span, such as \"1d 2h\", \"90 minutes\" or \"P1M\"");
    Ok(bounded(text)?.parse().map_err(wrong)?)
}

fn bounded(text: &str) -> Result<&str, HostError> {
    if text.len() <= MAX_TEXT { Ok(text) } else { Err(format!("the text is longer than {MAX_TEXT} bytes").into()) }
}

fn no_time(text: &str, why: &jiff::Error) -> String {
    format!("`{text}` is no time, such as \"2026-11-23T09:04:05+01:00\" or \"2026-11-23\": {why}")
}

fn out_of_range() -> HostError {
    "the time is beyond the years from -9999 to 9999".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        Time::parse(text, Some("Europe/Berlin")).unwrap()
    }

    fn why<T>(result: Result<T, HostError>) -> String {
        match result {
            Err(HostError::Wrong(message)) => message,
            _ => panic!("it is no mistake"),
        }
    }

    #[test]
    fn times_are_read_as_they_are_written_elsewhere() {
        for (text, zone, read) in [
            ("2026-11-23T09:04:05Z", None, "2026-11-23T09:04:05+00:00 UTC"),
            ("2026-11-23T09:04:05.678+01:00", None, "2026-11-23T09:04:05.678+01:00 +01:00"),
            ("2026-11-23 09:04:05+01", Some("America/New_York"), "2026-11-23T03:04:05-05:00 America/New_York"),
            ("2026-11-23T09:04[Europe/Berlin]", None, "2026-11-23T09:04:00+01:00 Europe/Berlin"),
            ("Mon, 23 Nov 2026 09:04:05 +0100", None, "2026-11-23T09:04:05+01:00 +01:00"),
            ("2026-11-23", Some("Europe/Berlin"), "2026-11-23T00:00:00+01:00 Europe/Berlin"),
            ("2026-07-23T12:00", Some("europe/berlin"), "2026-07-23T12:00:00+02:00 Europe/Berlin"),
            ("2026-07-23", Some("+05:30"), "2026-07-23T00:00:00+05:30 +05:30"),
        ] {
            let time = Time::parse(text, zone).unwrap_or_else(|why| panic!("{text}: {why:?}"));
            assert_eq!(format!("{} {}", time.rfc3339(), time.zone()), read, "{text}");
        }
    }

    #[test]
    fn days_follow_the_calendar_and_hours_the_clock() {
        // In Berlin, 25 October 2026 has 25 hours and 29 March 23.
        for (from, span, to) in [
            ("2026-10-24T12:00", "1d", "2026-10-25T12:00:00+01:00"),
            ("2026-10-24T12:00", "24h", "2026-10-25T11:00:00+01:00"),
            ("2026-03-28T12:00", "1d 2h", "2026-03-29T14:00:00+02:00"),
            ("2026-01-31T00:00", "1 month", "2026-02-28T00:00:00+01:00"),
            ("2024-02-29T00:00", "1y", "2025-02-28T00:00:00+01:00"),
            ("2026-03-29T01:30", "1h", "2026-03-29T03:30:00+02:00"),
        ] {
            assert_eq!(time(from).add(span).unwrap().rfc3339(), to, "{from} + {span}");
        }
        assert_eq!(time("2026-03-31").sub("1 month").unwrap().rfc3339(), "2026-02-28T00:00:00+01:00");
    }

    #[test]
    fn a_time_knows_where_its_day_week_month_and_year_begin() {
        let now = time("2026-11-26T12:49:45.5");
        for (unit, start) in [
            ("minute", "2026-11-26T12:49:00+01:00"),
            ("hour", "2026-11-26T12:00:00+01:00"),
            ("day", "2026-11-26T00:00:00+01:00"),
            ("week", "2026-11-23T00:00:00+01:00"),
            ("month", "2026-11-01T00:00:00+01:00"),
            ("year", "2026-01-01T00:00:00+01:00"),
        ] {
            assert_eq!(now.start_of(unit).unwrap().rfc3339(), start, "{unit}");
        }
        assert_eq!(time("2026-11-26").ms_until(&time("2026-11-27")), 86_400_000);
        assert_eq!(now.format("%A, %d. %B %Y %H:%M %Z").unwrap(), "Thursday, 26. November 2026 12:49 CET");
    }

    #[test]
    fn what_makes_no_sense_says_what_would() {
        let now = time("2026-11-26");
        insta::assert_snapshot!(
            [
                why(Time::parse("tomorrow", None)),
                why(Time::parse("2026-11-26", None)),
                why(Time::parse("2026-02-30", Some("UTC"))),
                why(now.in_zone("Europe/Berln")),
                why(now.in_zone("nowhere at all")),
                why(now.add("a while")),
                why(now.add("9999y")),
                why(now.start_of("decade")),
                why(now.format("%!")),
                why(now.format(&"x".repeat(2000))),
            ]
            .join("\n")
        );
    }

    #[test]
    fn microseconds_go_through_unchanged() {
        for us in [0, -1, 1_795_000_000_123_456, -62_135_596_800_000_000] {
            assert_eq!(Time::of_us(us).unwrap().us(), us);
        }
        assert_eq!(Time::of_us(i64::MAX), None);
        assert_eq!(Time::of_ms(i64::MIN), None);
    }
}
