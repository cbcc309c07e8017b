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
    deployment::DeploymentId,
    http::{
        api::{asked::asked, openapi::Routes},
        app::App,
        caller::{Caller, Grant, Read},
        problem::Problem,
    },
    live::{Table, explain::Explanation, listing::RouteSummary},
};

/// The routes about routes.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(list)).routes(routes!(explain))
}

/// Which routes are listed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct ListQuery {
    /// Those of functions whose name begins so.
    prefix: String,
    /// Those with this text in their path, their file or their description, in capitals or not.
    text: Option<String>,
    /// So many at most; none: all.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// The most routes of a page, where there are pages, and the longest text that is looked for, in bytes.
const MAX_LIMIT: usize = 1_000;
const MAX_TEXT: usize = 1_024;

impl ListQuery {
    fn check(&self) -> Result<(), Problem> {
        if self.limit.is_some_and(|limit| !(1..=MAX_LIMIT).contains(&limit)) {
            return Err(Problem::BadOrder(format!("`limit`: a page has 1 to {MAX_LIMIT} routes\n  hint: leave it out for all of them")));
        }
        if self.text.as_ref().is_some_and(|text| text.is_empty() || text.len() > MAX_TEXT) {
            return Err(Problem::BadOrder(format!("`text` is no text to look for\n  hint: write 1 to {MAX_TEXT} bytes")));
        }
        Ok(())
    }

    fn selects(&self, route: &RouteSummary) -> bool {
        let is_below = || route.function().is_some_and(|name| name.as_str().starts_with(&self.prefix));
        (self.prefix.is_empty() || is_below())
            && self.text.as_ref().is_none_or(|text| route.has_text(text))
            && self.cursor.as_ref().is_none_or(|cursor| place(route) > *cursor)
    }

    /// Makes a page of routes that are in order.
    fn page(&self, deployment: DeploymentId, listing: Vec<RouteSummary>) -> RouteList {
        let mut routes: Vec<RouteSummary> = listing.into_iter().filter(|route| self.selects(route)).collect();
        let limit = self.limit.filter(|limit| routes.len() > *limit);
        routes.truncate(limit.unwrap_or(usize::MAX));
        RouteList { deployment, next: limit.and(routes.last()).map(place), routes }
    }
}

/// The place of a route in the list. It sorts as the list does: no name has a line break.
fn place(route: &RouteSummary) -> String {
    format!("{}\n{}", route.route, route.file)
}

/// Lists the routes that are live.
#[utoipa::path(
    get, path = "/api/admin/routes", operation_id = "list_routes", tag = "routes", params(ListQuery),
    responses((status = 200, description = "The deployment, and its routes.", body = RouteList))
)]
async fn list(caller: Caller<Read>, uri: Uri) -> Result<Json<RouteList>, Problem> {
    let query: ListQuery = asked(&uri)?;
    query.check()?;
    let Grant { app, .. } = caller.for_all_below(&query.prefix)?;
    let table = app.loaded()?;
    let defaults = app.limits.default.clone();
    apart(move || query.page(table.deployment, table.listing(&defaults))).await
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
