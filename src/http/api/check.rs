//! `POST /api/admin/check`: what would be wrong if files were live beside those that are. Nothing is written.

use std::collections::BTreeMap;

use axum::{Json, body::Body};
use http::Request;
use utoipa_axum::routes;

use crate::{
    api::upload::{CheckAnswer, CheckOrder},
    function::{Diagnostic, Tree},
    http::{
        api::openapi::Routes,
        caller::{Caller, Deploy},
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

/// Says what would be wrong if files were live beside those that are. A check takes a processor for a while, so it needs the scope of those
/// who deploy.
#[utoipa::path(
    post, path = "/api/admin/check", operation_id = "check_files", tag = "scripts", request_body = CheckOrder,
    responses((status = 200, description = "What is wrong, and what would change.", body = CheckAnswer))
)]
async fn check(caller: Caller<Deploy>, request: Request<Body>) -> Result<Json<CheckAnswer>, Problem> {
    let sources = match caller.order(request, |_| CHECK_BYTES).await? {
        CheckOrder { name: Some(name), source: Some(source), files: None } => BTreeMap::from([(name.file(), source)]),
        CheckOrder { name: None, source: None, files: Some(files) } => files,
        _ => {
            return Err(Problem::BadOrder(
                "the order names no files\n  hint: send `name` and `source` of one script, or `files`: paths and what is in them".into(),
            ));
        }
    };
    let grant = caller.for_functions(sources.keys().map(|path| function_name(path)))?;
    let file = |(path, source): (String, String)| Ok((path.into(), grant.app.content(source)?));
    let files: Tree = sources.into_iter().map(file).collect::<Result<_, Problem>>()?;
    let found = grant.app.sync.try_files(files, grant.topics()).await.map_err(OrderError::from)?;
    let ok = !found.diagnostics.iter().any(Diagnostic::is_error);
    Ok(Json(CheckAnswer { ok, diagnostics: grant.shown(found.diagnostics), text: found.plan.to_string(), plan: found.plan }))
}
