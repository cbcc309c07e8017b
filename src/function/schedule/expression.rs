//! The `cron` and the `zone` of a schedule, read with what to say of each mistake.

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{
    Timestamp,
    tz::{self, TimeZone},
};
use serde::Deserialize;

use super::calendar::Moment;
use crate::function::diagnostic::near_miss;

/// Microseconds of a second: due times are whole seconds.
const SECOND_US: i64 = 1_000_000;
/// Longest expression, in bytes.
const LONGEST_EXPRESSION: usize = 256;
/// The short forms that are known.
const SHORT_FORMS: [&str; 6] = ["@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly"];

/// Five fields, or a short form such as `@daily`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Expression {
    /// As written.
    text: Box<str>,
    cron: Box<Cron>,
}

/// A time zone of the IANA database.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Zone(TimeZone);

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

impl Expression {
    /// Returns it as it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Says it in words: `At 02:30, on Monday`.
    pub fn words(&self) -> String {
        let words = self.cron.describe();
        let words = words.trim_end_matches('.');
        words.strip_prefix("At every ").map_or_else(|| words.to_owned(), |period| format!("Every {period}"))
    }

    /// Returns the first of its times in a zone after this one, in microseconds since 1970; none if there is none before the year 5000.
    pub fn next(&self, after_us: i64, zone: &Zone) -> Option<i64> {
        us_of(&self.cron.find_next_occurrence(&moment(after_us.div_euclid(SECOND_US), zone)?, false).ok()?)
    }

    /// Returns the last of its times in a zone before this one, in microseconds since 1970.
    pub fn previous(&self, before_us: i64, zone: &Zone) -> Option<i64> {
        // The first whole second that is not before it: a part of a second after a due time, that one has passed.
        let second = before_us.checked_add(SECOND_US - 1)?.div_euclid(SECOND_US);
        us_of(&self.cron.find_previous_occurrence(&moment(second, zone)?, false).ok()?)
    }
}

impl TryFrom<String> for Expression {
    type Error = NotATime;

    fn try_from(text: String) -> Result<Self, NotATime> {
        let text = text.trim();
        let expression = Self { text: text.into(), cron: Box::new(parse(text)?) };
        let is_ever_due = expression.next(0, &Zone::default()).is_some();
        is_ever_due.then_some(expression).ok_or_else(|| {
            let hint = "there is no such day in any month; the third field is the day, and the fourth the month";
            NotATime::new(format!("`cron = \"{text}\"` is never due"), hint)
        })
    }
}

impl Zone {
    /// Returns its name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl TryFrom<String> for Zone {
    type Error = NotATime;

    fn try_from(name: String) -> Result<Self, NotATime> {
        TimeZone::get(&name).map(Self).map_err(|_| {
            let shown: String = name.chars().take(64).collect();
            let known: Vec<String> = tz::db().available().map(|zone| zone.to_string()).collect();
            let hint = match near_miss(&shown, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "use a name of the IANA database, such as `Europe/Berlin`".into(),
            };
            NotATime::new(format!("`zone = \"{shown}\"` is no time zone"), hint)
        })
    }
}

fn moment(second: i64, zone: &Zone) -> Option<Moment> {
    Some(Moment(Timestamp::from_second(second).ok()?.to_zoned_datetime(zone.0.clone())))
}

fn us_of(moment: &Moment) -> Option<i64> {
    moment.0.timestamp().as_second().checked_mul(SECOND_US)
}

/// The fields in their order, and what they are called.
const FIELDS: [&str; 5] = ["minute", "hour", "day of the month", "month", "day of the week"];

