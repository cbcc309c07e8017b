//! `/_picloud/session`: browsers sign in by a token, and get a cookie that the control API takes instead of it.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Json,
    body::Body,
    extract::ConnectInfo,
    response::{AppendHeaders, IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use serde_json::{Value, json};
use tokio::time::timeout;
use utoipa_axum::routes;

use crate::{
    access::Principal,
    api::session::{SessionOrder, SignedIn},
    audit::{Action, Actor, Record},
    http::{
        api::openapi::Routes,
        app::App,
        auth::{Denial, SESSION},
        caller::{Anybody, Caller, Read},
        cookie,
        origin::Page,
        problem::Problem,
    },
};

/// Longest order.
const MAX_ORDER_BYTES: usize = 4 * 1024;
/// The audit log has so long to take an entry. Whoever cannot be noted is let in: the admin must see a node whose database is away.
const PATIENCE: Duration = Duration::from_secs(2);

/// The routes of sessions.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(signed_in, sign_in, sign_out))
}

/// Tells who is signed in. Other than for `whoami` it is no error if nobody is: pages ask this before they know.
#[utoipa::path(
    get, path = "/_picloud/session", tag = "session",
    responses((status = 200, description = "Whose session or token came with the request, if it is good.", body = SignedIn))
)]
async fn signed_in(caller: Result<Caller<Read>, Problem>) -> Result<impl IntoResponse, Problem> {
    let who = match caller {
        Ok(caller) => Some(caller.for_itself().into()),
        Err(Problem::Denied(Denial::NoToken { .. } | Denial::SessionEnded)) => None,
        Err(problem) => return Err(problem),
    };
    Ok(([(header::CACHE_CONTROL, NO_STORE)], Json(SignedIn { who })))
}

/// Begins a session of 12 hours by a token.
#[utoipa::path(
    post, path = "/_picloud/session", tag = "session", request_body = SessionOrder,
    responses((status = 204, description = "It has begun; the cookie stands for the token.", headers(("Set-Cookie" = String, description = "For this host and port, not for scripts."))))
)]
async fn sign_in(anybody: Anybody, ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request<Body>) -> Result<Response, Problem> {
    if Page::of(request.headers()) == Page::Other {
        return Err(Denial::OtherOrigin.into());
    }
    let headers = request.headers().clone();
    let order: SessionOrder = anybody.order(request, MAX_ORDER_BYTES).await?;
    let app = anybody.0;
    let (id, Principal { name, scope, functions }) = app.auth.sign_in(&order.token, peer.ip()).await?;
    let detail = json!({ "scope": scope, "functions": functions });
    app.note(&Actor::over_http(name, peer.ip()), Action::SignIn, detail).await;
    // The browser forgets those that it had, so nobody could end them.
    app.end_sessions(&headers, peer).await;
    Ok(answer(cookie::keep(&headers, &id, SESSION)))
}

/// Ends the session, if there is one.
#[utoipa::path(
    delete, path = "/_picloud/session", tag = "session",
    responses((status = 204, description = "Nobody is signed in by that cookie any more."))
)]
async fn sign_out(Anybody(app): Anybody, ConnectInfo(peer): ConnectInfo<SocketAddr>, headers: HeaderMap) -> Result<Response, Problem> {
    let forgotten: Vec<HeaderValue> = cookie::forget(&headers).collect();
    if !forgotten.is_empty() && !Page::of(&headers).may_use_session(&Method::DELETE) {
        return Err(Denial::OtherOrigin.into());
    }
    app.end_sessions(&headers, peer).await;
    Ok(answer(forgotten))
}

fn answer(cookies: impl IntoIterator<Item = HeaderValue>) -> Response {
    let cookies = AppendHeaders(cookies.into_iter().map(|cookie| (header::SET_COOKIE, cookie)));
    (StatusCode::NO_CONTENT, cookies, [(header::CACHE_CONTROL, NO_STORE)]).into_response()
}

/// What carries a session is kept nowhere on its way.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

impl App {
    /// Ends the sessions that a request has.
    async fn end_sessions(&self, headers: &HeaderMap, peer: SocketAddr) {
        for sent in cookie::all(headers) {
            if let Some(ended) = self.auth.sign_out(sent.id) {
                self.note(&Actor::over_http(ended.name, peer.ip()), Action::SignOut, json!({})).await;
            }
        }
    }

    /// Puts what somebody did into the audit log, as far as the database can take it now.
    pub(super) async fn note(&self, actor: &Actor, action: Action, detail: Value) {
        let record: Record = actor.does(action, self.ids.now_us(), detail);
        let store = self.store.borrow().clone();
        let why = match store {
            None => "it has not been reached yet".into(),
            Some(store) => match timeout(PATIENCE, store.record_audit(&record)).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.explained().to_string(),
                Err(_) => "it does not answer in time".into(),
            },
        };
        tracing::warn!("`{}` by `{}` from {} is not in the audit log: the database: {why}", record.action, record.who, record.origin);
    }
}
