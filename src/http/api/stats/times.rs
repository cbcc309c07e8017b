//! The time that a question about statistics is about.

use std::fmt::Display;

use crate::{
    clock::rfc3339,
    http::{app::App, call::earlier::log, problem::Problem},
    stats::Steps,
    store::{LiveSpan, parse_time},
    sync::earlier::EarlierError,
};

/// The time that is told where a question does not say one: a day.
const SPAN_US: i64 = 24 * 60 * 60 * 1_000_000;

/// The time that is asked for, as it is written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AskedTime<'a> {
    pub since: Option<&'a str>,
    pub until: Option<&'a str>,
    /// The shortest step.
    pub step: Option<&'a str>,
    /// Only while a deployment was live.
    pub live: Option<LiveSpan>,
}

impl AskedTime<'_> {
    /// Reads since when, until when, and by which step.
    pub(super) fn steps(self, now_us: i64, most: usize) -> Result<Steps, Problem> {
        let time = |key: &str, text: Option<&str>| {
            let read = text.map(|text| parse_time(text, now_us)).transpose();
            read.map_err(|(what, hint)| bad(key, what, &hint))
        };
        let (since_us, until_us) = (time("since", self.since)?, time("until", self.until)?);
        let length = self.step.map_or(Ok(0), minutes)?;
        let Some(live) = self.live else {
            let later = |error| bad("since", error, "`until` is later than `since`, and `since` is in the past");
            return Steps::of(since_us.unwrap_or(now_us - SPAN_US), until_us.unwrap_or(now_us), now_us, length, most).map_err(later);
        };
        let end_us = live.until_us.unwrap_or(now_us);
        let since_us = since_us.map_or(live.since_us, |since_us| since_us.max(live.since_us));
        let until_us = until_us.map_or(end_us, |until_us| until_us.min(end_us));
        Steps::of(since_us, until_us, now_us, length, most).map_err(|_| {
            let (since, until) = (rfc3339(live.since_us), live.until_us.map_or_else(|| "now".into(), rfc3339));
            let what = format!("it was live from {since} until {until}, which is not in the time that is asked for");
            bad("deployment", what, "leave out `since` and `until`; counts are kept for 30 days")
        })
    }
}

impl App {
    /// Returns when the deployment with this key was live.
    pub(super) async fn live_span(&self, key: Option<&str>) -> Result<Option<LiveSpan>, Problem> {
        let Some(key) = key else { return Ok(None) };
        let span = self.history()?.live_span(key).await.map_err(EarlierError::Find).inspect_err(log)?;
        Ok(Some(span))
    }
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
