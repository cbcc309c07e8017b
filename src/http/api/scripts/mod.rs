//! The control plane's part about scripts: lists, one with all that is known of it, changes, versions.

mod change;
mod list;
mod versions;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use utoipa_axum::routes;
pub(super) use versions::version_of;

use crate::{
    api::scripts::{ScriptAnswer, ScriptDeployment, ScriptSummary},
    deployment::Deployment,
    function::{
        FunctionName, ScriptId,
        origin::{NodeSettings, Setting, settings},
    },
    http::{
        api::{asked::PathParams, openapi::Routes},
        app::App,
        caller::{About, Caller, Grant, Read},
        problem::Problem,
    },
    live::scripts::Script,
};

/// The routes of scripts.
pub fn routes() -> Routes {
    Routes::new()
        .routes(routes!(list::list, change::create))
        .routes(routes!(one, change::replace, change::delete))
        .routes(routes!(versions::versions))
        .routes(routes!(versions::version))
}

/// One script with all that is known of it.
#[utoipa::path(
    get, path = "/api/admin/scripts/{id}", operation_id = "script", tag = "scripts", params(("id" = String, Path, description = "A script's id, or its name.")),
    responses((status = 200, description = "The script; its version is the `ETag`.", body = ScriptAnswer, headers(("ETag" = String, description = "Its version, or the digest of its content."))))
)]
async fn one(caller: Caller<Read>, PathParams(id): PathParams<String>) -> Result<Response, Problem> {
    let (grant, script) = caller.for_found(|app| async move { app.script(&id) }).await?;
    Ok(show(&grant, StatusCode::OK, &script, None).await)
}

impl About for Script {
    fn functions(&self) -> Vec<FunctionName> {
        vec![self.name.clone()]
    }
}

impl App {
    /// Finds the script with this id or of this name.
    fn script(&self, id: &str) -> Result<Script, Problem> {
        let by_id = id.parse().ok().and_then(|id| self.live.script_by_id(ScriptId(id)));
        by_id.or_else(|| self.live.script(&FunctionName::new(id))).ok_or(Problem::UnknownScript)
    }

    /// Returns the deployment that brought what is live of a script, as far as the database tells.
    async fn deployment_of(&self, script: &Script) -> Option<Deployment> {
        let store = self.store.borrow().clone()?;
        let live = &script.function.as_ref()?.function;
        let versions = store.versions_of(&live.name).await.ok()?;
        let id = versions.iter().find(|known| known.version == live.version)?.deployment;
        store.deployment(id).await.ok()?
    }

    /// Tells each setting of a script that serves requests.
    fn settings_of(&self, script: &Script) -> Vec<Setting> {
        let node = NodeSettings { limits: &self.limits, capture: self.runner.captures_all(), cors: self.settings.cors.as_ref() };
        script.function.as_ref().map_or(Vec::new(), |live| settings(&live.function, &node))
    }
}

/// Functions that are told to run with a guard or a module.
const MAX_USERS: usize = 1_000;

/// Answers with all that is known of a script, as far as whoever asks may know it.
async fn show(grant: &Grant, status: StatusCode, script: &Script, held: Option<String>) -> Response {
    let app = &grant.app;
    let mut used_by = app.live.users_of(&script.file);
    used_by.retain(|name| grant.may_touch(name));
    let used_by_count = used_by.len();
    used_by.truncate(MAX_USERS);
    let answer = ScriptAnswer {
        summary: ScriptSummary::from(script),
        source: String::from_utf8_lossy(&script.content.bytes).into_owned(),
        manifest: script.function.as_ref().map(|live| live.function.manifest.as_ref().clone()),
        settings: app.settings_of(script),
        used_by,
        used_by_count,
        diagnostics: script.diagnostics.clone(),
        deployment: app.deployment_of(script).await.map(ScriptDeployment::from),
        held,
    };
    let tag = HeaderValue::from_str(&format!("\"{}\"", script.tag())).expect("digests are ASCII");
    (status, [(header::ETAG, tag)], Json(answer)).into_response()
}
