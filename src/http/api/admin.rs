//! The control plane: what an operator asks of the running node, with a token.

use axum::{Json, body::Body, response::Response};
use http::Request;
use utoipa_axum::routes;

use crate::{
    api::{
        node::{DatabaseStatus, LiveDeployment, NodeStatus, PreviewStatus},
        source::{RollbackAnswer, RollbackOrder},
    },
    audit::Actor,
    clock::rfc3339,
    deployment::Commit,
    http::{
        api::{openapi::Routes, tail},
        app::App,
        call::preview,
        caller::{Caller, Deploy, Read},
        problem::Problem,
    },
    live::Preview,
    sync::orders::{SyncOutcome, error::OrderError, rollback::Rollback},
};

/// The routes of the control plane.
pub fn routes() -> Routes {
    Routes::new()
        .routes(routes!(status))
        .routes(routes!(follow))
        .routes(routes!(sync))
        .routes(routes!(suspend))
        .routes(routes!(resume))
        .routes(routes!(rollback))
        .routes(routes!(unpin))
}

/// Says what is live, what the source holds, and why they differ if they do.
#[utoipa::path(get, path = "/api/admin/status", tag = "node", responses((status = 200, description = "What is live, and how the node is.", body = NodeStatus)))]
async fn status(caller: Caller<Read>) -> Result<Json<NodeStatus>, Problem> {
    Ok(Json(caller.for_node()?.app.status()))
}

/// Tells the same whenever it changes, for ever.
#[utoipa::path(
    get, path = "/api/admin/status/tail", tag = "node", operation_id = "follow_status",
    responses((status = 200, description = "Server-sent events.", body = String, content_type = "text/event-stream"))
)]
async fn follow(caller: Caller<Read>) -> Result<Response, Problem> {
    Ok(tail::answer(tail::status::texts(caller.for_node()?)?))
}

impl App {
    pub(super) fn status(&self) -> NodeStatus {
        let status = self.live.status();
        NodeStatus {
            source: self.source.clone(),
            live: status.live.as_deref().map(LiveDeployment::from),
            wanted: status.wanted.clone(),
            is_in_sync: status.is_in_sync(),
            behind_us: status.behind_us(self.ids.now_us()),
            held: status.held.clone(),
            following: status.following.clone(),
            last_look: status.checked_us.map(rfc3339),
            next_look: self.sync.next_look_us().map(rfc3339),
            problem: status.source.clone(),
            waiting: status.waiting.clone(),
            late: status.late.clone(),
            diagnostics: status.diagnostics.clone(),
            database: DatabaseStatus { place: self.database.clone(), problem: status.database.clone() },
            journal: self.journal.stats(),
            previews: self.live.previews().iter().map(|(branch, preview)| self.preview(branch, preview)).collect(),
        }
    }

    fn preview(&self, branch: &str, preview: &Preview) -> PreviewStatus {
        PreviewStatus {
            branch: branch.into(),
            revision: preview.revision.clone(),
            by: preview.commit.as_ref().map(|commit| commit.author.clone()),
            subject: preview.commit.as_ref().map(Commit::recorded_subject),
            time: preview.commit.as_ref().map(|commit| rfc3339(commit.time_us)),
            is_shown: preview.table.is_some(),
            path: preview::path_of(branch),
            host: self.settings.preview_host.as_ref().map(|host| host.of(branch)),
            diagnostics: preview.diagnostics.clone(),
        }
    }
}

/// Has the source asked and looked at, and answers when that is decided.
#[utoipa::path(post, path = "/api/admin/sync", tag = "source", responses((status = 200, description = "What was decided.", body = SyncOutcome)))]
async fn sync(caller: Caller<Deploy>) -> Result<Json<SyncOutcome>, Problem> {
    let grant = caller.for_node()?;
    Ok(Json(grant.app.sync.look().await.map_err(OrderError::from)?))
}

/// Stops following the source; what is live stays live.
#[utoipa::path(post, path = "/api/admin/source/suspend", tag = "source", responses((status = 200, description = "The status after it.", body = NodeStatus)))]
async fn suspend(caller: Caller<Deploy>) -> Result<Json<NodeStatus>, Problem> {
    let grant = caller.for_node()?;
    grant.app.sync.suspend(grant.actor()).await?;
    Ok(Json(grant.app.status()))
}

/// Follows the source again.
#[utoipa::path(post, path = "/api/admin/source/resume", tag = "source", responses((status = 200, description = "What was decided.", body = SyncOutcome)))]
async fn resume(caller: Caller<Deploy>) -> Result<Json<SyncOutcome>, Problem> {
    let grant = caller.for_node()?;
    Ok(Json(grant.app.sync.resume(grant.actor()).await?))
}

/// Forgets what a rollback holds back, and follows the source.
#[utoipa::path(post, path = "/api/admin/unpin", tag = "source", responses((status = 200, description = "What was decided.", body = SyncOutcome)))]
async fn unpin(caller: Caller<Deploy>) -> Result<Json<SyncOutcome>, Problem> {
    let grant = caller.for_node()?;
    Ok(Json(grant.app.sync.unpin(grant.actor()).await?))
}

/// Longest order.
const MAX_ORDER_BYTES: usize = 64 * 1024;

/// Makes live what was live before, and holds back what is abandoned.
#[utoipa::path(
    post, path = "/api/admin/rollback", tag = "source", request_body = RollbackOrder,
    responses((status = 200, description = "What it changes, and the deployment that does.", body = RollbackAnswer))
)]
async fn rollback(caller: Caller<Deploy>, request: Request<Body>) -> Result<Json<RollbackAnswer>, Problem> {
    let grant = caller.for_node()?;
    let order: RollbackOrder = grant.order(request, MAX_ORDER_BYTES).await?;
    let Actor { who: by, origin } = grant.actor();
    let rollback =
        Rollback { to: order.to, from: order.from, hold: order.hold, by, origin, reason: order.reason, is_dry_run: order.dry_run };
    Ok(Json(grant.app.sync.rollback(rollback).await?.into()))
}
