//! Which executions are meant: read from what people and programs write, the same for the API, the command line and the live tail.

use std::{fmt, ops::RangeInclusive, str::FromStr, time::UNIX_EPOCH};

use crate::{
    execution::{Execution, Outcome, Trigger},
    function::{FunctionName, diagnostic::near_miss},
    id::ExecutionId,
};

/// Which executions are meant. What is not asked for is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecutionFilter {
    /// Only of this function.
    pub function: Option<FunctionName>,
    /// Only of functions whose name begins so.
    pub prefix: Option<String>,
    /// Only with such a status.
    pub status: Option<StatusFilter>,
    /// Only those that ended so.
    pub outcome: Option<Outcome>,
    /// Only those that this asked for.
    pub trigger: Option<Trigger>,
    /// Only those of the request with this id.
    pub request_id: Option<String>,
    /// Only those with this text in a log line or in the message of their failure, letter by letter.
    pub text: Option<String>,
    /// Only those asked for at this time or later, in microseconds since 1970.
    pub since_us: Option<i64>,
    /// Only those asked for before this time.
    pub until_us: Option<i64>,
    /// Only those that logged something or failed.
    pub has_output: bool,
    /// Only this one and younger ones, for whoever goes on.
    pub from: Option<ExecutionId>,
    /// Only older ones than this, for the next page.
    pub before: Option<ExecutionId>,
    /// At most so many.
    pub limit: u32,
}

/// What somebody wrote that selects no executions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}\n  hint: {hint}")]
pub struct FilterError {
    /// The key that it was written for.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

/// Longest text of a filter, in bytes.
const MAX_TEXT: usize = 1_024;
/// Executions in a page where nobody says how many, and the most.
pub const PAGE: (u32, u32) = (50, 1_000);
/// Every key that selects executions, for the near miss.
const KEYS: [&str; 12] =
    ["function", "prefix", "status", "outcome", "trigger", "request_id", "text", "since", "until", "has_output", "limit", "cursor"];

impl ExecutionFilter {
    /// Reads keys and their values, as they are in the query of a URL. Spans (`10m`) count back from now.
    pub fn parse<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>, now_us: i64) -> Result<Self, FilterError> {
        let mut filter = Self { limit: PAGE.0, ..Self::default() };
        let mut seen: Vec<&str> = Vec::new();
        for (key, value) in pairs {
            let wrong = |(message, hint)| FilterError { key: key.into(), message, hint };
            if seen.contains(&key) {
                return Err(wrong((format!("`{key}` is there twice"), "give it once".into())));
            }
            filter.set(key, value, now_us).map_err(wrong)?;
            seen.push(key);
        }
        Ok(filter)
    }

