//! Runs the request of an execution again, on what is live now or on any version that was.

use std::sync::Arc;

use axum::{Json, body::Body, extract::Path};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    clock::id_text,
    execution::{Capture, Execution, ExecutionId, Finished, HttpRequest, Incomplete, Invocation, Timed, Trigger},
    function::{FunctionName, ScriptId},
    http::{
        answer::Answer,
        app::App,
        auth::caller::{Caller, Deploy},
        call::{self, admission::Leave},
        problem::{Problem, away},
    },
    live::{LiveFunction, Table},
};

/// What to run the request on.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct ReplayOrder {
    /// A version of the function, or its first characters; none: what is live.
    version: Option<String>,
}

/// Longest order.
const MAX_ORDER_BYTES: usize = 4 * 1024;

/// Runs the request of an execution again; answers with the new execution, and with what its caller would have got.
#[utoipa::path(
    post, path = "/api/admin/executions/{id}/replay", tag = "executions", request_body = Option<ReplayOrder>,
    params(("id" = String, Path, description = "As in `x-picloud-execution`.")),
    responses((status = 200, description = "The new execution, and its response.", body = Object))
)]
pub async fn replay(caller: Caller<Deploy>, Path(id): Path<String>, request: Request<Body>) -> Result<Json<Value>, Problem> {
    let order = caller.optional_order(request, MAX_ORDER_BYTES).await?;
    let ReplayOrder { version } = order.unwrap_or_default();
    let (grant, execution) = caller.for_found(|app| async move { app.execution(&id).await }).await?;
    let app = &grant.app;
    let capture = app.captured(&execution).await?;
    let request = capture.request().map_err(|why| incomplete(execution.id, &why))?;
    let (table, function) = app.target(&execution.function, version.as_deref()).await?;
    // Versions may ask for other scopes: the one that runs counts.
    let leave = grant.run(&function.function)?;
    tracing::info!(execution.id = %execution.id, "`{}` runs the request of execution `{}` again", grant.name(), execution.id);
    let method = request.method.clone();
    let (execution, answer) = app.run_again(leave, execution.id, request, capture, &table, &function).await?;
    Ok(Json(json!({ "execution": Timed::from(&*execution), "response": told(&method, answer).await })))
}

impl App {
    /// Finds the request of an execution.
    async fn captured(&self, execution: &Execution) -> Result<Capture, Problem> {
        let not_kept = || {
            Problem::NotReplayable(format!(
                "the request of execution `{}` was not kept, so it cannot run again: put `capture = true` into the front-matter of `{}`, or into the section `[journal]` of picloud.toml for every function; later requests can",
                execution.id, execution.function
            ))
        };
        self.history()?.capture(execution.id).await.map_err(away)?.ok_or_else(not_kept)
    }

    /// Finds the function to run, and the deployment that it belongs to.
    async fn target(&self, name: &FunctionName, version: Option<&str>) -> Result<(Arc<Table>, Arc<LiveFunction>), Problem> {
        let live = self.live.table();
        if !live.is_loaded() {
            return Err(Problem::NotReady);
        }
        let id = ScriptId::of(name);
        let Some(begin) = version else {
            let function = live.by_id(id).cloned().ok_or_else(|| {
                Problem::NotReplayable(format!("`{name}` is not live any more; name a version of it: `picloud versions {name}` lists them"))
            })?;
            return Ok((live, function));
        };
        let unknown = || Problem::UnknownVersion { version: begin.into(), function: name.clone() };
        let mut meant = self.history()?.versions_of(name).await.map_err(away)?;
        meant.retain(|known| !begin.is_empty() && known.version.to_string().starts_with(begin));
        let newest = meant.first().ok_or_else(unknown)?;
        if meant.iter().any(|other| other.version != newest.version) {
            return Err(Problem::BadOrder(format!("`version`: more than one of `{name}` begins with `{begin}`; give more of it")));
        }
        if let Some(function) = live.by_id(id).filter(|function| function.function.version == newest.version).cloned() {
            return Ok((live, function));
        }
        let then = self.archive.table(&newest.deployment.to_string()).await?;
        let function = then.by_id(id).filter(|function| function.function.version == newest.version).cloned();
        Ok((then, function.ok_or_else(unknown)?))
    }

    /// Runs a request again, and records that.
    async fn run_again(
        &self,
        leave: Leave<'_>,
        replay_of: ExecutionId,
        request: HttpRequest,
        capture: Capture,
        table: &Table,
        function: &LiveFunction,
    ) -> Result<(Box<Execution>, Answer), Problem> {
        let manifest = &function.function.manifest;
        if request.body.len() > manifest.limits.body.bytes() {
            return Err(Problem::NotReplayable(format!("this version of the function takes bodies of {} at most", manifest.limits.body)));
        }
        // No principal: it is not this caller who sent the request.
        let mut invocation = Box::new(Invocation::new(ExecutionId(self.ids.next()), table.deployment, Trigger::Replay, request));
        invocation.replay_of = Some(replay_of);
        invocation.capture = manifest.capture.unwrap_or(self.capturing.all).then(|| Box::new(capture));
        self.run_apart(leave, invocation).await
    }

    /// Runs a function for somebody who is no caller of it, and records that.
    pub(super) async fn run_apart(&self, leave: Leave<'_>, invocation: Box<Invocation>) -> Result<(Box<Execution>, Answer), Problem> {
        let execution_id = invocation.execution_id;
        let finished = self.executor.run(leave, invocation).await.map_err(Problem::Refused)?;
        let Finished { reply, mut execution, .. } = finished;
        let text = id_text(execution_id.0);
        let ended = call::ended(reply, &mut execution);
        call::record(&self.journal, self.recording, execution.clone());
        let answer = call::respond(self, ended, std::str::from_utf8(&text).unwrap_or_default());
        Ok((execution, answer))
    }
}

fn incomplete(id: ExecutionId, why: &Incomplete) -> Problem {
    let hint = match why {
        Incomplete::Body(_) => "raise `capture_body` in the section `[journal]`; later requests can",
        Incomplete::Damaged => "send the request anew",
    };
    Problem::NotReplayable(format!("the request of execution `{id}` cannot run again: {why}; {hint}"))
}

/// Writes down what a caller would have got who used this method.
pub async fn told(method: &Method, answer: Answer) -> Value {
    let (parts, body) = answer.into_parts();
    let body = match *method == Method::HEAD {
        true => Bytes::new(),
        false => body.collect().await.map(|body| body.to_bytes()).unwrap_or_default(),
    };
    let mut told = json!({ "status": parts.status.as_u16(), "headers": pairs(&parts.headers) });
    match std::str::from_utf8(&body) {
        Ok(text) => told["body"] = text.into(),
        Err(_) => told["body_base64"] = BASE64_STANDARD.encode(&body).into(),
    }
    told
}

fn pairs(headers: &HeaderMap) -> Vec<(&str, String)> {
    headers.iter().map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect()
}
