//! The status or the outcome of executions, as people write it.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use crate::{execution::Outcome, function::diagnostic::near_miss};

/// One HTTP status, or a class of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusFilter {
    /// `404`
    Exactly(u16),
    /// `5xx`: the hundreds.
    Class(u16),
}

/// A text that is not a status.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a status: a number from 100 to 599 or a class such as `5xx`")]
pub struct StatusError(String);

impl FromStr for StatusFilter {
    type Err = StatusError;

    fn from_str(text: &str) -> Result<Self, StatusError> {
        let filter = match text.to_ascii_lowercase().strip_suffix("xx") {
            Some(class) => class.parse().ok().filter(|class| (1..=5).contains(class)).map(Self::Class),
            None => text.parse().ok().filter(|status| (100..=599).contains(status)).map(Self::Exactly),
        };
        filter.ok_or_else(|| StatusError(text.into()))
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
    /// Returns the statuses that this selects.
    pub(in crate::store) fn range(self) -> RangeInclusive<u16> {
        match self {
            Self::Exactly(status) => status..=status,
            Self::Class(class) => class * 100..=class * 100 + 99,
        }
    }
}

/// How an execution ended: by the status that its caller got, or by its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusOrOutcome {
    /// `404`, `5xx`
    Status(StatusFilter),
    /// `failed`, `timed_out`, …
    Outcome(Outcome),
}

impl FromStr for StatusOrOutcome {
    /// What to write instead.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(outcome) = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == text) {
            return Ok(Self::Outcome(outcome));
        }
        let words = Outcome::ALL.map(Outcome::as_str);
        text.parse().map(Self::Status).map_err(|_| match near_miss(text, words) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("use a number (`404`), a class (`5xx`), or one of {}", listed(&words)),
        })
    }
}

impl fmt::Display for StatusOrOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => status.fmt(f),
            Self::Outcome(outcome) => f.write_str(outcome.as_str()),
        }
    }
}

/// Lists words in a message.
pub(super) fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