    fn set(&mut self, key: &str, value: &str, now_us: i64) -> Result<(), (String, String)> {
        match key {
            "function" => self.function = Some(function_name(plain(value)?)),
            "prefix" => self.prefix = Some(plain(value)?.into()),
            "status" => match value.parse::<Ended>().map_err(|hint| (format!("`{value}` is not a status"), hint))? {
                Ended::Status(status) => self.status = Some(status),
                Ended::Outcome(outcome) => self.outcome = Some(outcome),
            },
            "outcome" => self.outcome = Some(one_of(value, Outcome::ALL, Outcome::as_str)?),
            "trigger" => self.trigger = Some(one_of(value, Trigger::ALL, Trigger::as_str)?),
            "request_id" => self.request_id = Some(request_id(value)?.into()),
            "text" if value.is_empty() || value.len() > MAX_TEXT => {
                return Err((format!("the text has {} bytes", value.len()), format!("write 1 to {MAX_TEXT} bytes")));
            }
            "text" => self.text = Some(value.into()),
            "since" => self.since_us = Some(time(value, now_us)?),
            "until" => self.until_us = Some(time(value, now_us)?),
            "has_output" => self.has_output = one_of(value, [true, false], |is_so| if is_so { "true" } else { "false" })?,
            "limit" => {
                let in_range = value.parse::<u32>().ok().filter(|limit| (1..=PAGE.1).contains(limit));
                self.limit = in_range.ok_or_else(|| (format!("`{value}` is no limit"), format!("write a number from 1 to {}", PAGE.1)))?;
            }
            "cursor" => {
                let hint = || "leave it out for the first page, and then send what `next` said".into();
                self.before = Some(value.parse().map_err(|_| (format!("`{value}` is no cursor"), hint()))?);
            }
            unknown => {
                let hint = match near_miss(unknown, KEYS) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the keys are {}", list(&KEYS)),
                };
                return Err((format!("there is no filter `{unknown}`"), hint));
            }
        }
        Ok(())
    }

    /// Returns whether an execution is meant. Parts of the whole (`from`, `before`, `limit`) are not looked at.
    pub fn matches(&self, execution: &Execution) -> bool {
        let time_us = execution.id.time_us();
        self.since_us.is_none_or(|since| time_us >= since)
            && self.until_us.is_none_or(|until| time_us < until)
            && self.function.as_ref().is_none_or(|function| execution.function == *function)
            && self.prefix.as_ref().is_none_or(|prefix| execution.function.as_str().starts_with(prefix))
            && self.status.is_none_or(|status| status.range().contains(&execution.status))
            && self.outcome.is_none_or(|outcome| execution.outcome == outcome)
            && self.trigger.is_none_or(|trigger| execution.trigger == trigger)
            && self.request_id.as_ref().is_none_or(|id| has_request_id(execution, id))
            && self.text.as_ref().is_none_or(|text| says(execution, text))
            && (!self.has_output || !execution.logs.is_empty() || execution.logs_dropped > 0 || execution.failure.is_some())
    }
}

/// A request without an id of its own has that of its execution.
fn has_request_id(execution: &Execution, id: &str) -> bool {
    match &execution.request_id {
        Some(own) => own == id,
        None => id.parse::<ExecutionId>().is_ok_and(|id| id == execution.id),
    }
}

/// Returns whether an execution has this text in a log line, or in the message of its failure.
pub(super) fn says(execution: &Execution, text: &str) -> bool {
    execution.logs.iter().any(|line| line.message.contains(text))
        || execution.failure.as_ref().is_some_and(|failure| failure.message.contains(text))
}

/// Returns the function that a person means: its name, or its file's path below the root.
pub fn function_name(text: &str) -> FunctionName {
    FunctionName::of_file(text).unwrap_or_else(|| FunctionName::new(text))
}

fn plain(value: &str) -> Result<&str, (String, String)> {
    if value.is_empty() || value.len() > MAX_TEXT || value.contains(char::is_control) {
        let shown: String = value.chars().take(40).flat_map(char::escape_debug).collect();
        return Err((format!("`{shown}` is no name of a function"), "`picloud routes` lists the functions".into()));
    }
    Ok(value)
}

fn request_id(value: &str) -> Result<&str, (String, String)> {
    if (1..=128).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(value);
    }
    Err(("that is no id of a request".into(), "it is what `x-request-id` said: 1 to 128 visible ASCII characters".into()))
}

/// Reads a span (`10m`) before now, or a time.
fn time(text: &str, now_us: i64) -> Result<i64, (String, String)> {
    if let Ok(span) = humantime::parse_duration(text) {
        return Ok(now_us.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)));
    }
    let hint = || "write a span such as `10m`, or a time such as `2026-11-23T09:00:00Z`".into();
    let since = humantime::parse_rfc3339_weak(text).ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let since = since.ok_or_else(|| (format!("`{text}` is no time"), hint()))?;
    Ok(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn one_of<T: Copy, const N: usize>(text: &str, all: [T; N], word: fn(T) -> &'static str) -> Result<T, (String, String)> {
    let words = all.map(word);
    all.into_iter().find(|one| word(*one) == text).ok_or_else(|| {
        let near = near_miss(text, words);
        (
            format!("`{text}` is not known"),
            near.map_or_else(|| format!("use one of {}", list(&words)), |near| format!("did you mean `{near}`?")),
        )
    })
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// One HTTP status, or a class of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusFilter {
    /// `404`
    Exactly(u16),
    /// `5xx`: the hundreds.
    Class(u16),
}

/// A text that should be a status and is none.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a status: a number from 100 to 599 or a class such as `5xx`")]
pub struct NotAStatus(String);

impl FromStr for StatusFilter {
    type Err = NotAStatus;

    fn from_str(text: &str) -> Result<Self, NotAStatus> {
        let filter = match text.to_ascii_lowercase().strip_suffix("xx") {
            Some(class) => class.parse().ok().filter(|class| (1..=5).contains(class)).map(Self::Class),
            None => text.parse().ok().filter(|status| (100..=599).contains(status)).map(Self::Exactly),
        };
        filter.ok_or_else(|| NotAStatus(text.into()))
    }
}

impl fmt::Display for StatusFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(status) => write!(f, "{status}"),
            Self::Class(class) => write!(f, "{class}xx"),
        }
    }
}

