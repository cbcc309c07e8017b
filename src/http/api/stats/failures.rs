//! Failures of recorded executions, grouped by where they happened.

use std::{collections::BTreeMap, time::Duration};

use axum::Json;
use http::Uri;
use serde::Deserialize;
use utoipa::IntoParams;

use super::times::AskedTime;
use crate::{
    api::stats::{FailureGroup, FailureList},
    clock::{monotonic, rfc3339},
    execution::{Execution, Outcome},
    function::{FunctionName, Position},
    http::{
        api::asked::asked,
        app::App,
        caller::{Caller, Grant, Read},
        problem::{Problem, away},
    },
    stats::{Steps, minute_of},
    store::{ExecutionFilter, StatusFilter, function_name},
};

/// The most steps of a group.
const MOST: usize = 32;
/// Failures that are looked through for one answer, and the time for it. Whatever is older is left out, and the answer says so.
const LOOK: usize = 10_000;
const BUDGET: Duration = Duration::from_millis(100);
/// Failures that are read at once, and the time for that.
const PART: (u32, Duration) = (1_000, Duration::from_millis(12));
/// Places that are told: those that failed most.
const GROUPS: usize = 100;

/// Which failures are told.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct FailuresQuery {
    /// From then on: a span (`1h`) or a time; at most 30 days. None: `24h`.
    since: Option<String>,
    /// Of this function: its name, or its file.
    function: Option<String>,
    /// Of functions whose name begins so.
    prefix: Option<String>,
}

/// Lists failures by where they happened, the place that failed most first. Requests that were rejected and trials are left out.
#[utoipa::path(
    get, path = "/api/admin/stats/failures", operation_id = "list_failures", tag = "stats", params(FailuresQuery),
    responses((status = 200, description = "At most 100 places, and how far back was looked.", body = FailureList))
)]
pub(super) async fn list(caller: Caller<Read>, uri: Uri) -> Result<Json<FailureList>, Problem> {
    let FailuresQuery { since, function, prefix } = asked(&uri)?;
    let steps = AskedTime { since: since.as_deref(), ..AskedTime::default() }.steps(caller.now_us(), MOST)?;
    let function = function.as_deref().map(function_name);
    let Grant { app, .. } = match &function {
        Some(function) => caller.for_function(function)?,
        None => caller.for_all_below(prefix.as_deref().unwrap_or_default())?,
    };
    let filter = ExecutionFilter {
        function,
        prefix,
        status: Some(StatusFilter::Class(5)),
        since_us: Some(steps.begin * 60_000_000),
        limit: PART.0,
        ..ExecutionFilter::default()
    };
    let mut groups = Groups { steps, by_place: BTreeMap::new() };
    let looked_back_to = app.look_through(filter, |execution| groups.add(execution)).await?;
    Ok(Json(FailureList {
        since: rfc3339(steps.begin * 60_000_000),
        step_seconds: steps.length.unsigned_abs() * 60,
        failures: groups.told(),
        looked_back_to,
    }))
}

impl App {
    /// Gives executions to `each`, the newest first. Returns how far back it came, if that is not all.
    async fn look_through(&self, mut filter: ExecutionFilter, mut each: impl FnMut(Execution)) -> Result<Option<String>, Problem> {
        let (store, began, mut looked) = (self.history()?, monotonic(), 0);
        loop {
            let page = store.search(&filter, PART.1).await.map_err(away)?;
            looked += page.executions.len();
            page.executions.into_iter().for_each(&mut each);
            match page.next {
                Some(next) if looked < LOOK && began.elapsed() < BUDGET => filter.before = Some(next),
                next => return Ok(next.map(|next| rfc3339(next.time_us()))),
            }
        }
    }
}

/// Where something failed: the function, and the file with the place in it.
type Place = (FunctionName, String, Option<(u32, u32)>);

struct Groups {
    steps: Steps,
    by_place: BTreeMap<Place, FailureGroup>,
}

impl Groups {
    /// Adds an execution that is older than those before it.
    fn add(&mut self, execution: Execution) {
        let is_told = execution.outcome != Outcome::Rejected && !execution.trigger.is_trial();
        let Some(failure) = execution.failure.filter(|_| is_told) else { return };
        let position = failure.position.map(|Position { line, column }| (line, column));
        let time = rfc3339(execution.id.time_us());
        let place = (execution.function.clone(), failure.file.to_string(), position);
        let group = self.by_place.entry(place).or_insert_with(|| FailureGroup {
            function: execution.function,
            file: failure.file.to_string(),
            line: position.map(|(line, _)| line),
            column: position.map(|(_, column)| column),
            count: 0,
            first: time.clone(),
            last: time.clone(),
            message: failure.message,
            execution: execution.id,
            version: execution.version,
            deployment: execution.deployment,
            counts: vec![0; self.steps.count],
        });
        group.count += 1;
        (group.first, group.version, group.deployment) = (time, execution.version, execution.deployment);
        if let Some(step) = self.steps.step_of(minute_of(execution.id.time_us())) {
            group.counts[step] += 1;
        }
    }

    fn told(self) -> Vec<FailureGroup> {
        let mut groups: Vec<FailureGroup> = self.by_place.into_values().collect();
        groups.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| other.execution.cmp(&one.execution)));
        groups.truncate(GROUPS);
        groups
    }
}
