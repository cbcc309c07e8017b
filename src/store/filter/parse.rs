//! Reads a filter from keys and values.

use std::time::UNIX_EPOCH;

use super::{
    ExecutionFilter, FilterError, function_name,
    status::{StatusOrOutcome, listed},
};
use crate::{
    execution::{Outcome, Trigger},
    function::{diagnostic::near_miss, version_prefix::VersionPrefixError},
    id::{ExecutionId, LAST_NODE},
};

/// Longest text of a filter, in bytes.
const MAX_TEXT: usize = 1_024;
/// The default number of executions in a page, and the largest.
pub const PAGE: (u32, u32) = (50, 1_000);
/// Every key, for the near miss.
const KEYS: [&str; 17] = [
    "function",
    "prefix",
    "version",
    "deployment",
    "node",
    "status",
    "outcome",
    "trigger",
    "request_id",
    "text",
    "since",
    "until",
    "has_output",
    "before",
    "after",
    "limit",
    "cursor",
];

impl ExecutionFilter {
    /// Reads keys and their values, as in the query of a URL. A span (`10m`) counts back from now.
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
            "version" => {
                let hint = "`picloud versions FUNCTION` lists them";
                self.version = Some(value.parse().map_err(|error: VersionPrefixError| (error.to_string(), hint.into()))?);
            }
            "deployment" => {
                let hint = || "write the whole id; `picloud deployments` lists them".into();
                self.deployment = Some(value.parse().map_err(|_| (format!("`{value}` is no id of a deployment"), hint()))?);
            }
            "node" => {
                let number = value.parse().ok().filter(|number| (0..=LAST_NODE).contains(number));
                let hint = || format!("write a number from 0 to {LAST_NODE}, as `node` of an execution tells it");
                self.node = Some(number.ok_or_else(|| (format!("`{value}` is no number of a node"), hint()))?);
            }
            "status" => match value.parse::<StatusOrOutcome>().map_err(|hint| (format!("`{value}` is not a status"), hint))? {
                StatusOrOutcome::Status(status) => self.status = Some(status),
                StatusOrOutcome::Outcome(outcome) => self.outcome = Some(outcome),
            },
            "outcome" => self.outcome = Some(one_of(value, Outcome::ALL, Outcome::as_str)?),
            "trigger" => self.trigger = Some(one_of(value, Trigger::ALL, Trigger::as_str)?),
            "request_id" => self.request_id = Some(request_id(value)?.into()),
            "text" if value.is_empty() || value.len() > MAX_TEXT => {
                return Err((format!("the text has {} bytes", value.len()), format!("write 1 to {MAX_TEXT} bytes")));
            }
            "text" => self.text = Some(value.into()),
            "since" => self.since_us = Some(parse_time(value, now_us)?),
            "until" => self.until_us = Some(parse_time(value, now_us)?),
            "has_output" => self.has_output = one_of(value, [true, false], |is_so| if is_so { "true" } else { "false" })?,
            "limit" => {
                let in_range = value.parse::<u32>().ok().filter(|limit| (1..=PAGE.1).contains(limit));
                self.limit = in_range.ok_or_else(|| (format!("`{value}` is no limit"), format!("write a number from 1 to {}", PAGE.1)))?;
            }
            "before" | "after" => {
                let hint = || "write the id of an execution, as `x-picloud-execution` said".into();
                let id = value.parse().map_err(|_| (format!("`{value}` is no id of an execution"), hint()))?;
                if key == "after" { self.after = Some(id) } else { self.be_before(id) }
            }
            "cursor" => {
                let hint = || "leave it out for the first page, and then send what `next` said".into();
                self.be_before(value.parse().map_err(|_| (format!("`{value}` is no cursor"), hint()))?);
            }
            unknown => {
                let hint = match near_miss(unknown, KEYS) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the keys are {}", listed(&KEYS)),
                };
                return Err((format!("there is no filter `{unknown}`"), hint));
            }
        }
        Ok(())
    }

    /// Leaves out what is not older than this.
    fn be_before(&mut self, id: ExecutionId) {
        self.before = Some(self.before.map_or(id, |before| before.min(id)));
    }
}

fn plain(value: &str) -> Result<&str, (String, String)> {
    if value.is_empty() || value.len() > MAX_TEXT || value.contains(char::is_control) {
        let shown: String = value.chars().take(40).flat_map(char::escape_debug).collect();
        return Err((format!("`{shown}` is no name of a function"), "`picloud functions` lists them".into()));
    }
    Ok(value)
}

fn request_id(value: &str) -> Result<&str, (String, String)> {
    if (1..=128).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(value);
    }
    Err(("that is no id of a request".into(), "it is what `x-request-id` said: 1 to 128 visible ASCII characters".into()))
}

/// Reads a time, or a span (`10m`) before now, as microseconds since 1970. The error says what is wrong, and what to do.
pub fn parse_time(text: &str, now_us: i64) -> Result<i64, (String, String)> {
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
            near.map_or_else(|| format!("use one of {}", listed(&words)), |near| format!("did you mean `{near}`?")),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{function::FunctionName, store::StatusFilter};

    const NOW_US: i64 = 1_795_424_645_678_000;

    fn parse(query: &str) -> Result<ExecutionFilter, FilterError> {
        ExecutionFilter::parse(query.split('&').filter_map(|pair| pair.split_once('=')), NOW_US)
    }

    #[test]
    fn every_key_is_read() {
        let all = "function=a/b.rhai&prefix=a/&version=00ff&deployment=361vz5hj7ad52&node=1023&status=5xx&outcome=timed_out&trigger=execute&request_id=r-1&text=no \"x\"&since=1h\
                   &until=2026-11-23T09:04:05Z&has_output=true&limit=7&cursor=361vz5hr63v52&before=361vz5hr63v53\
                   &after=361vz5hj7ad52";
        let filter = parse(all).unwrap();
        let expected = ExecutionFilter {
            function: Some(FunctionName::new("a/b")),
            prefix: Some("a/".into()),
            version: Some("00ff".parse().unwrap()),
            deployment: Some("361vz5hj7ad52".parse().unwrap()),
            node: Some(1_023),
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
            after: Some("361vz5hj7ad52".parse().unwrap()),
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
            "version=XY",
            "deployment=main",
            "node=1024",
            "before=x",
            "after=",
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
