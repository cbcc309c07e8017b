//! `/_picloud/hooks/source`.

use std::net::{IpAddr, SocketAddr};

use axum::{
    Json,
    body::Body,
    extract::ConnectInfo,
    response::{IntoResponse as _, Response},
};
use http::{Request, StatusCode};
use http_body::Body as _;

use crate::{
    api::source::WebhookAnswer,
    http::{app::App, caller::Anybody, problem::Problem, wire::body::read_body},
};

/// What GitHub sends at most.
const MAX_BODY_BYTES: usize = 25 << 20;
/// What nearly all webhooks are smaller than. Such a body is held without a place, as that of a request to a function is.
const SMALL_BODY_BYTES: usize = 64 << 10;

/// Answers a webhook: 202 and the source is looked at soon, or 204 because nothing of it is followed.
#[utoipa::path(
    post, path = "/_picloud/hooks/source", tag = "source", request_body(content = Object, description = "Whatever the forge sends, signed."),
    responses((status = 202, description = "The source is looked at.", body = WebhookAnswer), (status = 204, description = "Nothing that concerns the node."))
)]
pub async fn receive(
    Anybody(app): Anybody,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Result<Response, Problem> {
    if !accept(&app, request, peer.ip()).await? {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    app.sync.poke();
    Ok((StatusCode::ACCEPTED, Json(WebhookAnswer { status: "accepted".into() })).into_response())
}

/// Returns whether the source may have changed.
async fn accept(app: &App, request: Request<Body>, address: IpAddr) -> Result<bool, Problem> {
    let webhook = app.webhook.as_ref().ok_or(Problem::NoWebhookSecret)?;
    let (parts, body) = request.into_parts();
    webhook.precheck(&parts.headers).map_err(Problem::Webhook)?;
    let is_small = body.size_hint().exact().is_some_and(|bytes| bytes <= SMALL_BODY_BYTES as u64);
    let _place = if is_small { None } else { Some(webhook.take_place(address).ok_or(Problem::WebhooksBusy)?) };
    let body = read_body(&parts.headers, body, MAX_BODY_BYTES, app.settings.body_timeout).await?;
    webhook.believe(&parts.headers, &body, app.ids.now_us()).map_err(Problem::Webhook)
}
