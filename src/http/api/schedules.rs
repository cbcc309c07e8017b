//! The control plane's part about schedules: which there are, and orders to run, pause and resume one.

use std::{collections::HashMap, sync::Arc};

use axum::{Json, body::Body};
use http::Request;
use serde_json::json;
use utoipa_axum::routes;

use crate::{
    api::{
        executions::RunAnswer,
        schedules::{PauseOrder, ScheduleList, ScheduleOrder, ScheduleSummary},
    },
    audit::Action,
    function::{
        FunctionName,
        schedule::{Schedule, ScheduleId},
    },
    http::{
        api::{asked::PathParams, openapi::Routes},
        app::App,
        caller::{About, Caller, Deploy, Grant, Read},
        problem::{Problem, away},
    },
    live::LiveFunction,
    store::queue::MAX_TICKS,
};

/// Longest order: an input of 64 KiB, and what is around it.
const MAX_ORDER_BYTES: usize = 65 * 1024;
/// Longest order to pause one.
const MAX_PAUSE_BYTES: usize = 4 * 1024;
/// Due times of each schedule that a list tells.
const MAX_LISTED: u32 = 20;

/// The routes of schedules.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(list)).routes(routes!(one)).routes(routes!(run)).routes(routes!(pause)).routes(routes!(resume))
}

/// Lists the schedules that are live. A token for some functions sees theirs.
#[utoipa::path(
    get, path = "/api/admin/schedules", operation_id = "list_schedules", tag = "schedules",
    responses((status = 200, description = "Schedules by id.", body = ScheduleList))
)]
async fn list(caller: Caller<Read>) -> Result<Json<ScheduleList>, Problem> {
    let (Grant { app, .. }, found) = caller.for_list(App::live_schedules);
    Ok(Json(ScheduleList { schedules: app.summaries(found, None, MAX_LISTED).await? }))
}

/// Tells all that is known of a schedule.
#[utoipa::path(
    get, path = "/api/admin/schedules/{id}", operation_id = "schedule", tag = "schedules",
    params(("id" = String, Path, description = "Its id; a `/` in it is written `%2F`, and a `#` `%23`.")),
    responses((status = 200, description = "The schedule.", body = ScheduleSummary))
)]
async fn one(caller: Caller<Read>, PathParams(id): PathParams<String>) -> Result<Json<ScheduleSummary>, Problem> {
    let (Grant { app, .. }, found) = caller.for_found(|app| async move { app.live_schedule(id) }).await?;
    app.summary(found).await.map(Json)
}

/// Runs a schedule now, and answers when the run has ended. Its due times stay as they are.
#[utoipa::path(
    post, path = "/api/admin/schedules/{id}/run", operation_id = "run_schedule", tag = "schedules", request_body = Option<ScheduleOrder>,
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The execution, and what a caller would have got.", body = RunAnswer))
)]
async fn run(caller: Caller<Deploy>, PathParams(id): PathParams<String>, request: Request<Body>) -> Result<Json<RunAnswer>, Problem> {
    let order: ScheduleOrder = caller.optional_order(request, MAX_ORDER_BYTES).await?.unwrap_or_default();
    let (grant, found) = caller.for_found(|app| async move { app.live_schedule(id) }).await?;
    grant.run(&found.live.function)?;
    let (app, id) = (&grant.app, found.id);
    let entry = grant.actor().does(Action::ScheduleRun, app.ids.now_us(), json!({ "schedule": id.as_str() }));
    app.history()?.record_audit(&entry).await.map_err(away)?;
    let input = order.input.map(|input| input.to_string().into());
    let report = app.run_orders.run(id.clone(), input).await.map_err(|_| Problem::HistoryAway)?;
    app.tell_run(report.ok_or(Problem::UnknownSchedule(id.to_string()))?).await.map(Json)
}

