//! Changes of scripts, which are written where the source keeps its files.

use axum::{
    Json,
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};

use super::show;
use crate::{
    api::scripts::{DeletedGuard, HeldDeletion, ScriptAnswer, ScriptOrder, SourceOrder},
    function::Diagnostic,
    http::{
        api::asked::PathParams,
        app::App,
        caller::{Caller, Deploy, Grant},
        problem::Problem,
    },
    live::scripts::Script,
    sync::orders::upload::{SourceChange, Upload, UploadError, UploadOutcome},
};

/// A byte of a script takes at most so many in JSON.
const JSON_GROWTH: usize = 6;
/// What there is in an order beside scripts, in bytes.
const ORDER_BYTES: usize = 64 * 1024;

/// Makes a script.
#[utoipa::path(
    post, path = "/api/admin/scripts", operation_id = "create_script", tag = "scripts", request_body = ScriptOrder,
    responses(
        (status = 201, description = "The script, live.", body = ScriptAnswer, headers(("ETag" = String, description = "Its version, or the digest of its content."), ("Location" = String, description = "Where it is."))),
        (status = 202, description = "It is written, and not live; `held` says why.", body = ScriptAnswer, headers(("ETag" = String, description = "Its version, or the digest of its content."), ("Location" = String, description = "Where it is.")))
    )
)]
pub async fn create(caller: Caller<Deploy>, request: Request<Body>) -> Result<Response, Problem> {
    let ScriptOrder { name, source } = caller.order(request, App::one_script_bytes).await?;
    let grant = caller.for_function(&name)?;
    let app = &grant.app;
    let uploaded = grant.change(SourceChange::Create(name.clone(), app.content(source)?)).await?;
    let script = app.live.script(&name).ok_or(Problem::UnknownScript)?;
    let place = format!("/api/admin/scripts/{}", script.id());
    let status = if uploaded.held.is_some() { StatusCode::ACCEPTED } else { StatusCode::CREATED };
    let mut response = show(&grant, status, &script, uploaded.held).await;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_str(&place).expect("ids are ASCII"));
    Ok(response)
}

/// Gives a script another source.
#[utoipa::path(
    put, path = "/api/admin/scripts/{id}", operation_id = "replace_script", tag = "scripts", request_body = SourceOrder, params(("id" = String, Path, description = "A script's id, or its name."), ("If-Match" = Option<String>, Header, description = "An `ETag`: only if the script still has it.")),
    responses(
        (status = 200, description = "The script, live.", body = ScriptAnswer, headers(("ETag" = String, description = "Its version, or the digest of its content."))),
        (status = 202, description = "It is written, and not live; `held` says why.", body = ScriptAnswer, headers(("ETag" = String, description = "Its version, or the digest of its content.")))
    )
)]
pub async fn replace(
    caller: Caller<Deploy>,
    PathParams(id): PathParams<String>,
    headers: HeaderMap,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let SourceOrder { source } = caller.order(request, App::one_script_bytes).await?;
    let (grant, Script { name, .. }) = caller.for_found(|app| async move { app.script(&id) }).await?;
    let app = &grant.app;
    let change = SourceChange::Replace(name.clone(), Some(app.content(source)?), expected(&headers));
    let uploaded = grant.change(change).await?;
    let script = app.live.script(&name).ok_or(Problem::UnknownScript)?;
    let status = if uploaded.held.is_some() { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok(show(&grant, status, &script, uploaded.held).await)
}

/// Deletes a script.
#[utoipa::path(
    delete, path = "/api/admin/scripts/{id}", operation_id = "delete_script", tag = "scripts", params(("id" = String, Path, description = "A script's id, or its name."), ("If-Match" = Option<String>, Header, description = "An `ETag`: only if the script still has it.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 200, description = "It is gone, and functions are without this guard: `diagnostics` says how many.", body = DeletedGuard),
        (status = 202, description = "It is deleted, and still live; `held` says why.", body = HeldDeletion)
    )
)]
pub async fn delete(caller: Caller<Deploy>, PathParams(id): PathParams<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let (grant, Script { name, .. }) = caller.for_found(|app| async move { app.script(&id) }).await?;
    let file = name.file();
    let uploaded = grant.change(SourceChange::Replace(name, None, expected(&headers))).await?;
    let diagnostics: Vec<Diagnostic> = uploaded.diagnostics.into_iter().filter(|found| *found.file == *file).collect();
    Ok(match uploaded.held {
        None if diagnostics.is_empty() => StatusCode::NO_CONTENT.into_response(),
        None => Json(DeletedGuard { diagnostics }).into_response(),
        Some(held) => (StatusCode::ACCEPTED, Json(HeldDeletion { held })).into_response(),
    })
}

/// Returns the tags of which one must be the script's, if the request says so. Proxies that compress mark tags as weak.
fn expected(headers: &HeaderMap) -> Option<Vec<String>> {
    let sent = headers.get_all(header::IF_MATCH).iter();
    let tags: Vec<String> = sent
        .flat_map(|value| value.to_str().unwrap_or_default().split(',').map(str::trim))
        .map(|tag| tag.trim_start_matches("W/").trim_matches('"').to_owned())
        .collect();
    // `*`: whatever is there.
    (!tags.is_empty() && tags != ["*"]).then_some(tags)
}

impl Grant {
    /// Changes a script, and waits until that is live.
    async fn change(&self, change: SourceChange) -> Result<UploadOutcome, Problem> {
        let upload = Upload { change, by: self.actor(), topics: self.topics(), allow_mass_delete: false, is_dry_run: false };
        self.app.upload(upload).await.map_err(|error| match error {
            UploadError::Wrong(diagnostics) => UploadError::Wrong(self.shown(diagnostics)).into(),
            error => error.into(),
        })
    }
}

impl App {
    fn one_script_bytes(&self) -> usize {
        self.max_file_bytes.saturating_mul(JSON_GROWTH).saturating_add(ORDER_BYTES)
    }
}
