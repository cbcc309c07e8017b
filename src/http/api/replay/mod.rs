//! Runs requests of executions again, on what is live now or on any version that was.

mod many;

use std::sync::Arc;

use axum::{Json, body::Body};
use http::Request;
use utoipa_axum::routes;

use crate::{
    api::{executions::RunAnswer, replay::ReplayOrder},
    execution::{Capture, CaptureError, Execution, ExecutionId, Outcome},
    function::{FunctionName, ScriptId},
    http::{
        api::{asked::PathParams, openapi::Routes, scripts::version_of},
        app::App,
        caller::{Caller, Deploy, Grant},
        problem::{Problem, away, how_to_keep},
    },
    live::{LiveFunction, Table},
    runner::{ReplayMode, Target},
};

/// Longest order.
const MAX_ORDER_BYTES: usize = 4 * 1024;

/// The routes of replays.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(replay)).routes(routes!(many::replay_many))
}

/// Runs the request of an execution again; answers with the new execution, and with what its caller would have got.
#[utoipa::path(
    post, path = "/api/admin/executions/{id}/replay", tag = "executions", request_body = Option<ReplayOrder>,
    params(("id" = String, Path, description = "As in `x-picloud-execution`.")),
    responses((status = 200, description = "The new execution, and its response.", body = RunAnswer))
)]
async fn replay(caller: Caller<Deploy>, PathParams(id): PathParams<String>, request: Request<Body>) -> Result<Json<RunAnswer>, Problem> {
    let order = caller.optional_order(request, MAX_ORDER_BYTES).await?;
    let ReplayOrder { version, live } = order.unwrap_or_default();
    let mode = if live { ReplayMode::Live } else { ReplayMode::Recorded };
    let (grant, execution) = caller.for_found(|app| async move { app.execution(&id).await }).await?;
    again(&grant, &Original::from(&execution), version.as_deref(), mode).await.map(Json)
}

/// An execution whose request is to run again: what of it is needed for that.
struct Original {
    id: ExecutionId,
    function: FunctionName,
    status: u16,
    outcome: Outcome,
}

impl From<&Execution> for Original {
    fn from(execution: &Execution) -> Self {
        let Execution { id, ref function, status, outcome, .. } = *execution;
        Self { id, function: function.clone(), status, outcome }
    }
}

/// Runs a request again for somebody who may touch its function; whether that one may run it is asked here.
async fn again(grant: &Grant, original: &Original, version: Option<&str>, mode: ReplayMode) -> Result<RunAnswer, Problem> {
    let (app, id) = (&grant.app, original.id);
    let capture = app.captured(original).await?;
    let request = capture.request().map_err(|why| incomplete(id, &why))?;
    let found = app.target(&original.function, version).await;
    let (table, function) = found.map_err(|problem| problem.with_mistakes(|found| grant.shown(found)))?;
    // Versions may ask for other scopes: the one that runs counts.
    let permission = grant.run(&function.function)?;
    let how = if mode == ReplayMode::Live { ", with its effects" } else { "" };
    tracing::info!(execution.id = %id, "`{}` runs the request of execution `{id}` again{how}", grant.name());
    let limit = function.function.manifest.limits.body;
    if request.body.len() > limit.bytes() {
        return Err(Problem::NotReplayable(format!("this version of the function takes bodies of {limit} at most")));
    }
    let attempt = app.runner.replay(Target { table: &table, function: &function }, id, capture, mode);
    app.run_apart(attempt, permission, request).await
}

impl App {
    /// Finds the request of an execution.
    async fn captured(&self, execution: &Original) -> Result<Capture, Problem> {
        let not_kept = || {
            let hint = how_to_keep(&execution.function);
            Problem::NotReplayable(format!(
                "the request of execution `{}` was not kept, so it cannot run again\n  hint: {hint}",
                execution.id
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
                Problem::NotReplayable(format!(
                    "`{name}` is not live any more\n  hint: name a version of it: `picloud versions {name}` lists them"
                ))
            })?;
            return Ok((live, function));
        };
        let unknown = || Problem::UnknownVersion { version: begin.into(), function: name.clone() };
        let versions = self.history()?.versions_of(name).await.map_err(away)?;
        let newest = version_of(name, &versions, begin)?;
        if let Some(function) = live.by_id(id).filter(|function| function.function.version == newest.version).cloned() {
            return Ok((live, function));
        }
        let then = self.earlier.table(&newest.deployment.to_string()).await?;
        let function = then.by_id(id).filter(|function| function.function.version == newest.version).cloned();
        Ok((then, function.ok_or_else(unknown)?))
    }
}

fn incomplete(id: ExecutionId, why: &CaptureError) -> Problem {
    let hint = match why {
        CaptureError::Body(_) => "raise `capture_body` in the section `[journal]`; later requests can",
        CaptureError::Damaged => "send the request anew",
    };
    Problem::NotReplayable(format!("the request of execution `{id}` cannot run again: {why}\n  hint: {hint}"))
}
