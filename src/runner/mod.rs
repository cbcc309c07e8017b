//! Every way to a run. Whoever triggers one has a [`Permission`] and makes an [`Attempt`]. From there on the run is captured, counted,
//! traced and recorded here, in the same way for all. Nobody else has functions executed.

mod attempt;
mod effect_span;
mod effects;
mod event_counts;
mod permission;
mod publish;
mod record;
mod rejection;
mod stop;
mod trace;

use std::sync::Arc;

use http::request::Parts;

pub use attempt::{Attempt, NoReply, ReplayMode, Said, Sender};
pub use effects::{EffectCount, EffectStats, MAX_HOSTS, OTHER_HOSTS};
pub use event_counts::{EventCounts, HandledOutcome};
pub use permission::{Permission, PermissionError};
pub use publish::Publisher;
pub use record::{CapturePolicy, RecordPolicy, Recorder};
use rejection::RejectionCounts;
pub use rejection::{Rejection, RejectionReason};
pub use stop::{StopReason, StoppedRun};
pub use trace::RequestTrace;

use crate::{
    execution::{Capture, EventInfo, ExecutionId, Trigger},
    executor::{SharedExecutor, Usage},
    id::Ids,
    live::{LiveFunction, Table},
    trace::{TraceStats, Tracer},
};

/// What a request has met.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// Where.
    pub table: &'a Table,
    /// Which function.
    pub function: &'a Arc<LiveFunction>,
}

/// Runs functions, for those who have permission.
pub struct Runner {
    executor: SharedExecutor,
    ids: Arc<Ids>,
    recorder: Recorder,
    capture: CapturePolicy,
    tracer: Option<Tracer>,
    rejections: RejectionCounts,
    publisher: Publisher,
}

impl Runner {
    /// Has this executor run them.
    pub fn new(
        executor: SharedExecutor,
        ids: Arc<Ids>,
        recorder: Recorder,
        capture: CapturePolicy,
        tracer: Option<Tracer>,
        publisher: Publisher,
    ) -> Self {
        Self { executor, ids, recorder, capture, tracer, rejections: RejectionCounts::default(), publisher }
    }

    /// Begins the trace of a request, if traces are on and this request is one to be traced.
    pub fn trace(&self, request: &Parts) -> Option<Box<RequestTrace>> {
        RequestTrace::begin(self.tracer.as_ref()?, request)
    }

    /// Begins a call: a request to a URL of the function. It counts among the function's requests.
    pub fn call<'a>(&'a self, target: Target<'a>, trigger: Trigger, sender: Sender, trace: Option<Box<RequestTrace>>) -> Attempt<'a> {
        Attempt::new(self, target, trigger).by(sender, trace)
    }

    /// Begins a run that an operator orders.
    pub fn invoke<'a>(&'a self, target: Target<'a>) -> Attempt<'a> {
        Attempt::new(self, target, Trigger::Invoke)
    }

    /// Begins a run that nobody waits for: an event or a schedule starts it. What it emits is left to whoever settles it.
    pub fn start<'a>(&'a self, target: Target<'a>, trigger: Trigger, event: EventInfo) -> Attempt<'a> {
        Attempt::new(self, target, trigger).started_by(event)
    }

    /// Returns where events go.
    pub fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    /// Returns whether the requests of every function are kept that does not say otherwise.
    pub fn captures_all(&self) -> bool {
        self.capture.all
    }

    /// Begins another run of a request that was kept with this execution.
    pub fn replay<'a>(&'a self, target: Target<'a>, execution: ExecutionId, capture: Capture, mode: ReplayMode) -> Attempt<'a> {
        Attempt::new(self, target, Trigger::Replay).replays(execution, capture, mode)
    }

    /// Returns what is being run, and what that takes.
    pub fn usage(&self) -> Usage {
        self.executor.usage()
    }

    /// Returns how many requests were rejected, for each reason.
    pub fn rejections(&self) -> impl Iterator<Item = (RejectionReason, u64)> {
        self.rejections.read()
    }

    /// Returns what runs did outside of themselves.
    pub fn effects(&self) -> EffectStats {
        self.recorder.effects()
    }

    /// Returns what was traced, if traces are on.
    pub fn traces(&self) -> Option<TraceStats> {
        self.tracer.as_ref().map(Tracer::stats)
    }
}
