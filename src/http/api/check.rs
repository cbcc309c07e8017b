//! `POST /api/admin/check`: what would be wrong if files were live beside those that are. Nothing is written.

use std::collections::BTreeMap;

use axum::{Json, body::Body};
use http::Request;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    function::{Diagnostic, FunctionName, Tree},
    http::{
        api::openapi::Routes,
        auth::caller::{Caller, Deploy},
        problem::Problem,
    },
    store::function_name,
    sync::orders::error::OrderError,
};

/// Bytes of all files of one check.
const CHECK_BYTES: usize = 4 << 20;

/// The route of checks.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(check))
}

/// Files that are to be checked: one script by its name, or many by their paths.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Tried {
    /// Of one script.
    #[schema(value_type = Option<String>)]
    name: Option<FunctionName>,
    /// Its source.
    source: Option<String>,
    /// Paths of many files, and what is in them.
    files: Option<BTreeMap<String, String>>,
}

/// Says what would be wrong if files were live beside those that are. A check takes a processor for a while, so it needs the scope of those
/// who deploy.
#[utoipa::path(
    post, path = "/api/admin/check", operation_id = "check_files", tag = "scripts", request_body = Tried,
    responses((status = 200, description = "What is wrong, and what would change.", body = Object))
)]
async fn check(caller: Caller<Deploy>, request: Request<Body>) -> Result<Json<Value>, Problem> {
    let sources = match caller.order(request, |_| CHECK_BYTES).await? {
        Tried { name: Some(name), source: Some(source), files: None } => BTreeMap::from([(name.file(), source)]),
        Tried { name: None, source: None, files: Some(files) } => files,
        _ => return Err(Problem::BadOrder("send `name` and `source` of one script, or `files`: paths and what is in them".into())),
    };
    let grant = caller.for_functions(sources.keys().map(|path| function_name(path)))?;
    let file = |(path, source): (String, String)| Ok((path.into(), grant.app.content(source)?));
    let files: Tree = sources.into_iter().map(file).collect::<Result<_, Problem>>()?;
    let found = grant.app.sync.try_files(files).await.map_err(OrderError::from)?;
    let is_good = !found.diagnostics.iter().any(Diagnostic::is_error);
    Ok(Json(json!({ "ok": is_good, "diagnostics": grant.shown(found.diagnostics), "plan": found.plan, "text": found.plan.to_string() })))
}
