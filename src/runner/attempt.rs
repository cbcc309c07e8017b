//! One request's way to a run: it is let in or rejected, it runs, it is recorded, and its caller gets an answer, or leaves before that.

use std::{net::IpAddr, pin::pin, time::Instant};

use http::{HeaderValue, Method, StatusCode, Uri};

use tokio::time::timeout;

use super::{
    Permission, Rejection, RequestTrace, Runner, StopReason, StoppedRun, Target, publish, record::CLIENT_WENT_AWAY, stop::STOP_PATIENCE,
};
use crate::{
    cancel::CancelFlag,
    clock::monotonic,
    execution::{
        Capture, EventInfo, Execution, ExecutionId, Failure, Finished, HttpRequest, Invocation, NewEvent, Outcome, Reply, Trigger, Verdict,
        request_id,
    },
    executor::ExecuteError,
    live::meter::Meter,
    queue::PublishOutcome,
};

/// Who sent a request to a function's URL.
#[derive(Debug)]
pub struct Sender {
    /// The peer, or who a trusted proxy says it is.
    pub address: IpAddr,
    /// The caller's own id for the request.
    pub request_id: Option<HeaderValue>,
}

/// A request that is to run a function. Dropped before [`answered`](Self::answered), it was left by its client: counted, traced, and, if its
/// script has run, recorded as that.
pub struct Attempt<'a> {
    /// Names the execution, whether the script runs or not.
    pub id: ExecutionId,
    runner: &'a Runner,
    target: Target<'a>,
    trigger: Trigger,
    sender: Option<Sender>,
    /// What started it, beside a request.
    event: Option<EventInfo>,
    /// The execution whose request this repeats, and what was kept of that request.
    replay: Option<(ExecutionId, Box<Capture>, ReplayMode)>,
    /// Stops the run, and leaves what came of it.
    stop: Option<CancelFlag>,
    /// Counts it when it is dropped.
    meter: Option<&'a Meter>,
    began: Instant,
    trace: Option<Box<RequestTrace>>,
    /// How it ended; none as long as there is no execution.
    outcome: Option<Outcome>,
    /// What the caller got.
    status: u16,
    /// What happened, until it is recorded.
    execution: Option<Box<Execution>>,
    /// Whoever settles it keeps what it emits. Then what it emitted, and what it said of its event.
    settled_elsewhere: bool,
    said: Said,
    /// Its script wants to be run again later.
    asks_again: bool,
}

/// What a run that nobody waits for leaves to whoever settles it.
#[derive(Debug, Default)]
pub struct Said {
    /// What it emitted.
    pub emitted: Vec<NewEvent>,
    /// What becomes of its event, if the script said that.
    pub verdict: Option<Verdict>,
}

/// What becomes of the effects of a run that is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayMode {
    /// Its results are given back; nothing outside is asked.
    Recorded,
    /// They happen again.
    Live,
}

/// Why a script that ran has no reply.
#[derive(Debug)]
pub struct NoReply {
    /// How the run ended.
    pub outcome: Outcome,
    /// What went wrong.
    pub failure: Option<Box<Failure>>,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(runner: &'a Runner, target: Target<'a>, trigger: Trigger) -> Self {
        Self {
            id: ExecutionId(runner.ids.next()),
            runner,
            target,
            trigger,
            sender: None,
            event: None,
            replay: None,
            stop: None,
            meter: None,
            began: monotonic(),
            trace: None,
            outcome: None,
            status: CLIENT_WENT_AWAY,
            execution: None,
            settled_elsewhere: false,
            said: Said::default(),
            asks_again: false,
        }
    }

    /// It is a request to the function's URL: it is counted, and traced if anybody wants that.
    pub(super) fn by(mut self, sender: Sender, mut trace: Option<Box<RequestTrace>>) -> Self {
        if let Some(trace) = &mut trace {
            trace.routed(&self.target, self.trigger);
            trace.is_execution(self.id);
        }
        self.meter = Some(self.target.table.meter(self.target.function));
        (self.sender, self.trace) = (Some(sender), trace);
        self
    }

    /// An event or a schedule started it: its execution is counted.
    pub(super) fn started_by(mut self, event: EventInfo) -> Self {
        self.meter = Some(self.target.table.meter(self.target.function));
        (self.event, self.settled_elsewhere) = (Some(event), true);
        self
    }

