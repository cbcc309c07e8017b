//! How a pusher is told of commits and of many things.

/// A terminal is told so much of one kind, and how much more there is.
const SHOWN: usize = 100;

pub(super) fn shortened(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > SHOWN {
        let more = lines.len() - SHOWN;
        lines.truncate(SHOWN);
        lines.push(format!("… and {more} more"));
    }
    lines
}

pub(super) fn is_none(commit: &str) -> bool {
    commit.bytes().all(|digit| digit == b'0')
}

pub(super) fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}