impl StatusFilter {
    /// Returns the statuses that are meant.
    pub(super) fn range(self) -> RangeInclusive<u16> {
        match self {
            Self::Exactly(status) => status..=status,
            Self::Class(class) => class * 100..=class * 100 + 99,
        }
    }
}

/// How executions ended: what the caller got, or how the run went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// `404`, `5xx`
    Status(StatusFilter),
    /// `failed`, `timed_out`, …
    Outcome(Outcome),
}

impl FromStr for Ended {
    /// What to write instead.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(outcome) = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == text) {
            return Ok(Self::Outcome(outcome));
        }
        let words = Outcome::ALL.map(Outcome::as_str);
        text.parse().map(Self::Status).map_err(|_| match near_miss(text, words) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("use a number (`404`), a class (`5xx`), or one of {}", list(&words)),
        })
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => status.fmt(f),
            Self::Outcome(outcome) => f.write_str(outcome.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_US: i64 = 1_795_424_645_678_000;

    fn parse(query: &str) -> Result<ExecutionFilter, FilterError> {
        ExecutionFilter::parse(query.split('&').filter_map(|pair| pair.split_once('=')), NOW_US)
    }

    #[test]
    fn every_key_is_read() {
        let all = "function=a/b.rhai&prefix=a/&status=5xx&outcome=timed_out&trigger=execute&request_id=r-1&text=no \"x\"&since=1h\
                   &until=2026-11-23T09:04:05Z&has_output=true&limit=7&cursor=361vz5hr63v52";
        let filter = parse(all).unwrap();
        let expected = ExecutionFilter {
            function: Some(FunctionName::new("a/b")),
            prefix: Some("a/".into()),
            status: Some(StatusFilter::Class(5)),
            outcome: Some(Outcome::TimedOut),
            trigger: Some(Trigger::Execute),
            request_id: Some("r-1".into()),
            text: Some("no \"x\"".into()),
            since_us: Some(NOW_US - 3_600_000_000),
            until_us: Some(NOW_US - 678_000),
            has_output: true,
            from: None,
            before: Some("361vz5hr63v52".parse().unwrap()),
            limit: 7,
        };
        assert_eq!(filter, expected);
        assert_eq!(parse("status=failed").unwrap().outcome, Some(Outcome::Failed));
        assert_eq!(parse("").unwrap(), ExecutionFilter { limit: PAGE.0, ..ExecutionFilter::default() });
    }

    #[test]
    fn every_mistake_says_what_to_write() {
        let long = format!("text={}", "x".repeat(MAX_TEXT + 1));
        let found: Vec<String> = [
            "statsu=500",
            "colour=blue",
            "status=99",
            "status=faild",
            "outcome=timedout",
            "outcome=x",
            "trigger=htp",
            "since=soon",
            "until=1969-01-01T00:00:00Z",
            "limit=0",
            "limit=1001",
            "limit=many",
            "cursor=x",
            "request_id=a b",
            "function=",
            "prefix=a\u{0}",
            "text=",
            &long,
            "has_output=yes",
            "limit=1&limit=2",
        ]
        .iter()
        .map(|query| parse(query).map_err(|error| format!("{}: {error}", error.key)).unwrap_err())
        .collect();
        insta::assert_snapshot!(found.join("\n"));
    }
}