    /// Whoever settles it keeps what it emitted.
    pub fn sends(&mut self) {
        let events = self.execution.iter_mut().flat_map(|execution| &mut execution.events);
        events.for_each(|event| event.sent = true);
    }

    /// Takes what the run leaves to whoever settles it.
    pub fn take_said(&mut self) -> Said {
        std::mem::take(&mut self.said)
    }

    /// It repeats the request of this execution.
    pub(super) fn replays(mut self, execution: ExecutionId, capture: Capture, mode: ReplayMode) -> Self {
        self.event = capture.event();
        self.replay = Some((execution, Box::new(capture), mode));
        self
    }

    /// Returns the caller's id for the request, if it sent one.
    pub fn request_id(&self) -> Option<&HeaderValue> {
        self.sender.as_ref()?.request_id.as_ref()
    }

    /// Runs the function. Returns what the caller is to get, or why the run did not take place.
    pub fn run(
        &mut self,
        permission: Permission<'_>,
        request: HttpRequest,
    ) -> impl Future<Output = Result<Result<Reply, NoReply>, ExecuteError>> {
        let version = permission.function.version;
        let invocation = self.invocation(permission, request);
        let is_given_back = invocation.repeats.is_some();
        let stop = self.stop.take();
        // Whoever leaves from here on leaves a run, which is stopped.
        self.outcome = Some(Outcome::Cancelled);
        async move {
            let mut executed = self.runner.executor.execute(version, invocation, stop).await;
            if let Ok(finished) = &mut executed {
                self.runner.recorder.look_through(&mut finished.execution);
                if self.settled_elsewhere || !finished.emitted.is_empty() {
                    // Apart: a future that holds this one is as large as what it may wait for.
                    Box::pin(self.keeps_events(finished, is_given_back)).await;
                }
            }
            self.outcome = executed.as_ref().ok().map(|finished| finished.execution.outcome);
            if let Some(trace) = &mut self.trace {
                trace.ran(&executed);
            }
            let Finished { reply, execution, .. } = executed?;
            let execution = self.execution.insert(execution);
            Ok(reply.ok_or_else(|| NoReply { outcome: execution.outcome, failure: execution.failure.clone() }))
        }
    }

    /// Runs the function until there is a reason to stop it. What came of a run that was stopped is recorded.
    pub async fn run_until(
        &mut self,
        permission: Permission<'_>,
        request: HttpRequest,
        stopped: impl Future<Output = StopReason>,
    ) -> Result<Result<Result<Reply, NoReply>, ExecuteError>, StoppedRun> {
        let stop = CancelFlag::default();
        self.stop = Some(stop.clone());
        let (ran, reason) = {
            let mut run = pin!(self.run(permission, request));
            tokio::select! {
                biased;
                ran = &mut run => return Ok(ran),
                reason = stopped => {
                    stop.set();
                    (timeout(STOP_PATIENCE, run).await.ok(), reason)
                }
            }
        };
        match ran {
            // It ended by itself meanwhile, or never began.
            Some(ran) if self.outcome != Some(Outcome::Cancelled) => Ok(ran),
            _ => {
                let failure = self.execution.as_mut().and_then(|execution| execution.failure.as_mut());
                failure.into_iter().for_each(|failure| failure.message = reason.to_string());
                Err(StoppedRun { reason, execution: self.end_with_record(CLIENT_WENT_AWAY) })
            }
        }
    }

    /// Keeps what the run emitted, unless its results were given back: then nothing of it happens again.
    async fn keeps_events(&mut self, finished: &mut Finished, is_given_back: bool) {
        let emitted = std::mem::take(&mut finished.emitted);
        if self.settled_elsewhere {
            self.said = Said { emitted, verdict: finished.verdict.take() };
            self.asks_again = matches!(self.said.verdict, Some(Verdict::Retry(_)));
        } else if !is_given_back {
            match self.runner.publisher.publish(emitted, self.runner.ids.now_us()).await {
                Ok(outcomes) => {
                    let events = finished.execution.events.iter_mut().zip(outcomes);
                    events.for_each(|(event, outcome)| event.sent = outcome == PublishOutcome::Kept);
                }
                Err(why) => publish::fail(finished, &why),
            }
        }
    }