fn parse(expression: &str) -> Result<Cron, NotATime> {
    if expression.len() > LONGEST_EXPRESSION {
        return Err(wrong(expression, "it is too long", "write two schedules"));
    }
    if expression.starts_with('@') {
        return match SHORT_FORMS.contains(&expression) {
            true => read(expression).map_err(|why| wrong(expression, &why, HINT)),
            false => Err(wrong(expression, &format!("`{expression}` is not known"), &instead_of(expression))),
        };
    }
    let fields: Vec<&str> = expression.split_whitespace().collect();
    match fields.len() {
        5 => read(expression).map_err(|why| wrong(expression, &blame(&fields, why), HINT)),
        6 => {
            let hint = "leave the seconds out, which are the first; for a period of seconds write `every = \"10s\"`";
            Err(wrong(expression, "it has six fields, and there are five", hint))
        }
        count => {
            let hint = "the fields are minute, hour, day of the month, month, day of the week: `30 2 * * *` is every day at 02:30";
            Err(wrong(expression, &format!("it has {count} fields, and there are five"), hint))
        }
    }
}

/// What a field may be.
const HINT: &str =
    "a field is `*`, a number, a list `1,15`, a range `1-5`, or steps `*/15`; months and days of the week may be `JAN`, `MON`";

fn wrong(expression: &str, why: &str, hint: &str) -> NotATime {
    let shown: String = expression.chars().take(64).collect();
    NotATime::new(format!("`cron = \"{shown}\"`: {why}"), hint)
}

/// Says what to write in place of a short form that is none.
fn instead_of(short: &str) -> String {
    if let Some(period) = short.strip_prefix("@every ") {
        return format!("write `every = \"{}\"` in place of `cron`", period.trim());
    }
    let lower = short.to_lowercase();
    let near = match &*lower {
        "@annually" => Some("@yearly"),
        known if SHORT_FORMS.contains(&known) => Some(known),
        other => near_miss(other, SHORT_FORMS),
    };
    near.map_or_else(|| format!("the short forms are {}", SHORT_FORMS.join(", ")), |near| format!("did you mean `{near}`?"))
}

/// Reads an expression. As Vixie's cron has it, a day must be right by both of its fields if one of them begins with `*`, else by one.
fn read(expression: &str) -> Result<Cron, String> {
    let is_open = |at: usize| expression.split_whitespace().nth(at).is_some_and(|field| field.starts_with(['*', '?']));
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).dom_and_dow(is_open(2) || is_open(4)).build();
    // The parser has no such form.
    let expression = if expression == "@midnight" { "@daily" } else { expression };
    parser.parse(expression).map_err(|error| explained(&error.to_string()))
}

/// Says which field is wrong.
fn blame(fields: &[&str], why: String) -> String {
    let is_wrong = |at: &usize| {
        let alone: Vec<&str> = (0..fields.len()).map(|other| if other == *at { fields[*at] } else { "*" }).collect();
        read(&alone.join(" ")).is_err()
    };
    match (0..fields.len()).find(is_wrong) {
        Some(at) => format!("the {} `{}`: {why}", FIELDS[at], fields[at]),
        None => why,
    }
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

    #[test]
    fn every_short_form_is_read() {
        for short in SHORT_FORMS {
            assert!(Expression::try_from(short.to_owned()).is_ok(), "{short}");
        }
    }

    #[test]
    fn every_mistake_says_what_to_do() {
        let expressions = [
            "0 30 2 * * *",
            "30 2 * *",
            "",
            "61 * * * *",
            "* * * FOO *",
            "0 0 30 2 *",
            "@dayly",
            "@reboot",
            "@every 5m",
            "@annually",
            "@DAILY",
            "0 24 * * *",
            "0 0 0 * *",
            "5/15 * * * *",
            "? * * * *",
            "0 L * * *",
            "0 0 1#2 * *",
            "0 0 * * 1W",
        ];
        let expressions = expressions.map(|text| Expression::try_from(text.to_owned()).unwrap_err().to_string());
        let zones = ["Europe/Berln", "Mars"].map(|name| Zone::try_from(name.to_owned()).unwrap_err().to_string());
        insta::assert_snapshot!([expressions.join("\n"), zones.join("\n")].join("\n"));
    }
}
