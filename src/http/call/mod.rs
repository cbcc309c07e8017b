//! The data plane: a request to a function's URL.

pub mod admission;
mod cors;
pub mod earlier;
mod error;
pub mod execute;
pub mod preview;

use std::{net::SocketAddr, time::Duration};

use http::{HeaderName, HeaderValue, Response, StatusCode, request::Parts};
use http_body_util::{Either, Full};
use hyper::ext::ReasonPhrase;

use self::error::CallError;
use crate::{
    execution::{HttpRequest, Params, REQUEST_ID, Reply, Trigger, request_id},
    http::{
        answer::{Answer, no_content},
        app::App,
        cookie,
        problem::Problem,
        wire::{body::read_body, progress::RequestBody},
    },
    id::id_text,
    live::{Destination, Match, Table},
    runner::{Attempt, NoReply, Rejection, RequestTrace, Sender, Target},
};

const EXECUTION: HeaderName = HeaderName::from_static("x-picloud-execution");
const VERSION: HeaderName = HeaderName::from_static("x-picloud-version");
const DEPLOYMENT: HeaderName = HeaderName::from_static("x-picloud-deployment");

/// A request that has met a function.
pub struct Call<'a> {
    /// What it met.
    pub target: Target<'a>,
    /// How it came to meet it.
    pub trigger: Trigger,
    /// What its path says.
    pub params: Params,
    /// Who sent it.
    pub peer: SocketAddr,
    /// Its trace, if it is traced.
    pub trace: Option<Box<RequestTrace>>,
}

/// Answers a request to a path that is not reserved.
pub async fn answer(app: &App, head: &mut Parts, body: RequestBody, peer: SocketAddr) -> Answer {
    // Kept to the end: the request finishes on what it began with.
    let table = app.live.table();
    if !table.is_loaded() {
        let mut answer = Problem::NotReady.answer(None, app.settings.dev);
        app.shared(None, &head.headers).mark(answer.headers_mut());
        return answer;
    }
    answer_from(app, &table, head, body, peer).await
}

/// Answers a request with what is in this table.
pub async fn answer_from(app: &App, table: &Table, head: &mut Parts, body: RequestBody, peer: SocketAddr) -> Answer {
    let trace = app.runner.trace(head);
    let path = head.uri.path();
    let (mut answer, function) = match (app.preflight(table, head), table.find(head.method.as_str(), path)) {
        (Some(answer), _) => return unmatched(table, trace, answer),
        (None, Match::Found { value: Destination::Ready(function), params, .. }) => {
            let target = Target { table, function };
            return run(app, Call { target, trigger: Trigger::Http, params, peer, trace }, head, body).await;
        }
        (None, Match::Found { value: Destination::Broken(broken), .. }) => {
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
    app.shared(function, &head.headers).mark(answer.headers_mut());
    unmatched(table, trace, answer)
}

/// Counts and traces an answer that is no function's.
fn unmatched(table: &Table, trace: Option<Box<RequestTrace>>, answer: Answer) -> Answer {
    table.unmatched().count(answer.status().as_u16(), Duration::ZERO, None);
    if let Some(mut trace) = trace {
        trace.unmatched(answer.status());
    }
    answer
}

/// Answers a request that met a function. It is recorded as an execution even if the function does not run.
pub async fn run(app: &App, call: Call<'_>, head: &mut Parts, body: RequestBody) -> Answer {
    let Call { target, trigger, params, peer, trace } = call;
    cookie::take_out(&mut head.headers);
    let shared = app.shared(Some(target.function), &head.headers);
    let sender = Sender { address: peer.ip(), request_id: request_id(&head.headers) };
    let mut attempt = app.runner.call(target, trigger, sender, trace);
    let ended = match execute(app, &mut attempt, target, params, head, body, peer).await {
        Ok(ended) => {
            let ended = ended.map_err(Problem::from);
            attempt.answered(status_of(&ended));
            ended
        }
        Err(error) => {
            let reason = error.reason();
            let problem = Problem::from(error);
            let rejection = Rejection { reason, status: problem.status(), message: problem.reason() };
            attempt.rejected(&head.method, &head.uri, rejection);
            Err(problem)
        }
    };
    let id = id_text(attempt.id.0);
    let mut response = respond(app, ended, std::str::from_utf8(&id).unwrap_or_default());
    let id_header = || HeaderValue::from_bytes(&id).expect("ids are ASCII");
    let headers = response.headers_mut();
    headers.insert(EXECUTION, id_header());
    headers.insert(VERSION, target.function.version_header.clone());
    headers.insert(DEPLOYMENT, target.table.deployment_header.clone());
    headers.insert(REQUEST_ID, attempt.request_id().cloned().unwrap_or_else(id_header));
    shared.mark(headers);
    response
}

/// Lets a request in, reads its body and runs the function.
async fn execute(
    app: &App,
    attempt: &mut Attempt<'_>,
    target: Target<'_>,
    params: Params,
    head: &mut Parts,
    body: RequestBody,
    peer: SocketAddr,
) -> Result<Result<Reply, NoReply>, CallError> {
    let function = &target.function.function;
    let permission = admission::admit(app, function, head, peer).await.map_err(CallError::Denied)?;
    let limit = function.manifest.limits.body.bytes();
    let body = read_body(&head.headers, body, limit, app.settings.body_timeout).await.map_err(CallError::Body)?;
    let (method, uri, headers) = (head.method.clone(), head.uri.clone(), std::mem::take(&mut head.headers));
    attempt.run(permission, HttpRequest { method, uri, params, headers, body }).await.map_err(CallError::Refused)
}

/// Returns the status that the caller of a run gets.
pub fn status_of(ended: &Result<Reply, Problem>) -> StatusCode {
    ended.as_ref().map_or_else(Problem::status, |reply| reply.status)
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
