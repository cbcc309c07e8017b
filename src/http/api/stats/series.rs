//! What executions of the node or of a function came to, step by step.

use axum::Json;
use http::Uri;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    classes::class,
    times::{AskedTime, bad},
};
use crate::{
    api::stats::TimeSeries,
    execution::Trigger,
    function::Version,
    http::{
        api::{asked::asked, scripts::version_of},
        app::App,
        caller::{Caller, Grant, Read},
        problem::{Problem, away},
    },
    store::{StatsQuery, StatsScope, function_name},
};

/// The most steps of an answer.
const MOST: usize = 200;

/// What is told of.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct SeriesQuery {
    /// From then on: a span (`1h`) or a time; at most 30 days. None: `24h`, or all of the time that `deployment` was live.
    since: Option<String>,
    /// Until then. None: now.
    until: Option<String>,
    /// The shortest step: `10m`, `1h`. An answer has 200 steps at most, and none is finer than what is kept of its time.
    step: Option<String>,
    /// Of this function: its name, or its file. None: of the whole node.
    function: Option<String>,
    /// Of functions whose name begins so.
    prefix: Option<String>,
    /// Of this version. With `function` its first characters are enough.
    version: Option<String>,
    /// While this deployment was live, in whole steps: its id, its revision, the first characters of that, or `live`.
    deployment: Option<String>,
    /// Answered with a status of this class: `2xx`, `3xx`, `4xx` or `5xx`. Nothing but their number is told then.
    status: Option<String>,
    /// Asked for by `http`, `execute`, `invoke`, `cli`, `replay`, `schedule`, `event` or `manual`.
    trigger: Option<Trigger>,
}

/// Tells what executions came to, step by step.
#[utoipa::path(
    get, path = "/api/admin/stats", operation_id = "get_stats", tag = "stats", params(SeriesQuery),
    responses((status = 200, description = "A value for each step, and all of them together.", body = TimeSeries))
)]
pub(super) async fn series(caller: Caller<Read>, uri: Uri) -> Result<Json<TimeSeries>, Problem> {
    let SeriesQuery { since, until, step, function, prefix, version, deployment, status, trigger } = asked(&uri)?;
    let (now_us, class) = (caller.now_us(), status.as_deref().map(class).transpose()?);
    if deployment.is_some() {
        caller.check_node()?;
    }
    let (Grant { app, .. }, scope) = match (function, prefix) {
        (Some(_), Some(_)) => return Err(bad("prefix", "there is `function` too", "leave one of them out")),
        (Some(function), None) => {
            let function = function_name(&function);
            (caller.for_function(&function)?, StatsScope::Function(function))
        }
        (None, Some(prefix)) => (caller.for_all_below(&prefix)?, StatsScope::Below(prefix)),
        (None, None) => (caller.for_all_below("")?, StatsScope::Node),
    };
    let live = app.live_span(deployment.as_deref()).await?;
    let time = AskedTime { since: since.as_deref(), until: until.as_deref(), step: step.as_deref(), live };
    let steps = time.steps(now_us, MOST)?;
    let version = match &version {
        None => None,
        Some(version) => Some(app.version(version, &scope).await?),
    };
    let mut counts = steps.empty();
    let (store, query) = (app.history()?, StatsQuery { scope, version, trigger, minutes: steps.begin..steps.end() });
    let read = store.read_stats(&query, |_, minute, more| {
        if let Some(step) = steps.step_of(minute) {
            counts[step].merge(more);
        }
    });
    read.await.map_err(away)?;
    if let Some(class) = class {
        counts.iter_mut().for_each(|counts| *counts = counts.of_class(class));
    }
    Ok(Json(TimeSeries::of(&steps, &counts)))
}

impl App {
    /// Finds the version that is meant by its id, or by the first characters of that.
    async fn version(&self, version: &str, scope: &StatsScope) -> Result<Version, Problem> {
        match (version.parse(), scope) {
            (Ok(version), _) => Ok(version),
            (Err(_), StatsScope::Function(name)) => {
                let versions = self.history()?.versions_of(name).await.map_err(away)?;
                Ok(version_of(name, &versions, version)?.version)
            }
            (Err(_), _) => Err(bad("version", "it is no id of 32 hexadecimal digits", "with `function` the first characters are enough")),
        }
    }
}
