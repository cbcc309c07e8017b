//! The control plane's part about tokens: who there is, who comes, who goes.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json,
    body::Body,
    extract::{ConnectInfo, Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Request, StatusCode, header, request::Parts};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{App, Problem, function, openapi::Routes, problem::away};
use crate::{
    access::{self, Scope, Token, TokenHash},
    audit::Actor,
};

/// Longest wish for a token.
const MAX_ORDER_BYTES: usize = 16 * 1024;

/// The routes of tokens.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(tokens, create_token)).routes(routes!(revoke_token))
}

/// Lists tokens by name, without their secrets.
#[utoipa::path(get, path = "/api/admin/tokens", tag = "tokens", responses((status = 200, description = "Every token, expired ones too.", body = Object)))]
async fn tokens(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    app.auth.require_bearer(Scope::Admin, &headers, peer.ip()).await?;
    let tokens = app.history()?.tokens().await.map_err(away)?;
    let now_us = app.ids.now_us();
    Ok(Json(json!({ "tokens": tokens.iter().map(|token| token.summary(now_us)).collect::<Vec<_>>() })))
}

/// A token that is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewToken {
    /// 1 to 64 letters, digits, `-`, `_` and `.`.
    name: String,
    /// `read`, `deploy` or `admin`.
    #[schema(value_type = String)]
    scope: Scope,
    /// How long it is good for: `90d`; none: for ever.
    #[serde(default)]
    expires: Option<String>,
    /// Good only for the function of this name and those in the folder of this name; none: for the whole node.
    #[serde(default)]
    functions: Option<String>,
}

impl NewToken {
    fn token(self, now_us: i64) -> Result<Token, Problem> {
        let bad = |error: &dyn ToString| Problem::BadOrder(error.to_string());
        access::check_name(&self.name).map_err(|error| bad(&error))?;
        let span = self.expires.as_deref().map(access::parse_span_us).transpose().map_err(|error| bad(&error))?;
        let functions = self.functions.as_deref().map(str::parse).transpose().map_err(|error| bad(&error))?;
        Ok(Token::new(self.name, self.scope, functions, now_us, span))
    }
}

/// Makes a token, and answers its secret this once.
#[utoipa::path(
    post, path = "/api/admin/tokens", tag = "tokens", request_body = NewToken,
    responses((status = 201, description = "The token, and its secret.", body = Object))
)]
async fn create_token(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (Parts { headers, .. }, body) = request.into_parts();
    let principal = app.auth.require_bearer(Scope::Admin, &headers, peer.ip()).await?;
    let body = function::read_body(&headers, body, MAX_ORDER_BYTES, app.settings.body_timeout).await?;
    let new: NewToken =
        serde_json::from_slice(&body).map_err(|error| Problem::BadOrder(format!("the body is no wish for a token: {error}")))?;
    let now_us = app.ids.now_us();
    let token = new.token(now_us)?;
    let secret = access::new_secret().map_err(|error| {
        tracing::error!("the system gives no random bytes: {error}");
        Problem::HistoryAway
    })?;
    let record = token.creation(&Actor::over_http(principal.name, peer.ip()));
    if !app.history()?.create_token(&token, &TokenHash::of(secret.expose()), &record).await.map_err(away)? {
        return Err(Problem::TokenTaken(token.name));
    }
    let mut answer = token.summary(now_us);
    answer["secret"] = secret.expose().into();
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

/// Makes a token worthless.
#[utoipa::path(
    delete, path = "/api/admin/tokens/{name}", tag = "tokens", params(("name" = String, Path, description = "As it was called.")),
    responses((status = 204, description = "It is worth nothing any more."))
)]
async fn revoke_token(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let principal = app.auth.require_bearer(Scope::Admin, &headers, peer.ip()).await?;
    let record = access::revocation(&name, &Actor::over_http(principal.name, peer.ip()), app.ids.now_us());
    match app.history()?.revoke_token(&name, &record).await.map_err(away)? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::UnknownToken(name)),
    }
}
