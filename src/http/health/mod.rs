//! Whether the process lives, whether functions are loaded, and what is not as it should be: for whoever watches the node.

mod troubles;

use std::sync::Arc;

use axum::Json;
use http::StatusCode;
use tokio_util::sync::CancellationToken;

use crate::{
    api::node::{Health, Readiness},
    http::{app::App, caller::Anybody},
};

/// Notes since when functions are live and since when parts are degraded, at each change of the status, until the node stops.
pub async fn watch(app: Arc<App>, stop: CancellationToken) {
    let mut changes = app.live.changes();
    loop {
        app.health();
        if app.live.table().is_loaded() {
            app.counts.is_ready(app.ids.now_us());
        }
        tokio::select! {
            () = stop.cancelled() => return,
            _ = changes.changed() => {}
        }
    }
}

/// Says that the process lives.
#[utoipa::path(get, path = "/_picloud/health", tag = "node", responses((status = 200, description = "It does.", body = Health)))]
pub async fn health() -> Json<Health> {
    Json(Health { status: "alive".into() })
}

/// Says whether functions are loaded, and what is not as it should be.
#[utoipa::path(
    get, path = "/_picloud/ready", tag = "node",
    responses((status = 200, description = "They are.", body = Readiness), (status = 503, description = "Not yet.", body = Readiness))
)]
pub async fn ready(Anybody(app): Anybody) -> (StatusCode, Json<Readiness>) {
    let (code, readiness) = app.readiness();
    (code, Json(readiness))
}

impl App {
    /// Says whether functions are loaded, and what is not as it should be.
    pub(super) fn readiness(&self) -> (StatusCode, Readiness) {
        let table = self.live.table();
        let status = self.live.status();
        let degraded: Vec<String> = self.troubles().into_iter().map(|(_, text)| text).collect();
        let journal = self.journal.stats();
        let code = if table.is_loaded() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let word = match (table.is_loaded(), degraded.is_empty()) {
            (false, _) => "starting",
            (true, true) => "ready",
            (true, false) => "degraded",
        };
        let readiness = Readiness {
            status: word.into(),
            deployment: table.is_loaded().then_some(table.deployment),
            functions: table.len(),
            degraded,
            // An operator wants it so, which is no reason to call the node degraded either.
            held: status.held.as_ref().and(status.following.in_short()),
            // Since the start; what is past is no reason to call the node degraded.
            lost_executions: journal.dropped + journal.refused + journal.torn,
        };
        (code, readiness)
    }
}