/// Pauses a schedule: it makes nothing of its due times until it is resumed.
#[utoipa::path(
    post, path = "/api/admin/schedules/{id}/pause", operation_id = "pause_schedule", tag = "schedules", request_body = Option<PauseOrder>,
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The schedule after it.", body = ScheduleSummary))
)]
async fn pause(
    caller: Caller<Deploy>,
    PathParams(id): PathParams<String>,
    request: Request<Body>,
) -> Result<Json<ScheduleSummary>, Problem> {
    let PauseOrder { reason } = caller.optional_order(request, MAX_PAUSE_BYTES).await?.unwrap_or_default();
    let (grant, found) = caller.for_found(|app| async move { app.live_schedule(id) }).await?;
    let app = &grant.app;
    let is_there = app.history()?.pause_schedule(&found.id, reason.as_deref(), &grant.actor(), app.ids.now_us()).await.map_err(away)?;
    app.changed(found, is_there).await
}

/// Lets a schedule run again, from now on.
#[utoipa::path(
    post, path = "/api/admin/schedules/{id}/resume", operation_id = "resume_schedule", tag = "schedules",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The schedule after it.", body = ScheduleSummary))
)]
async fn resume(caller: Caller<Deploy>, PathParams(id): PathParams<String>) -> Result<Json<ScheduleSummary>, Problem> {
    let (grant, found) = caller.for_found(|app| async move { app.live_schedule(id) }).await?;
    let app = &grant.app;
    let is_there = app.history()?.resume_schedule(&found.id, &grant.actor(), app.ids.now_us()).await.map_err(away)?;
    app.changed(found, is_there).await
}

/// A schedule that is live, with its function.
struct LiveSchedule {
    id: ScheduleId,
    live: Arc<LiveFunction>,
    schedule: Schedule,
}

impl About for LiveSchedule {
    fn functions(&self) -> Vec<FunctionName> {
        vec![self.live.function.name.clone()]
    }
}

impl App {
    fn live_schedules(&self) -> Vec<LiveSchedule> {
        let table = self.live.table();
        let ids = table.triggers().schedules().map(|(id, _)| id);
        let mut found: Vec<LiveSchedule> = ids
            .filter_map(|id| {
                let (live, schedule) = table.triggers().schedule(id)?;
                Some(LiveSchedule { id: id.clone(), live: live.clone(), schedule: schedule.clone() })
            })
            .collect();
        found.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        found
    }

    fn live_schedule(&self, id: String) -> Result<LiveSchedule, Problem> {
        let table = self.loaded()?;
        let id = ScheduleId::of(id);
        let (live, schedule) = table.triggers().schedule(&id).ok_or_else(|| Problem::UnknownSchedule(id.to_string()))?;
        Ok(LiveSchedule { live: live.clone(), schedule: schedule.clone(), id })
    }

    /// Tells of schedules, with so many due times of each. `only` is the one where it is one.
    async fn summaries(&self, found: Vec<LiveSchedule>, only: Option<&ScheduleId>, most: u32) -> Result<Vec<ScheduleSummary>, Problem> {
        let store = self.history()?;
        let progress = store.schedules().await.map_err(away)?;
        let progress: HashMap<&ScheduleId, _> = progress.iter().map(|one| (&one.id, one)).collect();
        let ticks = store.ticks(only, most).await.map_err(away)?;
        let now_us = self.ids.now_us();
        let summary = |LiveSchedule { id, live, schedule }: &LiveSchedule| {
            ScheduleSummary::of(
                (id, &live.function.name, schedule),
                progress.get(id).copied(),
                ticks.get(id).map_or(&[], Vec::as_slice),
                now_us,
            )
        };
        Ok(found.iter().map(summary).collect())
    }

    async fn summary(&self, found: LiveSchedule) -> Result<ScheduleSummary, Problem> {
        let id = found.id.clone();
        self.summaries(vec![found], Some(&id), MAX_TICKS).await?.pop().ok_or(Problem::UnknownSchedule(id.to_string()))
    }

    /// Has the scheduler look at a schedule that was changed, and tells of it. One that just went live is not in the database yet.
    async fn changed(&self, found: LiveSchedule, is_there: bool) -> Result<Json<ScheduleSummary>, Problem> {
        self.schedules_changed.send_modify(|count| *count += 1);
        match is_there {
            true => self.summary(found).await.map(Json),
            false => Err(Problem::NotReady),
        }
    }
}
