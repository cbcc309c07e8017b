//! The data plane: a request to a function's URL.

pub mod admission;
pub mod archive;
mod cors;
pub mod preview;
pub mod target;
pub mod trace;

use std::{net::SocketAddr, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, request::Parts};
use http_body_util::{Either, Full};
use hyper::ext::ReasonPhrase;

use crate::{
    clock::{TEXT_LENGTH, id_text},
    deployment::DeploymentId,
    execution::{Capture, Execution, ExecutionId, Failure, Finished, HttpRequest, Invocation, Outcome, Params, Reply, Trigger},
    function::SharedFunction,
    http::{
        answer::{Answer, no_content},
        app::{App, Recording},
        call::{target::Target, trace::Traced},
        metrics::counts::{CLIENT_WENT_AWAY, Measure},
        problem::Problem,
        wire::{body::read_body, places::Received},
    },
    live::{Entry, Match, Table},
    store::Journal,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const EXECUTION: HeaderName = HeaderName::from_static("x-picloud-execution");
const VERSION: HeaderName = HeaderName::from_static("x-picloud-version");
const DEPLOYMENT: HeaderName = HeaderName::from_static("x-picloud-deployment");

/// Answers a request to a path that is not reserved.
pub async fn answer(app: &App, request: Request<Received>, peer: SocketAddr) -> Answer {
    // Kept to the end: the request finishes on what it began with.
    let table = app.live.table();
    if !table.is_loaded() {
        let mut answer = Problem::NotReady.answer(None, app.settings.dev);
        app.shared(None, request.headers()).mark(answer.headers_mut());
        return answer;
    }
    answer_from(app, &table, request, peer).await
}

/// Answers a request with what is in this table.
pub async fn answer_from(app: &App, table: &Table, request: Request<Received>, peer: SocketAddr) -> Answer {
    let trace = Traced::begin(app, &request);
    let path = request.uri().path();
    let (mut answer, function) = match (app.preflight(table, &request), table.find(request.method().as_str(), path)) {
        (Some(answer), _) => return unmatched(table, trace, answer),
        (None, Match::Found { value: Entry::Ready(function), params, .. }) => {
            return run(app, Target { table, function, params, trigger: Trigger::Http }, request, peer, trace).await;
        }
        (None, Match::Found { value: Entry::Broken(broken), .. }) => {
            (Problem::Broken(broken.diagnostics.to_vec()).answer(None, app.settings.dev), None)
        }
        (None, Match::Options { allow }) => (no_content(&allow), cors::neighbour(table, &allow, path)),
        (None, Match::MethodNotAllowed { allow }) => {
            let function = cors::neighbour(table, &allow, path);
            (Problem::MethodNotAllowed(allow).answer(None, app.settings.dev), function)
        }
        (None, Match::BadPath(why)) => (Problem::BadPath(why.to_string()).answer(None, app.settings.dev), None),
        (None, Match::NotFound) => (Problem::NotFound.answer(None, app.settings.dev), None),
    };
    app.shared(function, request.headers()).mark(answer.headers_mut());
    unmatched(table, trace, answer)
}

/// Counts and traces an answer that is no function's.
fn unmatched(table: &Table, trace: Option<Box<Traced>>, answer: Answer) -> Answer {
    table.unmatched().count(answer.status().as_u16(), Duration::ZERO, None);
    if let Some(mut trace) = trace {
        trace.routed(None);
        trace.status = answer.status().as_u16();
    }
    answer
}

/// What every request that met a function has, whether the function runs or not.
struct Call<'a> {
    function: &'a SharedFunction,
    deployment: DeploymentId,
    trigger: Trigger,
    id: ExecutionId,
    id_text: [u8; TEXT_LENGTH],
    /// The caller's id, if it sent one.
    request_id: Option<HeaderValue>,
    peer: SocketAddr,
}

impl<'a> Call<'a> {
    fn new(app: &App, target: &Target<'a>, headers: &HeaderMap, peer: SocketAddr) -> Self {
        let id = ExecutionId(app.ids.next());
        Self {
            function: &target.function.function,
            deployment: target.table.deployment,
            trigger: target.trigger,
            id,
            id_text: id_text(id.0),
            request_id: request_id(headers),
            peer,
        }
    }

    fn id(&self) -> &str {
        std::str::from_utf8(&self.id_text).unwrap_or_default()
    }

    fn id_header(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.id_text).expect("ids are ASCII")
    }

    /// Returns the record of a request whose function did not run.
    fn rejected(&self, head: &Parts, problem: &Problem) -> Box<Execution> {
        let name = &self.function.name;
        Box::new(Execution {
            id: self.id,
            function: name.clone(),
            version: self.function.version,
            deployment: self.deployment,
            trigger: self.trigger,
            replay_of: None,
            request_id: self.request_id.as_ref().map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned()),
            method: head.method.as_str().into(),
            path: head.uri.path().into(),
            status: problem.status().as_u16(),
            outcome: Outcome::Rejected,
            duration_us: 0,
            operations: 0,
            peak_memory_bytes: 0,
            logs: Vec::new(),
            logs_dropped: 0,
            failure: Some(Failure { message: problem.reason(), file: format!("{name}.rhai").into(), position: None, calls: Vec::new() }),
            capture: None,
        })
    }
}

