//! Times as texts: what both databases read and write of them.

use jiff::{Timestamp, civil, tz::TimeZone};

/// Microseconds of a day.
pub const DAY_US: i64 = 86_400_000_000;

/// Returns whether scripts have such a time, in microseconds since 1970: the year is from -9999 to 9999.
pub fn is_known(time_us: i64) -> bool {
    Timestamp::from_microsecond(time_us).is_ok()
}

/// Writes microseconds since 1970 as `2026-11-23T09:04:05.678901Z`. None: the year is outside of -9999 to 9999.
pub fn write(time_us: i64) -> Option<String> {
    let time = Timestamp::from_microsecond(time_us).ok()?;
    Some(format!("{time:.6}"))
}

/// Reads a moment; without a zone it is in UTC, without a time it is the beginning of the day.
pub fn read(text: &str) -> Option<i64> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_microsecond());
    }
    let local = text.parse::<civil::DateTime>().ok().or_else(|| Some(text.parse::<civil::Date>().ok()?.at(0, 0, 0, 0)))?;
    Some(TimeZone::UTC.to_timestamp(local).ok()?.as_microsecond())
}

/// Writes a count of days since 1970 as `2026-11-23`.
pub fn write_date(days: i64) -> Option<String> {
    let time = Timestamp::from_microsecond(days.checked_mul(DAY_US)?).ok()?;
    Some(TimeZone::UTC.to_datetime(time).date().to_string())
}

/// Writes microseconds since midnight as `09:04:05` or `09:04:05.5`.
pub fn write_time(time_us: i64) -> Option<String> {
    // Postgres has the end of a day, too.
    if time_us == DAY_US {
        return Some("24:00:00".into());
    }
    let midnight = civil::Time::midnight();
    Some(midnight.checked_add(jiff::SignedDuration::from_micros(time_us)).ok()?.to_string())
}

/// Reads a time of a day as microseconds since midnight.
pub fn read_time(text: &str) -> Option<i64> {
    let time: civil::Time = text.parse().ok()?;
    Some(time.duration_since(civil::Time::midnight()).as_micros() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_comes_back_as_it_was_written() {
        for time_us in [0, 1, -1, 1_795_424_645_678_901, -62_135_596_800_000_000] {
            assert_eq!(read(&write(time_us).unwrap()), Some(time_us));
        }
        assert_eq!(write(1_795_424_645_678_901).unwrap(), "2026-11-23T09:04:05.678901Z");
        assert_eq!(write(i64::MAX), None);
    }

    #[test]
    fn a_moment_is_read_as_people_write_it() {
        let nine = read("2026-11-23T09:04:05Z").unwrap();
        for text in ["2026-11-23 09:04:05", "2026-11-23T10:04:05+01:00", "2026-11-23 09:04:05.000+00"] {
            assert_eq!(read(text), Some(nine), "{text}");
        }
        assert_eq!(read("2026-11-23"), Some(nine - (9 * 3600 + 4 * 60 + 5) * 1_000_000));
        assert_eq!([read("today"), read(""), read("2026-13-01")], [None; 3]);
    }

    #[test]
    fn dates_and_times_of_a_day_have_the_usual_form() {
        assert_eq!(write_date(20_000).unwrap(), "2024-10-04");
        assert_eq!(write_date(-1).unwrap(), "1969-12-31");
        assert_eq!([write_time(0), write_time(DAY_US), write_time(-1)], [Some("00:00:00".into()), Some("24:00:00".into()), None]);
        assert_eq!(write_time(read_time("09:04:05.5").unwrap()).unwrap(), "09:04:05.5");
    }
}
