//! Whether the process lives, and whether functions are loaded: for whoever watches the node.

use axum::Json;
use http::StatusCode;
use serde_json::json;

use crate::http::auth::caller::Anybody;

/// Says that the process lives.
#[utoipa::path(get, path = "/_picloud/health", tag = "node", responses((status = 200, description = "It does.", body = Object)))]
pub async fn health() -> Json<serde_json::Value> {
    Json(json!({ "status": "alive" }))
}

/// Says whether functions are loaded, and what is not as it should be.
#[utoipa::path(
    get, path = "/_picloud/ready", tag = "node",
    responses((status = 200, description = "They are.", body = Object), (status = 503, description = "Not yet.", body = Object))
)]
pub async fn ready(Anybody(app): Anybody) -> (StatusCode, Json<serde_json::Value>) {
    let table = app.live.table();
    let status = app.live.status();
    let mut degraded = status.degraded();
    let journal = app.journal.stats();
    degraded.extend(app.journal.problems());
    let code = if table.is_loaded() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = match (table.is_loaded(), degraded.is_empty()) {
        (false, _) => "starting",
        (true, true) => "ready",
        (true, false) => "degraded",
    };
    let body = json!({
        "status": word,
        "deployment": table.is_loaded().then_some(table.deployment),
        "functions": table.len(),
        "degraded": degraded,
        // An operator wants it so, which is no reason to call the node degraded either.
        "held": status.held.as_ref().and(status.following.in_short()),
        // Since the start; what is past is no reason to call the node degraded.
        "lost_executions": journal.dropped + journal.refused + journal.torn,
    });
    (code, Json(body))
}
