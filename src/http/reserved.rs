//! Who answers at the node's own URLs.

use std::{
    net::SocketAddr,
    sync::{Arc, LazyLock},
};

use axum::{Router, body::Body, extract::ConnectInfo};
use http::{
    Request, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE},
};
use http_body_util::Either;
use tower_service::Service;
use utoipa_axum::routes;

use crate::{
    function::{
        reserved::{EARLIER, EXECUTE, PREVIEW},
        route::Method,
    },
    http::{
        answer::Answer,
        api::{
            admin, audit, check, deployments, events, executions, health as degraded, invoke, kept_request, kv, nodes,
            openapi::{self, Routes},
            replay, routes, schedules, scripts, secrets, stats, tokens, tree,
        },
        app::App,
        call::{earlier, execute, preview},
        caller::GuardedApp,
        dashboard,
        face::Face,
        git, health, hooks, metrics,
        problem::Problem,
        session,
        wire::progress::RequestBody,
    },
};

/// Answers a request to a reserved path.
pub async fn answer(app: Arc<App>, face: Face, mut request: Request<RequestBody>, peer: SocketAddr) -> Answer {
    let has_previews = face.has_previews(&app.settings);
    if has_previews && request.uri().path().starts_with(EARLIER) {
        let (mut head, body) = request.into_parts();
        return earlier::answer(&app, &mut head, body, peer).await;
    }
    if has_previews && request.uri().path().starts_with(PREVIEW) {
        let (mut head, body) = request.into_parts();
        return preview::answer(&app, &mut head, body, peer).await;
    }
    if face != Face::Control && request.uri().path().starts_with(EXECUTE) {
        let (mut head, body) = request.into_parts();
        return execute::answer(&app, &mut head, body, peer).await;
    }
    request.extensions_mut().insert(ConnectInfo(peer));
    let router = match face {
        Face::Public => &PUBLIC,
        Face::Whole | Face::Control => &WHOLE,
    };
    match LazyLock::force(router).clone().with_state(GuardedApp::new(app)).call(request.map(Body::new)).await {
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
static PUBLIC: LazyLock<Router<GuardedApp>> = LazyLock::new(|| open().split_for_parts().0.fallback(async || Problem::NotFound));
/// The same, and what asks for a token.
static WHOLE: LazyLock<Router<GuardedApp>> = LazyLock::new(|| {
    openapi::described(open().merge(for_operators())).merge(git::routes()).merge(dashboard::routes()).fallback(async || Problem::NotOurs)
});

fn open() -> Routes {
    Routes::new().routes(routes!(health::health)).routes(routes!(health::ready)).routes(routes!(hooks::receive))
}

fn for_operators() -> Routes {
    Routes::new()
        .routes(routes!(metrics::answer))
        .merge(session::routes())
        .routes(routes!(tokens::whoami))
        .merge(admin::routes())
        .merge(degraded::routes())
        .merge(nodes::routes())
        .merge(deployments::routes())
        .merge(routes::routes())
        .merge(invoke::routes())
        .merge(executions::routes())
        .merge(kept_request::routes())
        .merge(replay::routes())
        .merge(schedules::routes())
        .merge(scripts::routes())
        .merge(check::routes())
        .merge(tree::routes())
        .merge(tokens::routes())
        .merge(secrets::routes())
        .merge(stats::routes())
        .merge(audit::routes())
        .merge(kv::routes())
        .merge(events::routes())
}
