//! `POST /api/admin/check`: what would be wrong if files were live beside those that are. Nothing is written.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use axum::{
    Json,
    body::Body,
    extract::{ConnectInfo, State},
};
use http::Request;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{App, Problem, openapi::Routes};
use crate::{
    function::{Diagnostic, FunctionName, Tree},
    live::scripts::file_of,
    sync::orders::OrderError,
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

/// Says what would be wrong if files were live beside those that are. A check takes the time of the loop that deploys, so it needs the scope
/// of those who may.
#[utoipa::path(
    post, path = "/api/admin/check", operation_id = "check_files", tag = "scripts", request_body = Tried,
    responses((status = 200, description = "What is wrong, and what would change.", body = Object))
)]
async fn check(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Result<Json<Value>, Problem> {
    let (_, _, tried): (_, _, Tried) = app.order(peer, request, CHECK_BYTES).await?;
    let files: Tree = match tried {
        Tried { name: Some(name), source: Some(source), files: None } => Tree::from([(file_of(&name).into(), app.content(source)?)]),
        Tried { name: None, source: None, files: Some(files) } => {
            let file = |(path, source): (String, String)| Ok((path.into(), app.content(source)?));
            files.into_iter().map(file).collect::<Result<_, Problem>>()?
        }
        _ => return Err(Problem::BadOrder("send `name` and `source` of one script, or `files`: paths and what is in them".into())),
    };
    let found = app.sync.try_files(files).await.map_err(OrderError::from)?;
    let is_good = !found.diagnostics.iter().any(Diagnostic::is_error);
    Ok(Json(json!({ "ok": is_good, "diagnostics": found.diagnostics, "plan": found.plan, "text": found.plan.to_string() })))
}
