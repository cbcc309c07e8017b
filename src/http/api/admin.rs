//! The control plane: what an operator asks of the running node, with a token.

use axum::{Json, body::Body};
use http::Request;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    audit::Actor,
    clock::rfc3339,
    http::{
        api::openapi::Routes,
        app::App,
        auth::caller::{Caller, Deploy, Read},
        call::preview,
        problem::Problem,
    },
    sync::orders::{SyncOutcome, error::OrderError, rollback::Rollback},
};

/// The routes of the control plane.
pub fn routes() -> Routes {
    Routes::new()
        .routes(routes!(status))
        .routes(routes!(sync))
        .routes(routes!(suspend))
        .routes(routes!(resume))
        .routes(routes!(rollback))
        .routes(routes!(unpin))
}

/// Says what is live, what the source holds, and why they differ if they do.
#[utoipa::path(get, path = "/api/admin/status", tag = "node", responses((status = 200, description = "What is live, and how the node is.", body = Object)))]
async fn status(caller: Caller<Read>) -> Result<Json<Value>, Problem> {
    Ok(Json(caller.for_node()?.app.status()))
}

impl App {
    fn status(&self) -> Value {
        let status = self.live.status();
        let time = |us: Option<i64>| us.map(rfc3339);
        let live = status.live.as_ref();
        let previews: Vec<Value> = (self.live.previews().iter())
            .map(|(branch, shown)| {
                json!({
                    "branch": branch,
                    "revision": shown.revision,
                    "is_shown": shown.table.is_some(),
                    "path": preview::path_of(branch),
                    "host": self.settings.preview_host.as_ref().map(|host| host.of(branch)),
                    "diagnostics": shown.diagnostics,
                })
            })
            .collect();
        let journal = self.journal.stats();
        json!({
            "source": self.source,
            "live": live.map(|live| {
                json!({
                    "id": live.id,
                    "time": rfc3339(live.id.time_us()),
                    "revision": live.revision,
                    "cause": live.cause,
                    "by": live.by,
                    "pushed_by": live.pushed_by,
                    "note": live.note,
                    "functions": live.functions,
                })
            }),
            "wanted": status.wanted,
            "is_in_sync": status.is_in_sync(),
            "behind_us": status.behind_us(self.ids.now_us()),
            "held": status.held,
            "following": status.following,
            "last_look": time(status.checked_us),
            "next_look": time(self.sync.next_look_us()),
            "problem": status.source,
            "waiting": status.waiting,
            "diagnostics": status.diagnostics,
            "database": { "place": self.database, "problem": status.database },
            "journal": journal,
            "previews": previews,
        })
    }
}

/// Has the source asked and looked at, and answers when that is decided.
#[utoipa::path(post, path = "/api/admin/sync", tag = "source", responses((status = 200, description = "What was decided.", body = Object)))]
async fn sync(caller: Caller<Deploy>) -> Result<Json<SyncOutcome>, Problem> {
    let grant = caller.for_node()?;
    Ok(Json(grant.app.sync.look().await.map_err(OrderError::from)?))
}

/// Stops following the source; what is live stays live.
#[utoipa::path(post, path = "/api/admin/source/suspend", tag = "source", responses((status = 200, description = "The status after it.", body = Object)))]
async fn suspend(caller: Caller<Deploy>) -> Result<Json<Value>, Problem> {
    let grant = caller.for_node()?;
    grant.app.sync.suspend(grant.actor()).await?;
    Ok(Json(grant.app.status()))
}

/// Follows the source again.
#[utoipa::path(post, path = "/api/admin/source/resume", tag = "source", responses((status = 200, description = "What was decided.", body = Object)))]
async fn resume(caller: Caller<Deploy>) -> Result<Json<SyncOutcome>, Problem> {
    let grant = caller.for_node()?;
    Ok(Json(grant.app.sync.resume(grant.actor()).await?))
}

/// Forgets what a rollback holds back, and follows the source.
#[utoipa::path(post, path = "/api/admin/unpin", tag = "source", responses((status = 200, description = "What was decided.", body = Object)))]
async fn unpin(caller: Caller<Deploy>) -> Result<Json<SyncOutcome>, Problem> {
    let grant = caller.for_node()?;
    Ok(Json(grant.app.sync.unpin(grant.actor()).await?))
}

/// Where to go back to, and how.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct RollbackOrder {
    /// A deployment, its revision or the beginning of that; none: what was live before.
    to: Option<String>,
    /// Nothing goes live until `unpin`.
    hold: bool,
    /// For people.
    reason: Option<String>,
    /// Only say what would happen.
    dry_run: bool,
}

/// Longest order.
const MAX_ORDER_BYTES: usize = 64 * 1024;

/// Makes live what was live before, and holds back what is abandoned.
#[utoipa::path(
    post, path = "/api/admin/rollback", tag = "source", request_body = RollbackOrder,
    responses((status = 200, description = "What it changes, and the deployment that does.", body = Object))
)]
async fn rollback(caller: Caller<Deploy>, request: Request<Body>) -> Result<Json<Value>, Problem> {
    let grant = caller.for_node()?;
    let order: RollbackOrder = grant.order(request, MAX_ORDER_BYTES).await?;
    let Actor { who: by, origin } = grant.actor();
    let rollback = Rollback { to: order.to, hold: order.hold, by, origin, reason: order.reason, is_dry_run: order.dry_run };
    let done = grant.app.sync.rollback(rollback).await?;
    Ok(Json(
        json!({ "to": done.to, "plan": done.plan, "text": done.plan.to_string(), "deployment": done.deployment, "suspended": done.suspended }),
    ))
}
