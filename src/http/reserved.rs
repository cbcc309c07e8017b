//! The reserved URLs: health, readiness, who a token is, running a function by its script id, and earlier deployments.

use std::{
    net::SocketAddr,
    sync::{Arc, LazyLock},
};

use axum::{Json, Router, body::Body, extract::ConnectInfo};
use http::{
    Request, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE},
};
use http_body_util::Either;
use serde_json::json;
use tower_service::Service;
use utoipa_axum::routes;

use crate::{
    access::Principal,
    execution::Trigger,
    function::{ScriptId, route::Method},
    http::{
        answer::Answer,
        api::{
            admin, audit, check, deployments, executions, invoke,
            openapi::{self, Routes},
            routes, scripts, tokens, tree,
        },
        app::App,
        auth::caller::{Anybody, Caller, Guarded, Read},
        call::{self, Call, archive, preview},
        face::Face,
        git, metrics,
        problem::Problem,
        webhook,
        wire::progress::RequestBody,
    },
    runner::Target,
};

/// Answers a request to a reserved path.
pub async fn answer(app: Arc<App>, face: Face, mut request: Request<RequestBody>, peer: SocketAddr) -> Answer {
    let has_previews = face.has_previews(&app.settings);
    if has_previews && request.uri().path().starts_with(archive::PREFIX) {
        let (mut head, body) = request.into_parts();
        return archive::answer(&app, &mut head, body, peer).await;
    }
    if has_previews && request.uri().path().starts_with(preview::PREFIX) {
        let (mut head, body) = request.into_parts();
        return preview::answer(&app, &mut head, body, peer).await;
    }
    if let (true, Some(id)) = (face != Face::Control, request.uri().path().strip_prefix("/api/execute/")) {
        return execute(&app, id.to_owned(), request, peer).await;
    }
    request.extensions_mut().insert(ConnectInfo(peer));
    let router = match face {
        Face::Public => &PUBLIC,
        Face::Whole | Face::Control => &WHOLE,
    };
    match LazyLock::force(router).clone().with_state(Guarded::new(app)).call(request.map(Body::new)).await {
        Ok(response) => refused_method(&response).unwrap_or_else(|| response.map(Either::Right)),
        Err(never) => match never {},
    }
}

/// Returns the answer to a method that a URL does not have: the router says no more than which it has.
fn refused_method<B>(response: &Response<B>) -> Option<Answer> {
    let is_refused = response.status() == StatusCode::METHOD_NOT_ALLOWED && !response.headers().contains_key(CONTENT_TYPE);
    let allow = response.headers().get(ALLOW).filter(|_| is_refused)?.to_str().ok()?;
    let methods = allow.split(',').filter_map(|method| Method::parse(method.trim())).collect();
    Some(Problem::MethodNotAllowed(methods).answer(None, false))
}

/// What is there for everybody.
static PUBLIC: LazyLock<Router<Guarded>> = LazyLock::new(|| open().split_for_parts().0.fallback(async || Problem::NotFound));
/// The same, and what asks for a token.
static WHOLE: LazyLock<Router<Guarded>> =
    LazyLock::new(|| openapi::described(open().merge(for_operators())).merge(git::routes()).fallback(async || Problem::NotOurs));

fn open() -> Routes {
    Routes::new().routes(routes!(health)).routes(routes!(ready)).routes(routes!(webhook::handler::receive))
}

fn for_operators() -> Routes {
    Routes::new()
        .routes(routes!(metrics::answer))
        .routes(routes!(whoami))
        .merge(admin::routes())
        .merge(deployments::routes())
        .merge(routes::routes())
        .merge(invoke::routes())
        .merge(executions::routes())
        .merge(scripts::routes())
        .merge(check::routes())
        .merge(tree::routes())
        .merge(tokens::routes())
        .merge(audit::routes())
}

/// Runs a function by its script id, with whatever method and body.
async fn execute(app: &App, id: String, request: Request<RequestBody>, peer: SocketAddr) -> Answer {
    let (mut head, body) = request.into_parts();
    let trace = app.runner.trace(&head);
    let table = app.live.table();
    let function = id.parse().ok().and_then(|id| table.by_id(ScriptId(id)));
    match function {
        Some(function) => {
            if let Some(answer) = app.preflight_of(function, &head) {
                return answer;
            }
            let target = Target { table: &table, function };
            call::run(app, Call { target, trigger: Trigger::Execute, params: Vec::new(), peer, trace }, &mut head, body).await
        }
        None => Problem::UnknownScript.answer(None, app.settings.dev),
    }
}

/// Says that the process lives.
#[utoipa::path(get, path = "/_picloud/health", tag = "node", responses((status = 200, description = "It does.", body = Object)))]
async fn health() -> Json<serde_json::Value> {
    Json(json!({ "status": "alive" }))
}

/// Tells callers whose token they use, and what it allows.
#[utoipa::path(get, path = "/api/admin/whoami", tag = "tokens", responses((status = 200, description = "The token's name and scope.", body = Object)))]
async fn whoami(caller: Caller<Read>) -> Json<Principal> {
    Json(caller.for_itself())
}

/// Says whether functions are loaded, and what is not as it should be.
#[utoipa::path(
    get, path = "/_picloud/ready", tag = "node",
    responses((status = 200, description = "They are.", body = Object), (status = 503, description = "Not yet.", body = Object))
)]
async fn ready(Anybody(app): Anybody) -> (StatusCode, Json<serde_json::Value>) {
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