    fn invocation(&mut self, permission: Permission<'_>, mut request: HttpRequest) -> Box<Invocation> {
        let (mut replay_of, mut repeats, mut kept, mut results) = (None, None, None, None);
        if let Some((execution, mut capture, mode)) = self.replay.take() {
            let of_then = capture.take_results();
            repeats = (mode == ReplayMode::Recorded).then_some(execution);
            results = Some(if repeats.is_some() { of_then } else { of_then.of_request() });
            (replay_of, kept) = (Some(execution), Some(capture));
        }
        let capture = self.runner.capture.capture(&permission.function.manifest, &request, self.event.as_ref(), kept);
        if let Some(trace) = &mut self.trace {
            trace.runs(&mut request.headers);
        }
        let mut invocation = Box::new(Invocation::new(self.id, self.target.table.deployment, self.trigger, request));
        (invocation.replay_of, invocation.repeats) = (replay_of, repeats);
        if replay_of.is_some() {
            invocation.request_id = request_id(&invocation.request.headers);
        }
        invocation.event = self.event.take();
        // Whoever has a request run again has not sent it.
        invocation.principal = permission.principal.filter(|_| replay_of.is_none());
        if let Some(sender) = &self.sender {
            invocation.request_id = sender.request_id.clone();
            invocation.remote_addr = Some(sender.address);
        }
        invocation.capture = capture;
        invocation.replay = results;
        invocation
    }

    /// Records what ran, and counts this status. To be called before the answer is made: whatever may go wrong there, the run is on record.
    pub fn answered(&mut self, status: StatusCode) {
        if let Some(execution) = self.end(status.as_u16()) {
            self.runner.recorder.record(execution);
        }
    }

    /// The same for somebody who is shown the execution.
    pub fn answered_with_record(&mut self, status: StatusCode) -> Option<Box<Execution>> {
        self.end_with_record(status.as_u16())
    }

    fn end_with_record(&mut self, status: u16) -> Option<Box<Execution>> {
        let execution = self.end(status)?;
        self.runner.recorder.record(execution.clone());
        Some(execution)
    }

    /// The script does not run. Records that, as an execution that was rejected.
    pub fn rejected(&mut self, method: &Method, uri: &Uri, rejection: Rejection) {
        self.runner.rejections.add(rejection.reason);
        self.outcome = Some(Outcome::Rejected);
        let function = &self.target.function.function;
        let file = function.name.file().into();
        self.execution = Some(Box::new(Execution {
            id: self.id,
            function: function.name.clone(),
            version: function.version,
            deployment: self.target.table.deployment,
            trigger: self.trigger,
            replay_of: None,
            request_id: self.request_id().map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned()),
            method: method.as_str().into(),
            path: uri.path().into(),
            status: 0,
            response_type: None,
            response_bytes: None,
            outcome: Outcome::Rejected,
            duration_us: 0,
            operations: 0,
            peak_memory_bytes: 0,
            logs: Vec::new(),
            logs_dropped: 0,
            effects: Vec::new(),
            effects_dropped: 0,
            events: Vec::new(),
            failure: Some(Box::new(Failure { message: rejection.message, file, position: None, calls: Vec::new() })),
            captured: false,
            capture: None,
        }));
        self.answered(rejection.status);
    }

    /// Takes the execution, whose caller gets this status.
    fn end(&mut self, status: u16) -> Option<Box<Execution>> {
        self.status = status;
        let mut execution = self.execution.take()?;
        execution.status = self.status;
        if let Some(trace) = &mut self.trace {
            trace.status = self.status;
            if self.runner.recorder.takes(&execution) {
                trace.is_to_be_recorded(execution.id);
            }
        }
        Some(execution)
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some(execution) = self.execution.take() {
            self.runner.recorder.record_left(execution);
        }
        let Some(meter) = self.meter else { return };
        match (&self.sender, self.outcome) {
            (Some(_), outcome) => meter.count(self.status, self.began.elapsed(), outcome),
            (None, Some(outcome)) => meter.count_execution(outcome),
            (None, None) => {}
        }
        if self.asks_again {
            meter.count_asked_again();
        }
    }
}
