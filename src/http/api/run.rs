//! Runs a function for somebody who is no caller of it, and tells what a caller would have got.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body_util::BodyExt;

use crate::{
    api::{
        WithTime,
        executions::{RunAnswer, RunResponse},
    },
    clock::rfc3339,
    execution::HttpRequest,
    http::{answer::Answer, app::App, call, problem::Problem},
    id::id_text,
    runner::{Attempt, Permission},
    trigger::RunReport,
};

impl App {
    /// Runs a function for somebody who is no caller of it. Returns the execution, and what a caller would have got.
    pub(super) async fn run_apart(
        &self,
        mut attempt: Attempt<'_>,
        permission: Permission<'_>,
        request: HttpRequest,
    ) -> Result<RunAnswer, Problem> {
        let (id, method) = (id_text(attempt.id.0), request.method.clone());
        let ended = attempt.run(permission, request).await.map_err(Problem::Refused)?.map_err(Problem::from);
        let execution = attempt.answered_with_record(call::status_of(&ended));
        let answer = call::respond(self, ended, std::str::from_utf8(&id).unwrap_or_default());
        let execution = execution.map(|execution| WithTime::from(*execution));
        Ok(RunAnswer { execution, response: told(&method, answer).await, tried_again: None })
    }

    /// Tells of a run that nobody called: what a caller would have got, and the execution.
    pub(super) async fn tell_run(&self, report: RunReport) -> Result<RunAnswer, Problem> {
        if let (None, Some(reason)) = (&report.execution, report.stopped) {
            return Err(Problem::RunStopped { execution: report.id, reason });
        }
        let ended = report.end.map_err(Problem::Refused)?.map_err(Problem::from);
        let answer = call::respond(self, ended, &report.id.to_string());
        let execution = report.execution.map(|execution| WithTime::from(*execution));
        Ok(RunAnswer { execution, response: told(&Method::POST, answer).await, tried_again: report.again_us.map(rfc3339) })
    }
}

/// Writes down what a caller would have got who used this method.
pub async fn told(method: &Method, answer: Answer) -> RunResponse {
    let (parts, body) = answer.into_parts();
    let body = match *method == Method::HEAD {
        true => Bytes::new(),
        false => body.collect().await.map(|body| body.to_bytes()).unwrap_or_default(),
    };
    let (body, body_base64) = match std::str::from_utf8(&body) {
        Ok(text) => (Some(text.to_owned()), None),
        Err(_) => (None, Some(BASE64_STANDARD.encode(&body))),
    };
    RunResponse { status: parts.status.as_u16(), headers: pairs(&parts.headers), body, body_base64 }
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect()
}
