//! The control plane's part about routes: which are live, and why one URL is answered by one of them.

use std::sync::Arc;

use axum::Json;
use http::Uri;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::{
    api::routes::RouteList,
    blocking,
    http::{
        api::{asked::asked, openapi::Routes},
        app::App,
        caller::{Caller, Grant, Read},
        problem::Problem,
    },
    live::{Table, explain::Explanation},
};

/// The routes about routes.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(list)).routes(routes!(explain))
}

/// Lists every route that is live.
#[utoipa::path(
    get, path = "/api/admin/routes", operation_id = "list_routes", tag = "routes",
    responses((status = 200, description = "The deployment, and its routes.", body = RouteList))
)]
async fn list(caller: Caller<Read>) -> Result<Json<RouteList>, Problem> {
    let Grant { app, .. } = caller.for_node()?;
    let table = app.loaded()?;
    let defaults = app.limits.clone();
    apart(move || RouteList { deployment: table.deployment, routes: table.listing(&defaults) }).await
}

/// Which request is explained.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ExplainQuery {
    /// As it would be sent, without a query.
    path: String,
    /// None: `GET`.
    method: Option<String>,
}

/// Says which function answers a request, and why the others do not.
#[utoipa::path(
    get, path = "/api/admin/routes/explain", operation_id = "explain_route", tag = "routes", params(ExplainQuery),
    responses((status = 200, description = "What the request meets, and who lost.", body = Explanation))
)]
async fn explain(caller: Caller<Read>, uri: Uri) -> Result<Json<Explanation>, Problem> {
    let Grant { app, .. } = caller.for_node()?;
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
