//! The control plane's part about tokens: who there is, who comes, who goes.

use axum::{
    Json,
    body::Body,
    response::{IntoResponse, Response},
};
use http::{Request, StatusCode, header};
use serde_json::json;
use utoipa_axum::routes;

use crate::{
    access::{self, Token, TokenHash},
    api::{
        session::{SessionSummary, Whoami},
        tokens::{NewToken, TokenList, TokenOrder, TokenSummary},
    },
    audit::Action,
    clock::rfc3339,
    http::{
        api::{asked::PathParams, openapi::Routes},
        auth::Identity,
        caller::{Admin, Caller, Grant, Read},
        problem::{Problem, away},
    },
};

/// Longest wish for a token.
const MAX_ORDER_BYTES: usize = 16 * 1024;

/// The routes of tokens.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(tokens, create_token)).routes(routes!(revoke_token)).routes(routes!(rotate_admin_token))
}

/// Tells callers whose token they use, and what it allows.
#[utoipa::path(get, path = "/api/admin/whoami", tag = "tokens", responses((status = 200, description = "The token's name and scope.", body = Whoami)))]
pub async fn whoami(caller: Caller<Read>) -> Json<Whoami> {
    Json(caller.for_itself().into())
}

impl From<Identity> for Whoami {
    fn from(Identity { principal, ends_us, is_session }: Identity) -> Self {
        let session = ends_us.filter(|_| is_session).map(|ends_us| SessionSummary { ends: rfc3339(ends_us) });
        Self { principal, session }
    }
}

/// Lists tokens by name, without their secrets.
#[utoipa::path(get, path = "/api/admin/tokens", tag = "tokens", responses((status = 200, description = "Every token, expired ones too.", body = TokenList)))]
async fn tokens(caller: Caller<Admin>) -> Result<Json<TokenList>, Problem> {
    let Grant { app, .. } = caller.for_node()?;
    let tokens = app.history()?.tokens().await.map_err(away)?;
    let now_us = app.ids.now_us();
    Ok(Json(TokenList { tokens: tokens.iter().map(|token| TokenSummary::of(token, now_us)).collect() }))
}

fn token(order: TokenOrder, now_us: i64) -> Result<Token, Problem> {
    must_be_a_name(&order.name)?;
    let bad = |error: &dyn ToString| Problem::BadOrder(error.to_string());
    let span = order.expires.as_deref().map(access::parse_span_us).transpose().map_err(|error| bad(&error))?;
    let functions = order.functions.as_deref().map(str::parse).transpose().map_err(|error| bad(&error))?;
    Ok(Token::new(order.name, order.scope, functions, now_us, span))
}

/// Makes a token, and answers its secret this once.
#[utoipa::path(
    post, path = "/api/admin/tokens", tag = "tokens", request_body = TokenOrder,
    responses((status = 201, description = "The token, and its secret.", body = NewToken))
)]
async fn create_token(caller: Caller<Admin>, request: Request<Body>) -> Result<Response, Problem> {
    let grant = caller.for_node()?;
    let order: TokenOrder = grant.order(request, MAX_ORDER_BYTES).await?;
    let app = &grant.app;
    let now_us = app.ids.now_us();
    let token = token(order, now_us)?;
    let secret = access::new_secret().map_err(|error| {
        tracing::error!("the system gives no random bytes: {error}");
        Problem::HistoryAway
    })?;
    let (hash, record) = (TokenHash::of(secret.expose()), token.creation(&grant.actor()));
    if !app.history()?.create_token(&token, &hash, &record).await.map_err(away)? {
        return Err(Problem::TokenTaken(token.name));
    }
    app.auth.made(&hash, &token);
    let answer = NewToken { summary: TokenSummary::of(&token, now_us), secret: secret.expose().into() };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

/// Makes a token worthless.
#[utoipa::path(
    delete, path = "/api/admin/tokens/{name}", tag = "tokens", params(("name" = String, Path, description = "As it was called.")),
    responses((status = 204, description = "It is worth nothing any more."))
)]
async fn revoke_token(caller: Caller<Admin>, PathParams(name): PathParams<String>) -> Result<StatusCode, Problem> {
    let grant = caller.for_node()?;
    // Postgres takes no text with a zero in it, for one.
    must_be_a_name(&name)?;
    let record = access::revocation(&name, &grant.actor(), grant.app.ids.now_us());
    if !grant.app.history()?.revoke_token(&name, &record).await.map_err(away)? {
        return Err(Problem::UnknownToken(name));
    }
    grant.app.auth.revoked(&name);
    Ok(StatusCode::NO_CONTENT)
}

/// Draws another admin token, which is in the data folder afterwards. The one before is worth nothing, and whoever signed in with it is signed out.
#[utoipa::path(
    post, path = "/api/admin/rotate-admin-token", tag = "tokens",
    responses((status = 204, description = "The file `admin-token` of the data folder has another."))
)]
async fn rotate_admin_token(caller: Caller<Admin>) -> Result<StatusCode, Problem> {
    let grant = caller.for_node()?;
    grant.app.auth.rotate_admin().map_err(Problem::AdminTokenStays)?;
    grant.app.note(&grant.actor(), Action::AdminTokenRotate, json!({})).await;
    Ok(StatusCode::NO_CONTENT)
}

fn must_be_a_name(name: &str) -> Result<(), Problem> {
    access::check_name(name).map_err(|error| Problem::BadOrder(error.to_string()))
}
