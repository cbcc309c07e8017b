//! The control plane's part about routes: which are live, and why one URL is answered by one of them.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::{ConnectInfo, State},
    routing::get,
};
use http::{HeaderMap, Uri};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{App, Problem, asked::asked};
use crate::{
    access::Scope,
    blocking,
    live::{Table, explain::Explanation},
};

/// The routes about routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/api/admin/routes", get(list)).route("/api/admin/routes/explain", get(explain))
}

async fn list(State(app): State<Arc<App>>, ConnectInfo(peer): ConnectInfo<SocketAddr>, headers: HeaderMap) -> Result<Json<Value>, Problem> {
    app.auth.require_bearer(Scope::Read, &headers, peer.ip()).await?;
    let table = app.loaded()?;
    let defaults = app.limits.clone();
    apart(move || json!({ "deployment": table.deployment, "routes": table.listing(&defaults) })).await
}

/// Which request is explained.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExplainQuery {
    /// As it would be sent, without a query.
    path: String,
    /// None: `GET`.
    method: Option<String>,
}

async fn explain(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<Explanation>, Problem> {
    app.auth.require_bearer(Scope::Read, &headers, peer.ip()).await?;
    let ExplainQuery { path, method } = asked(&uri)?;
    let table = app.loaded()?;
    apart(move || table.explain(&method.unwrap_or_else(|| "GET".into()).to_uppercase(), &path)).await
}

/// Looks at every route away from the requests: ten thousand take some milliseconds.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<Json<T>, Problem> {
    blocking::run(work).await.map(Json).ok_or(Problem::NotReady)
}

impl App {
    /// Returns what is live, once something is.
    pub(super) fn loaded(&self) -> Result<Arc<Table>, Problem> {
        Some(self.live.table()).filter(|table| table.is_loaded()).ok_or(Problem::NotReady)
    }
}
