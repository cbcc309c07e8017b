//! A request to run a function, and what happened. Plain data at the seam between HTTP, executor and store.

mod capture;
mod effect;
mod emitted;
mod event;
mod failure;
mod invocation;
mod recorded;
mod request;

use bytes::Bytes;
use http::{HeaderMap, header::CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use capture::{Capture, CaptureError, is_credential};
pub use effect::{Effect, EffectKind, EffectTarget, KeptResult, KeptResults, MAX_EFFECTS, MAX_TARGET, OF_REQUEST};
pub use emitted::EmittedEvent;
pub use event::{
    Emitter, EventInfo, MAX_DELAY, MAX_DEPTH, MAX_EMITTED, MAX_EMITTED_BYTES, MAX_ID, MAX_NESTING, MAX_PAYLOAD, NewEvent, Verdict, is_id,
    must_be_readable,
};
pub use failure::{Failure, FailureCall};
pub use invocation::{Invocation, Trigger};
pub use recorded::{CutText, RecordedMethod, RecordedPath, RecordedType};
pub use request::{HttpRequest, Param, Params, REQUEST_ID, request_id};

pub use crate::id::ExecutionId;
use crate::{
    deployment::DeploymentId,
    function::{FunctionName, Version},
};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The script returned a response.
    Ok,
    /// The script threw, failed, or returned what is not a response.
    Failed,
    /// It ran past its time limit.
    TimedOut,
    /// It ran past its limit of operations.
    OperationsExceeded,
    /// It ran past its memory budget.
    MemoryExceeded,
    /// A value, the response or the call stack grew past its limit.
    SizeExceeded,
    /// The client went away, the node stopped, or it had no memory left for the run.
    Cancelled,
    /// The request was refused before its script ran: its body, its caller, or too many at once.
    Rejected,
}

impl Outcome {
    /// Every outcome, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::Failed,
        Self::TimedOut,
        Self::OperationsExceeded,
        Self::MemoryExceeded,
        Self::SizeExceeded,
        Self::Cancelled,
        Self::Rejected,
    ];

    /// Returns the word that tables and listings show.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::OperationsExceeded => "operations_exceeded",
            Self::MemoryExceeded => "memory_exceeded",
            Self::SizeExceeded => "size_exceeded",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
        }
    }
}

/// The classes of status that requests are counted by.
pub const STATUS_CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// Returns which of the [`STATUS_CLASSES`] a status belongs to.
pub fn status_class(status: u16) -> usize {
    usize::from(status / 100).clamp(2, 5) - 2
}

/// How grave a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// `log::trace`
    Trace,
    /// `log::info`
    Info,
    /// `log::warn`
    Warn,
    /// `log::error`
    Error,
}

/// One line that a script logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// Microseconds since the run began.
    pub at_us: u64,
    /// How grave.
    pub level: LogLevel,
    /// What it said.
    pub message: String,
}

/// What happened when a function ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Execution {
    /// Its time part is when the run was asked for.
    pub id: ExecutionId,
    /// Which function.
    pub function: FunctionName,
    /// With which content.
    pub version: Version,
    /// Which deployment was live for it.
    pub deployment: DeploymentId,
    /// What asked.
    pub trigger: Trigger,
    /// The execution whose request this repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_of: Option<ExecutionId>,
    /// The caller's id for the request; none means the execution's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// `GET`, `POST` …
    pub method: RecordedMethod,
    /// Without the query.
    pub path: RecordedPath,
    /// What the caller got.
    pub status: u16,
    /// The `content-type` of what the function answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub response_type: Option<RecordedType>,
    /// Bytes of the body that the function answered; none: it gave no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_bytes: Option<u64>,
    /// How it ended.
    pub outcome: Outcome,
    /// From the start of the run to its result, in microseconds.
    pub duration_us: u64,
    /// Ticks of the engine.
    pub operations: u64,
    /// The most memory that it held at once, in bytes.
    pub peak_memory_bytes: u64,
    /// What it logged, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogLine>,
    /// Lines that did not fit the log limit.
    #[serde(default)]
    pub logs_dropped: u32,
    /// What it did outside of itself, in order of its end. Lists leave it out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<Effect>,
    /// Effects beyond those that are recorded.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub effects_dropped: u32,
    /// What it emitted, in order, sent or not. Lists leave it out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EmittedEvent>,
    /// Why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Box<Failure>>,
    /// Whether its request is kept, so that it can run again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub captured: bool,
    /// The request on its way to where it is kept. It is nobody's to read: listings leave it out, and what is read from the store has none.
    #[serde(skip)]
    pub capture: Option<Box<Capture>>,
}

impl Execution {
    /// Leaves out what lists do not show: effects and events, of which there may be a thousand each.
    pub fn leave_out_effects(&mut self) {
        (self.effects, self.effects_dropped, self.events) = (Vec::new(), 0, Vec::new());
    }
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// What a run sends back to its caller.
#[derive(Debug, Clone)]
pub struct Reply {
    /// 200 to 599, checked.
    pub status: http::StatusCode,
    /// Checked, and few enough that more may be added.
    pub headers: HeaderMap,
    /// Whole.
    pub body: Bytes,
}

impl Reply {
    /// Returns its `content-type`, as it is recorded.
    pub fn recorded_type(&self) -> Option<RecordedType> {
        self.headers.get(CONTENT_TYPE).map(|value| RecordedType::from(&*String::from_utf8_lossy(value.as_bytes())))
    }
}

/// A run that is over.
#[derive(Debug)]
pub struct Finished {
    /// What the function answers; none if it failed.
    pub reply: Option<Reply>,
    /// What it emitted; nothing unless it ended well.
    pub emitted: Vec<NewEvent>,
    /// What becomes of the event that started it, if the script said that.
    pub verdict: Option<Verdict>,
    /// What happened. Its `status` is the reply's, and 0 where there is none: whoever answers the caller sets it.
    pub execution: Box<Execution>,
    /// Bytes that it allocated and nobody frees any more; fewer than none where it freed what earlier runs had left.
    pub leaked_bytes: i64,
}
