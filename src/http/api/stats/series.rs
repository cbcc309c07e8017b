//! What executions of the node or of a function came to, step by step.

use axum::Json;
use http::Uri;
use serde::Deserialize;
use utoipa::IntoParams;

use super::times::{bad, steps};
use crate::{
    api::stats::TimeSeries,
    function::Version,
    http::{
        api::asked::asked,
        caller::{Caller, Grant, Read},
        problem::{Problem, away},
    },
    store::{StatsScope, function_name},
};

/// The most steps of an answer.
const MOST: usize = 200;

/// What is told of.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct SeriesQuery {
    /// From then on: a span (`1h`) or a time; at most 30 days. None: `24h`.
    since: Option<String>,
    /// Until then. None: now.
    until: Option<String>,
    /// The shortest step: `10m`, `1h`. An answer has 200 steps at most, and none is finer than what is kept of its time.
    step: Option<String>,
    /// Of this function: its name, or its file. None: of the whole node.
    function: Option<String>,
    /// Of functions whose name begins so.
    prefix: Option<String>,
    /// Of this version.
    #[param(value_type = Option<String>)]
    version: Option<Version>,
}

/// Tells what executions came to, step by step.
#[utoipa::path(
    get, path = "/api/admin/stats", operation_id = "get_stats", tag = "stats", params(SeriesQuery),
    responses((status = 200, description = "A value for each step, and all of them together.", body = TimeSeries))
)]
pub(super) async fn series(caller: Caller<Read>, uri: Uri) -> Result<Json<TimeSeries>, Problem> {
    let SeriesQuery { since, until, step, function, prefix, version } = asked(&uri)?;
    let steps = steps((since.as_deref(), until.as_deref(), step.as_deref()), caller.now_us(), MOST)?;
    let (Grant { app, .. }, scope) = match (function, prefix) {
        (Some(_), Some(_)) => return Err(bad("prefix", "there is `function` too", "leave one of them out")),
        (Some(function), None) => {
            let function = function_name(&function);
            (caller.for_function(&function)?, StatsScope::Function(function))
        }
        (None, Some(prefix)) => (caller.for_all_below(&prefix)?, StatsScope::Below(prefix)),
        (None, None) => (caller.for_all_below("")?, StatsScope::Node),
    };
    let mut counts = steps.empty();
    let read = app.history()?;
    let read = read.read_stats(&scope, version, (steps.begin, steps.end()), |_, minute, more| {
        if let Some(step) = steps.step_of(minute) {
            counts[step].merge(more);
        }
    });
    read.await.map_err(away)?;
    Ok(Json(TimeSeries::of(&steps, &counts)))
}