/// Answers a request that met a function. It is recorded as an execution even if the function does not run.
pub async fn run(app: &App, target: Target<'_>, request: Request<Received>, peer: SocketAddr, mut trace: Option<Box<Traced>>) -> Answer {
    let (table, function) = (target.table, target.function);
    let (mut head, body) = request.into_parts();
    let call = Call::new(app, &target, &head.headers, peer);
    if let Some(trace) = &mut trace {
        trace.routed(Some(&target));
        trace.is_execution(call.id());
    }
    let shared = app.shared(Some(function), &head.headers);
    let mut measure = Measure::begin(table.meter(function));
    let executed = execute(app, &call, target.params, &mut head, body, &mut measure, &mut trace).await;
    let (ended, execution) = match executed {
        Ok(Finished { reply, mut execution, .. }) => (ended(reply, &mut execution), execution),
        Err(problem) => {
            app.counts.reject(&problem);
            measure.outcome = Some(Outcome::Rejected);
            let execution = call.rejected(&head, &problem);
            (Err(problem), execution)
        }
    };
    measure.status = execution.status;
    if let Some(trace) = &mut trace {
        trace.status = execution.status;
        if app.recording.takes(&execution) {
            trace.is_to_be_recorded(execution.id);
        }
    }
    // Before the answer is made: whatever may go wrong there, this is on record.
    record(&app.journal, app.recording, execution);
    let mut response = respond(app, ended, call.id());
    let headers = response.headers_mut();
    headers.insert(EXECUTION, call.id_header());
    headers.insert(VERSION, function.version_header.clone());
    headers.insert(DEPLOYMENT, table.deployment_header.clone());
    headers.insert(REQUEST_ID, call.request_id.clone().unwrap_or_else(|| call.id_header()));
    shared.mark(headers);
    response
}

/// Lets a request in, reads its body and runs the function; the problem is why it did not run.
async fn execute(
    app: &App,
    call: &Call<'_>,
    params: Params,
    head: &mut Parts,
    body: Received,
    measure: &mut Measure<'_>,
    trace: &mut Option<Box<Traced>>,
) -> Result<Finished, Problem> {
    let manifest = &call.function.manifest;
    let leave = admission::admit(app, call.function, head, call.peer).await.map_err(Problem::NotAdmitted)?;
    let body = read_body(&head.headers, body, manifest.limits.body.bytes(), app.settings.body_timeout).await?;
    let mut request =
        HttpRequest { method: head.method.clone(), uri: head.uri.clone(), params, headers: std::mem::take(&mut head.headers), body };
    let is_captured = manifest.capture.unwrap_or(app.capturing.all);
    let capture = is_captured.then(|| Box::new(Capture::of(&request, app.capturing.max_body_bytes)));
    if let Some(trace) = trace {
        trace.runs(&mut request.headers);
    }
    let mut invocation = Box::new(Invocation::new(call.id, call.deployment, call.trigger, request));
    invocation.request_id = call.request_id.clone();
    invocation.principal = leave.principal();
    invocation.remote_addr = Some(call.peer.ip());
    invocation.capture = capture;
    // What is left from here on by its client is a run that is stopped.
    measure.outcome = Some(Outcome::Cancelled);
    let executed = app.executor.run(leave, invocation).await;
    measure.outcome = executed.as_ref().ok().map(|finished| finished.execution.outcome);
    if let Some(trace) = trace {
        trace.ran(&executed);
    }
    executed.map_err(Problem::Refused)
}

/// Returns what the caller of a run gets: what the function answers, or why it does not. Its status is put into the record.
pub fn ended(reply: Option<Reply>, execution: &mut Execution) -> Result<Reply, Problem> {
    let ended = reply.ok_or_else(|| Problem::Ended(execution.outcome, execution.failure.clone()));
    let status = ended.as_ref().map_or_else(Problem::status, |reply| reply.status);
    execution.status = status.as_u16();
    ended
}

/// Makes the response that a caller gets.
pub fn respond(app: &App, ended: Result<Reply, Problem>, id: &str) -> Answer {
    let reply = match ended {
        Ok(reply) => reply,
        Err(problem) => return problem.answer(Some(id), app.settings.dev),
    };
    let mut response = Response::new(Either::Left(Full::new(reply.body)));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    if reply.status.canonical_reason().is_none() {
        response.extensions_mut().insert(ReasonPhrase::from_static(b""));
    }
    response
}

/// Hands on the record of a run, if it is to be kept.
pub fn record(journal: &Journal, recording: Recording, execution: Box<Execution>) {
    log(&execution);
    if recording.takes(&execution) {
        journal.record(*execution);
    }
}

/// Hands on the record of a run whose client went away before it ended.
pub fn record_abandoned(journal: &Journal, recording: Recording, mut execution: Box<Execution>) {
    execution.status = CLIENT_WENT_AWAY;
    record(journal, recording, execution);
}

/// Writes one line for a run that failed. Those that went well, and requests that were refused, are in the store.
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

/// Returns the caller's id for the request if it sent a sane one: up to 128 visible ASCII characters.
fn request_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(&REQUEST_ID)?;
    let sane = (1..=128).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic);
    sane.then(|| id.clone())
}
