//! Events: what a run emits, what a run is told that an event or a schedule started, and what it says of that.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ExecutionId;
use crate::function::{FunctionName, quantity::Span, topic::Topic};

/// Most bytes of a payload, as JSON.
pub const MAX_PAYLOAD: usize = 256 * 1024;
/// Most arrays and maps of a payload one inside another: one fewer than readers of JSON take, as `ctx.event` is a map around it.
pub const MAX_NESTING: usize = 126;
/// Most events that one run emits.
pub const MAX_EMITTED: usize = 1_000;
/// Most bytes of the payloads that one run emits.
pub const MAX_EMITTED_BYTES: usize = 1024 * 1024;
/// The longest delay of an event, and the longest wait before another attempt that a script asks for.
pub const MAX_DELAY: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Most bytes of the id that somebody gives an event, and of its key.
pub const MAX_ID: usize = 256;

/// Returns whether a text can be the id or the key of an event: 1 to [`MAX_ID`] bytes, and no control characters, which not every database
/// takes.
pub fn is_id(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len()) && !text.contains(char::is_control)
}

/// Makes sure that a handler can read a payload, which is JSON. The error says what is wrong.
pub fn must_be_readable(payload: &str) -> Result<(), String> {
    let (mut open, mut is_text, mut is_escaped) = (0_usize, false, false);
    for byte in payload.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_text = !is_text,
            b'[' | b'{' if !is_text => open += 1,
            b']' | b'}' if !is_text => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MAX_NESTING {
            return Err(format!("the payload is nested deeper than {MAX_NESTING}"));
        }
    }
    Ok(())
}

/// How many events may lead to one another: a handler that emits what it handles would go on for ever.
pub const MAX_DEPTH: u32 = 16;

/// An event that is to be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewEvent {
    /// Names it: of two events with one topic and one id within a day, the second is dropped.
    pub id: String,
    /// Its emitter chose the id. Nobody else can have one that was not chosen.
    pub is_named: bool,
    /// What it is about.
    pub topic: Topic,
    /// Events of one key are handled one after the other.
    pub key: Option<String>,
    /// What happened, as JSON.
    pub payload: Box<str>,
    /// How long after its commit it is due.
    pub delay: Duration,
    /// How many events led to it, itself among them.
    pub depth: u32,
    /// Who emitted it.
    pub by: Emitter,
}

/// Who emitted an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Emitter {
    /// A run of a function.
    Run {
        /// Which function.
        function: FunctionName,
        /// Which run.
        execution: ExecutionId,
    },
    /// Somebody with a token of this name.
    Token(String),
    /// A program that writes into the database.
    Database,
    /// The node itself.
    Node,
}

/// What started a run, beside a request. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventInfo {
    /// What scripts read as `ctx.event`: a map, as JSON.
    pub json: Arc<str>,
    /// How many events led to this run; none for a schedule.
    pub depth: u32,
}

/// What a script says becomes of the event that started it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is tried again: after this time, or after the time that `[retry]` says.
    Retry(Option<Duration>),
    /// It is never tried again, for this reason.
    Dead(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry(None) => f.write_str("it asks for another attempt, if `[retry]` allows one"),
            Self::Retry(Some(after)) => write!(f, "it asks for another attempt in {}, if `[retry]` allows one", Span(*after)),
            Self::Dead(reason) => write!(f, "it gives up: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_as_deep_as_a_handler_can_read_it() {
        let nested = |depth: usize, inner: &str| format!("{}{inner}{}", "[".repeat(depth), "]".repeat(depth));
        for readable in
            [nested(MAX_NESTING, "1"), format!("[{0},{0}]", nested(MAX_NESTING - 1, "")), format!("\"\\\"{}\"", "[".repeat(200))]
        {
            assert_eq!(must_be_readable(&readable), Ok(()), "{readable}");
            let in_event: Result<serde_json::Value, _> = serde_json::from_str(&format!("{{\"payload\":{readable}}}"));
            assert!(in_event.is_ok(), "{readable}");
        }
        for deep in [nested(MAX_NESTING + 1, "1"), format!("[\"\\\\\",{}]", nested(MAX_NESTING, "{}"))] {
            assert_eq!(must_be_readable(&deep), Err("the payload is nested deeper than 126".into()), "{deep}");
        }
    }
}
