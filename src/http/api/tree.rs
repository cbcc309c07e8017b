//! A whole tree of functions in one request: `PUT /api/admin/tree` with a tar, as `picloud deploy` sends it.

use axum::{Json, body::Body};
use http::{Request, StatusCode, Uri};
use tokio::sync::Semaphore;
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::{
    api::upload::TreeAnswer,
    http::{
        api::openapi::Routes,
        caller::{Caller, Deploy},
        problem::Problem,
        wire::body::read_body,
    },
    source::tarball::{self, TarLimits},
    sync::orders::upload::{SourceChange, Upload},
};

/// Bytes of a tar as it comes.
const MAX_TAR_BYTES: usize = 32 << 20;
/// Bytes of what is in it, and how many files and folders: twice the largest tree that is measured, ten thousand functions.
const MAX_TOTAL_BYTES: u64 = 64 << 20;
const MAX_ENTRIES: u64 = 20_000;
/// Trees that are read at the same time, because each may take that much memory. The loop takes one after the other anyway.
static PLACES: Semaphore = Semaphore::const_new(2);

/// The route of the tree.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(deploy))
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Wishes {
    is_dry_run: bool,
    allow_mass_delete: bool,
}

impl Wishes {
    fn parse(uri: &Uri) -> Result<Self, Problem> {
        let mut wishes = Self::default();
        for (key, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            let wish = match &*key {
                "dry_run" => &mut wishes.is_dry_run,
                "allow_mass_delete" => &mut wishes.allow_mass_delete,
                _ => return Err(Problem::BadOrder(format!("`{key}`: there are `dry_run` and `allow_mass_delete`"))),
            };
            *wish = match &*value {
                "true" => true,
                "false" => false,
                _ => return Err(Problem::BadOrder(format!("`{key}` is `true` or `false`"))),
            };
        }
        Ok(wishes)
    }
}

/// How a tree is meant.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is there for the description")]
struct TreeQuery {
    /// Only say what would change.
    dry_run: Option<bool>,
    /// Most functions, or all of them, may go.
    allow_mass_delete: Option<bool>,
}

/// Makes the files of a tar the functions, and no others.
#[utoipa::path(
    put, path = "/api/admin/tree", operation_id = "deploy_tree", tag = "scripts", params(TreeQuery), request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "What changed, or would.", body = TreeAnswer),
        (status = 202, description = "It is written, and not live; `held` says why.", body = TreeAnswer)
    )
)]
async fn deploy(caller: Caller<Deploy>, request: Request<Body>) -> Result<(StatusCode, Json<TreeAnswer>), Problem> {
    let grant = caller.for_node()?;
    let (app, (parts, body)) = (&grant.app, request.into_parts());
    let wishes = Wishes::parse(&parts.uri)?;
    let _place = PLACES.try_acquire().map_err(|_| Problem::UploadsBusy)?;
    let tar = read_body(&parts.headers, body, MAX_TAR_BYTES, app.settings.body_timeout).await?;
    let limits = TarLimits { entries: MAX_ENTRIES, total_bytes: MAX_TOTAL_BYTES, file_bytes: app.max_file_bytes as u64 };
    let tree = tarball::unpack(tar, limits).await?;
    let upload = Upload {
        change: SourceChange::Tree(tree),
        by: grant.actor(),
        topics: grant.topics(),
        allow_mass_delete: wishes.allow_mass_delete,
        is_dry_run: wishes.is_dry_run,
    };
    let uploaded = app.upload(upload).await?;
    let status = if uploaded.held.is_some() { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(TreeAnswer::new(uploaded, wishes.is_dry_run))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_said_by_name() {
        let parse = |query: &str| Wishes::parse(&format!("/api/admin/tree{query}").parse().unwrap()).ok();
        assert_eq!(parse(""), Some(Wishes::default()));
        assert_eq!(parse("?dry_run=true"), Some(Wishes { is_dry_run: true, allow_mass_delete: false }));
        assert_eq!(parse("?allow_mass_delete=true&dry_run=false"), Some(Wishes { is_dry_run: false, allow_mass_delete: true }));
        for query in ["?dry_run", "?dry_run=1", "?dryrun=true"] {
            assert_eq!(parse(query), None, "{query}");
        }
    }
}
