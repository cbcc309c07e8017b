//! The control plane's part about executions: lists, one with all that is known of it, and those that come.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{ConnectInfo, Path, RawQuery, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Value, json};

use super::{App, Problem, replay, tail};
use crate::{
    access::Scope,
    clock::rfc3339,
    execution::{Execution, ExecutionId, Timed},
    store::{ExecutionFilter, FilterError, Store, StoreError},
};

/// Time for looking through executions on behalf of one request; then it is answered with what was found, and where to go on. The look
/// that is under way at its end may take as long again.
const BUDGET: Duration = Duration::from_millis(12);
/// Carries the id of the last event that a client saw.
const LAST_EVENT_ID: &str = "last-event-id";

/// The routes of executions.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/admin/executions", get(list))
        .route("/api/admin/executions/tail", get(follow))
        .route("/api/admin/executions/{id}", get(one))
        .route("/api/admin/executions/{id}/replay", post(replay::replay))
}

async fn list(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    app.auth.require_bearer(Scope::Read, &headers, peer.ip()).await?;
    let filter = filter(&app, query.as_deref())?;
    let page = app.history()?.search(&filter, BUDGET).await.map_err(away)?;
    Ok(Json(json!({
        "executions": page.executions.iter().map(Timed::from).collect::<Vec<_>>(),
        "next": page.next,
        "looked_back_to": page.next.map(|next| rfc3339(next.time_us())),
    })))
}

async fn one(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    app.auth.require_bearer(Scope::Read, &headers, peer.ip()).await?;
    let id: ExecutionId = id.parse().map_err(|_| Problem::UnknownExecution)?;
    let execution = app.history()?.execution(id).await.map_err(away)?.ok_or(Problem::UnknownExecution)?;
    Ok(Json(Timed::from(&execution)).into_response())
}

async fn follow(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    app.auth.require_bearer(Scope::Read, &headers, peer.ip()).await?;
    for key in ["limit", "cursor", "until"] {
        if pairs(query.as_deref()).any(|(name, _)| name == key) {
            return Err(Problem::BadOrder(format!("`{key}`: what comes has no pages and no end; leave it out")));
        }
    }
    let filter = filter(&app, query.as_deref())?;
    let after = headers.get(LAST_EVENT_ID).map(last_event_id).transpose()?;
    let place = app.tails.clone().try_acquire_owned().map_err(|_| Problem::TailsBusy { limit: app.settings.max_tails })?;
    let body = tail::body(&app, filter, after, place).await?;
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, body).into_response())
}

fn last_event_id(value: &HeaderValue) -> Result<ExecutionId, Problem> {
    let id = value.to_str().ok().and_then(|text| text.parse().ok());
    id.ok_or_else(|| Problem::BadOrder(format!("`{LAST_EVENT_ID}`: that is no id of an event; send one as it came, or none")))
}

fn filter(app: &App, query: Option<&str>) -> Result<ExecutionFilter, Problem> {
    let pairs: Vec<_> = pairs(query).collect();
    ExecutionFilter::parse(pairs.iter().map(|(key, value)| (&**key, &**value)), app.ids.now_us())
        .map_err(|FilterError { key, message, hint }| Problem::BadOrder(format!("`{key}`: {message}; {hint}")))
}

fn pairs(query: Option<&str>) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes())
}

impl App {
    /// Returns the store, if it has been reached.
    pub(super) fn history(&self) -> Result<Store, Problem> {
        self.store.borrow().clone().ok_or(Problem::HistoryAway)
    }

    /// Returns the newest executions from this id on, oldest first, for somebody who was away.
    pub(super) async fn missed(&self, filter: &ExecutionFilter, from: ExecutionId) -> Result<Missed, Problem> {
        let filter = ExecutionFilter { from: Some(from), limit: MISSED, ..filter.clone() };
        let page = self.history()?.search(&filter, MISSED_BUDGET).await.map_err(away)?;
        let mut executions = page.executions;
        executions.reverse();
        Ok(Missed { executions, is_cut: page.next.is_some() })
    }
}

/// What somebody who was away has missed.
pub struct Missed {
    /// Oldest first.
    pub executions: Vec<Execution>,
    /// There may be older ones.
    pub is_cut: bool,
}

/// Executions that are told to somebody who was away, and the time for finding them; it is nobody's request that waits.
const MISSED: u32 = 1_000;
const MISSED_BUDGET: Duration = Duration::from_secs(1);

/// Says in the log why executions cannot be read.
pub(super) fn away(error: StoreError) -> Problem {
    tracing::error!(error = &error as &dyn std::error::Error, "executions cannot be read: {error}");
    Problem::HistoryAway
}
