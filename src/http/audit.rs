//! The control plane's part about the audit log.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::{ConnectInfo, RawQuery, State},
    routing::get,
};
use http::HeaderMap;
use serde_json::{Value, json};

use super::{App, Problem, tokens::away};
use crate::{access::Scope, audit::AuditFilter};

/// The route of the audit log.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/api/admin/audit", get(list))
}

async fn list(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    app.auth.require_bearer(Scope::Admin, &headers, peer.ip()).await?;
    let pairs: Vec<_> = form_urlencoded::parse(query.as_deref().unwrap_or_default().as_bytes()).collect();
    let pairs = pairs.iter().map(|(key, value)| (&**key, &**value));
    let filter = AuditFilter::parse(pairs, app.ids.now_us()).map_err(|error| Problem::BadOrder(error.to_string()))?;
    let limit = filter.limit as usize;
    // One more, which tells whether there is another page.
    let mut entries = app.store()?.audit(&AuditFilter { limit: filter.limit + 1, ..filter }).await.map_err(away)?;
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries.last().filter(|_| has_more).map(|last| last.id.to_string());
    Ok(Json(json!({ "entries": entries, "next": next })))
}
