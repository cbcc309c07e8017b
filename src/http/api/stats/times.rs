//! The time that a question about statistics is about.

use std::fmt::Display;

use crate::{http::problem::Problem, stats::Steps, store::parse_time};

/// The time that is told where a question does not say one: a day.
const SPAN_US: i64 = 24 * 60 * 60 * 1_000_000;

/// Reads since when, until when, and by which step.
pub(super) fn steps((since, until, step): (Option<&str>, Option<&str>, Option<&str>), now_us: i64, most: usize) -> Result<Steps, Problem> {
    let time = |key: &str, text: Option<&str>, otherwise: i64| match text {
        Some(text) => parse_time(text, now_us).map_err(|(what, hint)| bad(key, what, &hint)),
        None => Ok(otherwise),
    };
    let (since_us, until_us) = (time("since", since, now_us - SPAN_US)?, time("until", until, now_us)?);
    let length = match step {
        Some(text) => minutes(text)?,
        None => 0,
    };
    let later = |error| bad("since", error, "`until` is later than `since`, and `since` is in the past");
    Steps::of(since_us, until_us, now_us, length, most).map_err(later)
}

fn minutes(text: &str) -> Result<i64, Problem> {
    let span = humantime::parse_duration(text).ok().filter(|span| !span.is_zero());
    let span = span.ok_or_else(|| bad("step", format!("`{text}` is no span"), "write a span such as `10m` or `1h`"))?;
    Ok(i64::try_from(span.as_secs().div_ceil(60)).unwrap_or(i64::MAX))
}

/// Says what is wrong with the value of a key.
pub(super) fn bad(key: &str, what: impl Display, hint: &str) -> Problem {
    Problem::BadOrder(format!("`{key}`: {what}\n  hint: {hint}"))
}
