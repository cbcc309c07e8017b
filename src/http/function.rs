//! The data plane: a request to a function's URL.

use std::{error::Error, net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Either, Full, Limited};

use super::{
    Answer, App, Problem, REQUEST_ID, Recording,
    auth::admission,
    metrics::{CLIENT_WENT_AWAY, Measure},
    places::Received,
    problem::allow_header,
    request_id,
    trace::Traced,
};
use crate::{
    execution::{Capture, Execution, ExecutionId, Finished, Invocation, Outcome, Params, Reply, Trigger},
    live::{Entry, LiveFunction, Match, Table},
    store::Journal,
};

const EXECUTION: HeaderName = HeaderName::from_static("x-picloud-execution");
const VERSION: HeaderName = HeaderName::from_static("x-picloud-version");
const DEPLOYMENT: HeaderName = HeaderName::from_static("x-picloud-deployment");

/// What a request has met.
pub struct Met<'a> {
    /// Where.
    pub table: &'a Table,
    /// Which function.
    pub function: &'a Arc<LiveFunction>,
    /// What the path says.
    pub params: Params,
    /// How it came to be met.
    pub trigger: Trigger,
}

/// Answers a request to a path that is not reserved.
pub async fn answer(app: &App, request: Request<Received>, peer: SocketAddr) -> Answer {
    // Kept to the end: the request finishes on what it began with.
    let table = app.live.table();
    if !table.is_loaded() {
        return Problem::NotReady.answer(None, app.settings.dev);
    }
    answer_from(app, &table, request, peer).await
}

/// Answers a request with what is in this table.
pub async fn answer_from(app: &App, table: &Table, request: Request<Received>, peer: SocketAddr) -> Answer {
    let mut trace = Traced::begin(app, &request);
    let answer = match table.find(request.method().as_str(), request.uri().path()) {
        Match::Found { value: Entry::Ready(function), params, .. } => {
            return run(app, Met { table, function, params, trigger: Trigger::Http }, request, peer, trace).await;
        }
        Match::Found { value: Entry::Broken(broken), .. } => Problem::Broken(broken.diagnostics.to_vec()).answer(None, app.settings.dev),
        Match::Options { allow } => {
            let mut response = Response::new(Either::Left(Full::default()));
            *response.status_mut() = StatusCode::NO_CONTENT;
            response.headers_mut().insert(header::ALLOW, allow_header(&allow));
            response
        }
        Match::MethodNotAllowed { allow } => Problem::MethodNotAllowed(allow).answer(None, app.settings.dev),
        Match::BadPath(why) => Problem::BadPath(why.to_string()).answer(None, app.settings.dev),
        Match::NotFound => Problem::NotFound.answer(None, app.settings.dev),
    };
    table.unmatched().count(answer.status().as_u16(), Duration::ZERO, None);
    if let Some(trace) = &mut trace {
        trace.routed(None);
        trace.status = answer.status().as_u16();
    }
    answer
}

