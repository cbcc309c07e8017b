//! The control plane's part about deployments: lists, one with all that is known of it, and what differs between two.

use std::time::Duration;

use axum::Json;
use http::Uri;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::{
    api::deployments::{CountedDeployment, DeploymentPage},
    deployment::{DeploymentId, DeploymentStatus},
    http::{
        api::{
            asked::{PathParams, asked},
            openapi::Routes,
        },
        call::earlier::log,
        caller::{Caller, Grant, Read},
        problem::{Problem, away},
    },
    store::{DeploymentFilter, Store},
    sync::{
        diff::{Bounds, DeploymentDiff, Detail},
        earlier::EarlierError,
    },
};

/// Deployments of a page where nobody says how many, and the most that may be asked for.
const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;
/// Bytes after which a page ends: a deployment may have thousands of changes, or of diagnostics.
const PAGE_BYTES: usize = 2 << 20;
/// Longest text that is looked for, in bytes.
const MAX_TEXT: usize = 1_024;
/// Deployments that are read at once.
const READ: u32 = 10;
/// What an answer tells of lines.
const BOUNDS: Bounds = Bounds { bytes: 4 << 20, time: Duration::from_secs(5) };

/// The routes of deployments.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(list)).routes(routes!(one)).routes(routes!(diff))
}

/// Which deployments are listed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct ListQuery {
    /// At most so many.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Only what came before this one.
    #[param(value_type = Option<String>)]
    cursor: Option<DeploymentId>,
    /// Only those that were decided so: `live` or `rejected`.
    #[param(value_type = Option<String>)]
    status: Option<DeploymentStatus>,
    /// Only those by this name or e-mail address, or pushed by it.
    by: Option<String>,
    /// Only those with this text in subject, note, revision or name.
    text: Option<String>,
    /// Only the numbers of what changed: `changes` stays empty.
    stat: bool,
}

/// Lists what was decided, the newest first.
#[utoipa::path(
    get, path = "/api/admin/deployments", operation_id = "list_deployments", tag = "deployments", params(ListQuery),
    responses((status = 200, description = "A page, and where the next one begins.", body = DeploymentPage))
)]
async fn list(caller: Caller<Read>, uri: Uri) -> Result<Json<DeploymentPage>, Problem> {
    let Grant { app, .. } = caller.for_node()?;
    let query: ListQuery = asked(&uri)?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Problem::BadOrder(format!("`limit`: {limit} is none\n  hint: ask for 1 to {MAX_LIMIT}, and go on with `cursor`")));
    }
    let ListQuery { cursor, status, by, text, stat, .. } = query;
    for (key, value) in [("by", &by), ("text", &text)] {
        if value.as_ref().is_some_and(|value| value.is_empty() || value.len() > MAX_TEXT || value.contains('\0')) {
            return Err(Problem::BadOrder(format!("`{key}` is no text to look for\n  hint: write 1 to {MAX_TEXT} bytes, without zeros")));
        }
    }
    let page = page(&app.history()?, cursor, &DeploymentFilter { status, by, text }, limit as usize, stat).await?;
    Ok(Json(page))
}

/// Reads a page.
async fn page(
    store: &Store,
    mut before: Option<DeploymentId>,
    filter: &DeploymentFilter,
    limit: usize,
    is_counted_only: bool,
) -> Result<DeploymentPage, Problem> {
    let (mut deployments, mut bytes) = (Vec::new(), 0);
    loop {
        let read = store.decisions(READ, before, filter).await.map_err(away)?;
        let is_short = read.deployments.len() < READ as usize;
        for deployment in read.deployments {
            if deployments.len() == limit || bytes >= PAGE_BYTES {
                return Ok(DeploymentPage { deployments, next: before });
            }
            before = Some(deployment.id);
            let counted = CountedDeployment::from(deployment);
            let deployment = if is_counted_only { counted.without_changes() } else { counted };
            bytes += serde_json::to_vec(&deployment).map_or(0, |json| json.len());
            deployments.push(deployment);
        }
        if is_short {
            return Ok(DeploymentPage { deployments, next: read.next });
        }
    }
}

/// Tells all that is known of one deployment.
#[utoipa::path(
    get, path = "/api/admin/deployments/{key}", operation_id = "get_deployment", tag = "deployments",
    params(("key" = String, Path, description = "Its id, its revision, the first characters of that, or `live`.")),
    responses((status = 200, description = "The deployment with its diagnostics and changes.", body = CountedDeployment))
)]
async fn one(caller: Caller<Read>, PathParams(key): PathParams<String>) -> Result<Json<CountedDeployment>, Problem> {
    let Grant { app, .. } = caller.for_node()?;
    let found = app.history()?.find_decision(&key).await.map_err(EarlierError::Find).inspect_err(log)?;
    Ok(Json(found.into()))
}

/// What is compared, and how closely.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct DiffQuery {
    /// The earlier side; none: what was live before.
    against: Option<String>,
    /// Only the functions, and no lines.
    stat: bool,
}

/// Says what differs between two deployments, in functions and in lines.
#[utoipa::path(
    get, path = "/api/admin/deployments/{key}/diff", operation_id = "diff_deployments", tag = "deployments",
    params(("key" = String, Path, description = "The later side, as it is called for `GET`."), DiffQuery),
    responses((status = 200, description = "What differs.", body = DeploymentDiff))
)]
async fn diff(caller: Caller<Read>, PathParams(key): PathParams<String>, uri: Uri) -> Result<Json<DeploymentDiff>, Problem> {
    let Grant { app, .. } = caller.for_node()?;
    let query: DiffQuery = asked(&uri)?;
    let detail = if query.stat { Detail::Count } else { Detail::Lines(BOUNDS) };
    Ok(Json(app.earlier.difference(query.against.as_deref(), &key, detail).await.inspect_err(log)?))
}
