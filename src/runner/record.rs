//! What is kept of a run. It says which executions go to the journal, and which requests are kept with them. It counts what runs did outside,
//! and writes the line in the log for a run that failed.

use std::sync::Arc;

use serde::Deserialize;

use super::effects::{EffectCounts, EffectStats};
use crate::{
    capability::redact::Redactor,
    execution::{Capture, EventInfo, Execution, HttpRequest, Outcome},
    function::Manifest,
    stats::Run,
    store::journal::Journal,
};

/// The client closed the request. HTTP has no status for that; servers write this one into their logs.
pub(super) const CLIENT_WENT_AWAY: u16 = 499;

/// Which executions are handed to the journal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordPolicy {
    /// Every one.
    #[default]
    All,
    /// Those that failed.
    Failed,
    /// None.
    None,
}

impl RecordPolicy {
    fn takes(self, execution: &Execution) -> bool {
        match self {
            Self::All => true,
            Self::Failed => execution.outcome != Outcome::Ok || execution.status >= 500,
            Self::None => false,
        }
    }
}

/// Which requests are kept with their executions, to be run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapturePolicy {
    /// Those of every function that does not say otherwise.
    pub all: bool,
    /// Bytes of the largest body that is kept.
    pub max_body_bytes: usize,
    /// Bytes of results from outside that are kept with a request.
    pub max_results_bytes: usize,
}

impl Default for CapturePolicy {
    fn default() -> Self {
        Self { all: false, max_body_bytes: 64 * 1024, max_results_bytes: 1024 * 1024 }
    }
}

impl CapturePolicy {
    /// Returns what is kept of a request to a function. What an earlier run kept of it is kept again.
    pub(super) fn capture(
        self,
        manifest: &Manifest,
        request: &HttpRequest,
        event: Option<&EventInfo>,
        kept: Option<Box<Capture>>,
    ) -> Option<Box<Capture>> {
        let is_captured = manifest.capture.unwrap_or(self.all);
        let of_request = || Box::new(Capture::of(request, event, self.max_body_bytes));
        is_captured.then(|| Box::new(kept.unwrap_or_else(of_request).with_results(self.max_results_bytes)))
    }
}

/// Brings executions to the journal. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    journal: Journal,
    policy: RecordPolicy,
    redactor: Redactor,
    effects: Arc<EffectCounts>,
}

impl Recorder {
    /// Hands these executions to this journal.
    pub fn new(journal: Journal, policy: RecordPolicy, redactor: Redactor) -> Self {
        Self { journal, policy, redactor, effects: Arc::default() }
    }

    /// Looks through a run that has just ended: takes the values of secrets out of all that its script said, and counts what it did outside.
    pub(super) fn look_through(&self, execution: &mut Execution) {
        self.redact(execution);
        self.effects.add(execution);
    }

    /// Returns what runs did outside of themselves.
    pub(super) fn effects(&self) -> EffectStats {
        self.effects.read()
    }

    fn redact(&self, execution: &mut Execution) {
        let Execution { logs, failure, effects, events, .. } = execution;
        logs.iter_mut().for_each(|line| self.redactor.redact_in(&mut line.message));
        effects.iter_mut().for_each(|effect| self.redactor.redact_in(&mut effect.target));
        for event in events {
            self.redactor.redact_in(&mut event.topic);
            event.key.iter_mut().for_each(|key| self.redactor.redact_in(key));
        }
        if let Some(failure) = failure {
            self.redactor.redact_in(&mut failure.message);
            failure.calls.iter_mut().for_each(|call| self.redactor.redact_in(&mut call.function));
        }
    }

    /// Returns whether the journal gets this execution.
    pub(super) fn takes(&self, execution: &Execution) -> bool {
        self.policy.takes(execution)
    }

    /// Hands on an execution, or what is counted of it if it is not to be recorded.
    pub(super) fn record(&self, execution: Box<Execution>) {
        log(&execution);
        if self.takes(&execution) {
            self.journal.record(*execution);
        } else {
            self.journal.count(Run::of(&execution));
        }
    }

    /// Hands on an execution whose client left while it ran: nobody else has seen it.
    pub fn record_abandoned(&self, mut execution: Box<Execution>) {
        self.look_through(&mut execution);
        self.record_left(execution);
    }

    /// Hands on an execution whose client left before it had an answer.
    pub(super) fn record_left(&self, mut execution: Box<Execution>) {
        execution.status = CLIENT_WENT_AWAY;
        self.record(execution);
    }
}

/// Writes one line for a run that failed. Those that went well, and requests that were rejected, are in the store.
fn log(execution: &Execution) {
    let Some(failure) = execution.failure.as_ref().filter(|_| execution.outcome != Outcome::Rejected) else {
        tracing::debug!(execution.id = %execution.id, function.name = %execution.function, status = execution.status, duration_us = execution.duration_us, "{}", execution.outcome.as_str());
        return;
    };
    let place = failure.position.map_or(String::new(), |at| format!(":{}:{}", at.line, at.column));
    tracing::warn!(
        execution.id = %execution.id,
        function.name = %execution.function,
        function.version = %execution.version,
        status = execution.status,
        outcome = execution.outcome.as_str(),
        "{} {}: {} at {}{place}",
        execution.method,
        execution.path,
        failure.message,
        failure.file,
    );
}
