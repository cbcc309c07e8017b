//! The calendar of a time zone, for `croner`: it knows how clocks are set, and no type of ours.

use std::cmp::Ordering;

use croner::{CivilDate, CivilDateTime, CivilTime, CronDateTime, Resolution, Weekday, errors::CronError};
use jiff::{SignedDuration, ZonedDateTime, civil, tz::AmbiguousOffset};

/// A moment in a zone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub ZonedDateTime);

impl CronDateTime for Moment {
    fn to_civil(&self) -> CivilDateTime {
        let time = self.0.datetime();
        let date = CivilDate::from_ymd_opt(time.year().into(), time.month() as u32, time.day() as u32);
        let of_day = CivilTime::from_hms_opt(time.hour() as u32, time.minute() as u32, time.second() as u32);
        CivilDateTime::new(date.expect("a date of the calendar"), of_day.expect("a time of the day"))
    }

    fn civil_weekday(&self) -> Weekday {
        Weekday::from_days_from_sunday(self.0.weekday().to_sunday_zero_offset() as u32)
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let year = i16::try_from(civil.year()).map_err(|_| CronError::InvalidDate)?;
        let [month, day, hour, minute, second] =
            [civil.month(), civil.day(), civil.hour(), civil.minute(), civil.second()].map(|part| part as i8);
        let time = civil::DateTime::new(year, month, day, hour, minute, second, 0).map_err(|_| CronError::InvalidDate)?;
        let meant = self.0.time_zone().to_ambiguous_zoned_datetime(time);
        let resolved = match meant.offset() {
            AmbiguousOffset::Unambiguous { .. } => meant.unambiguous().map(|only| Resolution::Single(Self(only))),
            AmbiguousOffset::Fold { .. } => {
                meant.clone().earlier().and_then(|earlier| Ok(Resolution::Ambiguous(Self(earlier), Self(meant.later()?))))
            }
            AmbiguousOffset::Gap { .. } => Ok(Resolution::Gap),
        };
        resolved.map_err(|_| CronError::InvalidTime)
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0.checked_add(SignedDuration::from_secs(seconds)).ok().map(Self)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.timestamp().cmp(&other.0.timestamp())
    }
}