/// Runs a function for a request, and records it.
pub async fn run(app: &App, met: Met<'_>, mut request: Request<Received>, peer: SocketAddr, mut trace: Option<Box<Traced>>) -> Answer {
    if let Some(trace) = &mut trace {
        trace.routed(Some(&met));
    }
    let Met { table, function, params, trigger } = met;
    let mut measure = Measure::begin(table.meter(function));
    let leave = match admission::admit(app, &function.function, &mut request, peer).await {
        Ok(leave) => leave,
        Err(denied) => {
            let answer = Problem::NotAdmitted(denied).answer(None, app.settings.dev);
            measure.status = answer.status().as_u16();
            if let Some(trace) = &mut trace {
                trace.status = measure.status;
            }
            return answer;
        }
    };
    let execution_id = ExecutionId(app.ids.next());
    let id = crate::clock::id_text(execution_id.0);
    let id_text = std::str::from_utf8(&id).unwrap_or_default();
    let id_header = HeaderValue::from_str(id_text).expect("ids are ASCII");
    let (Parts { method, uri, mut headers, .. }, body) = request.into_parts();
    let request_id = request_id(&headers);
    let request_id_header = request_id.clone().unwrap_or_else(|| id_header.clone());
    let mut response = match read_body(&headers, body, function.function.manifest.limits.body.bytes(), app.settings.body_timeout).await {
        Err(problem) => problem.answer(Some(id_text), app.settings.dev),
        Ok(body) => {
            let is_captured = function.function.manifest.capture.unwrap_or(app.capturing.all);
            let max_body_bytes = app.capturing.max_body_bytes;
            let capture = is_captured.then(|| Box::new(Capture::of(&method, &uri, &params, &headers, &body, max_body_bytes)));
            if let Some(trace) = &mut trace {
                trace.runs(id_text, &mut headers);
            }
            let invocation = Invocation {
                execution_id,
                deployment: table.deployment,
                trigger,
                replay_of: None,
                request_id,
                method,
                uri,
                params,
                principal: leave.principal(),
                headers,
                body,
                remote_addr: Some(peer.ip()),
                capture,
            };
            // What is left from here on by its client is a run that is stopped.
            measure.outcome = Some(Outcome::Cancelled);
            let executed = app.executor.run(leave, invocation).await;
            measure.outcome = executed.as_ref().ok().map(|finished| finished.execution.outcome);
            if let Some(trace) = &mut trace {
                trace.ran(&executed);
            }
            match executed {
                Ok(finished) => finish(app, finished, id_text, trace.as_deref()),
                Err(refused) => {
                    app.counts.refuse(&refused);
                    Problem::Refused(refused).answer(Some(id_text), app.settings.dev)
                }
            }
        }
    };
    measure.status = response.status().as_u16();
    if let Some(trace) = &mut trace {
        trace.status = measure.status;
    }
    let headers = response.headers_mut();
    headers.insert(EXECUTION, id_header);
    headers.insert(VERSION, function.version_header.clone());
    headers.insert(DEPLOYMENT, table.deployment_header.clone());
    headers.insert(REQUEST_ID, request_id_header);
    response
}

/// Reads a body up to a limit of size and of time.
pub async fn read_body<B>(headers: &HeaderMap, body: B, limit: usize, timeout: Duration) -> Result<Bytes, Problem>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(Problem::BodyTooLarge { limit });
    }
    match tokio::time::timeout(timeout, whole(Limited::new(body, limit))).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(Problem::BodyTooLarge { limit }),
        Ok(Err(_)) => Err(Problem::BodyBroken),
        Err(_) => Err(Problem::BodyTimeout),
    }
}

/// Puts the parts of a body together as they come: each of them, however small, keeps the buffer that it was read into.
async fn whole<B: http_body::Body<Data = Bytes> + Unpin>(mut body: B) -> Result<Bytes, B::Error> {
    let (mut first, mut all) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await.transpose()? {
        let Ok(part) = frame.into_data() else { continue };
        if first.is_empty() && all.is_empty() {
            first = part;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&part);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// Turns what happened into the response, and hands the record on.
fn finish(app: &App, Finished { reply, mut execution, .. }: Finished, id: &str, trace: Option<&Traced>) -> Answer {
    let response = respond(app, reply, &execution, id);
    execution.status = response.status().as_u16();
    if let Some(trace) = trace
        && app.recording.takes(&execution)
    {
        trace.is_to_be_recorded(execution.id);
    }
    record(&app.journal, app.recording, execution);
    response
}

/// Makes the response that a caller gets of a run.
pub fn respond(app: &App, reply: Option<Reply>, execution: &Execution, id: &str) -> Answer {
    match reply {
        Some(reply) => {
            let mut response = Response::new(Either::Left(Full::new(reply.body)));
            *response.status_mut() = reply.status;
            let headers = response.headers_mut();
            headers.reserve(reply.headers.len() + 5);
            for (name, value) in reply.headers {
                headers.append(name, value);
            }
            response
        }
        None => Problem::Ended(execution.outcome, execution.failure.clone()).answer(Some(id), app.settings.dev),
    }
}

/// Hands on the record of a run, if it is to be kept.
pub fn record(journal: &Journal, recording: Recording, execution: Execution) {
    log(&execution);
    if recording.takes(&execution) {
        journal.record(execution);
    }
}

/// Hands on the record of a run whose client went away before it ended.
pub fn record_abandoned(journal: &Journal, recording: Recording, execution: Execution) {
    record(journal, recording, Execution { status: CLIENT_WENT_AWAY, ..execution });
}

/// Writes one line for a run that failed. Those that went well are in the store.
fn log(execution: &Execution) {
    let Some(failure) = &execution.failure else {
        tracing::debug!(execution.id = %execution.id, function.name = %execution.function, status = execution.status, duration_us = execution.duration_us, "ran");
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
