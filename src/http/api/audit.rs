//! The control plane's part about the audit log.

use axum::{Json, extract::RawQuery};
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::{
    api::audit::AuditPage,
    audit::AuditFilter,
    http::{
        api::openapi::Routes,
        caller::{Admin, Caller, Grant},
        problem::{Problem, away},
    },
};

/// The route of the audit log.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(audit))
}

/// Which entries are meant; [`AuditFilter::parse`] reads them.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is there for the description")]
struct AuditQuery {
    /// Of this kind: `save`, `push`, `rollback`, `token_create` …
    action: Option<String>,
    /// What this one did.
    who: Option<String>,
    /// Done since then: a span (`10m`) or a time.
    since: Option<String>,
    /// So many at most.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// What follows the last page.
    cursor: Option<String>,
}

/// Lists who changed what, the newest first.
#[utoipa::path(
    get, path = "/api/admin/audit", tag = "tokens", params(AuditQuery),
    responses((status = 200, description = "A page, and where the next one begins.", body = AuditPage))
)]
async fn audit(caller: Caller<Admin>, RawQuery(query): RawQuery) -> Result<Json<AuditPage>, Problem> {
    let Grant { app, .. } = caller.for_node()?;
    let pairs: Vec<_> = form_urlencoded::parse(query.as_deref().unwrap_or_default().as_bytes()).collect();
    let pairs = pairs.iter().map(|(key, value)| (&**key, &**value));
    let filter = AuditFilter::parse(pairs, app.ids.now_us()).map_err(|error| Problem::BadOrder(error.to_string()))?;
    let limit = filter.limit as usize;
    // One more, which tells whether there is another page.
    let mut entries = app.history()?.audit(&AuditFilter { limit: filter.limit + 1, ..filter }).await.map_err(away)?;
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries.last().filter(|_| has_more).map(|last| last.id.to_string());
    Ok(Json(AuditPage { entries, next }))
}
