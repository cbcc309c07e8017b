//! What is in the queue, and how much is emitted.

use axum::Json;

use crate::{
    api::events::EventStats,
    http::{
        caller::{Caller, Grant, Read},
        problem::{Problem, away},
    },
    store::queue::QueueSizes,
};

const MINUTE_US: i64 = 60_000_000;
const DAY_US: i64 = 24 * 60 * MINUTE_US;

/// Tells what is in the queue, of events and schedules, and how much is emitted.
#[utoipa::path(
    get, path = "/api/admin/stats/events", operation_id = "event_stats", tag = "stats",
    responses((status = 200, description = "Counts of now, and of the last 24 hours.", body = EventStats))
)]
pub(super) async fn events(caller: Caller<Read>) -> Result<Json<EventStats>, Problem> {
    let Grant { app, .. } = caller.for_node()?;
    let (store, now_us) = (app.history()?, app.ids.now_us());
    let QueueSizes { waiting, retrying, running, held, dead, oldest_due_us } = store.queue_sizes().await.map_err(away)?;
    let emitted = store.count_events(now_us - DAY_US).await.map_err(away)?;
    let of_minute = store.count_events(now_us - MINUTE_US).await.map_err(away)?;
    // What runs is due when its lease ends, and what waits may be due later.
    let overdue_us = oldest_due_us.and_then(|due_us| u64::try_from(now_us - due_us).ok());
    Ok(Json(EventStats { waiting, retrying, running, held, dead, overdue_us, emitted, emitted_per_s: of_minute as f64 / 60.0 }))
}
