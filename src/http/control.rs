//! The reserved URLs: health, readiness, who a token is, running a function by its script id, and earlier deployments.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    body::Body,
    extract::{ConnectInfo, State},
    routing::{get, post},
};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Either;
use serde_json::json;
use tower_service::Service;

use super::{
    Answer, App, Face, Problem, admin, archive, deployments, executions,
    function::{self, Met},
    git, invoke, metrics,
    places::Received,
    preview, routes,
    trace::Traced,
    webhook,
};
use crate::{
    access::{Principal, Scope},
    execution::Trigger,
    function::ScriptId,
};

/// What begins so belongs to the node, whatever files there are.
pub const RESERVED: [&str; 4] = ["/_picloud", "/api/admin", "/api/execute", "/functions.git"];

/// Returns whether a path belongs to the node, whichever of its characters are percent-encoded.
pub fn is_reserved(path: &str) -> bool {
    // Nearly every request fails the first test.
    if !matches!(path.as_bytes(), [b'/', b'_' | b'a' | b'f' | b'%', ..]) {
        return false;
    }
    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    RESERVED.iter().any(|prefix| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Answers a request to a reserved path.
pub async fn answer(app: Arc<App>, face: Face, mut request: Request<Received>, peer: SocketAddr) -> Answer {
    let has_previews = face.has_previews(&app.settings);
    if has_previews && request.uri().path().starts_with(archive::PREFIX) {
        return archive::answer(&app, request, peer).await;
    }
    if has_previews && request.uri().path().starts_with(preview::PREFIX) {
        return preview::answer(&app, request, peer).await;
    }
    if let (true, Some(id)) = (face != Face::Control, request.uri().path().strip_prefix("/api/execute/")) {
        return execute(&app, id.to_owned(), request, peer).await;
    }
    request.extensions_mut().insert(ConnectInfo(peer));
    let router = Router::new()
        .route("/_picloud/health", get(|| async { Json(json!({ "status": "alive" })) }))
        .route("/_picloud/ready", get(ready))
        .route("/_picloud/hooks/source", post(webhook::receive));
    let router = match face {
        Face::Public => router,
        Face::Whole | Face::Control => router.merge(for_operators()),
    };
    let mut router = router.fallback(|| async { Problem::NotFound }).with_state(app);
    match router.call(request.map(Body::new)).await {
        Ok(response) => response.map(Either::Right),
        Err(never) => match never {},
    }
}

/// The URLs that ask for a token.
fn for_operators() -> Router<Arc<App>> {
    Router::new()
        .route("/_picloud/metrics", get(metrics::answer))
        .route("/api/admin/whoami", get(whoami))
        .merge(admin::routes())
        .merge(deployments::routes())
        .merge(routes::routes())
        .merge(invoke::routes())
        .merge(executions::routes())
        .merge(git::routes())
}

/// Runs a function by its script id, with whatever method and body.
async fn execute(app: &App, id: String, request: Request<Received>, peer: SocketAddr) -> Answer {
    let trace = Traced::begin(app, &request);
    let table = app.live.table();
    let function = id.parse().ok().and_then(|id| table.by_id(ScriptId(id)));
    match function {
        Some(function) => {
            let met = Met { table: &table, function, params: Vec::new(), trigger: Trigger::Execute };
            function::run(app, met, request, peer, trace).await
        }
        None => Problem::UnknownScript.answer(None, app.settings.dev),
    }
}

/// Tells callers whose token they use, and what it allows.
async fn whoami(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Json<Principal>, Problem> {
    Ok(Json(app.auth.require_bearer(Scope::Read, &headers, peer.ip()).await?))
}

/// Says whether functions are loaded, and what is not as it should be.
async fn ready(State(app): State<Arc<App>>) -> (StatusCode, Json<serde_json::Value>) {
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
        // Since the start; what is past is no reason to call the node degraded.
        "lost_executions": journal.dropped + journal.refused + journal.torn,
    });
    (code, Json(body))
}
