//! The control plane's part about scripts: lists, one with all that is known of it, its versions, and changes. Changes are written where
//! the source keeps its files.

use axum::{
    Json,
    body::Body,
    extract::{Path, RawQuery},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::{
    clock::rfc3339,
    deployment::Deployment,
    function::{
        Content, Diagnostic, FunctionName, Manifest, ScriptId, Version,
        route::{Methods, methods::Method},
    },
    http::{
        api::openapi::Routes,
        app::App,
        auth::caller::{About, Caller, Deploy, Grant, Read},
        problem::{Problem, away},
        wire::body::BodyError,
    },
    live::scripts::{Script, ScriptFilter},
    source::edit::EditError,
    store::FunctionVersion,
    sync::orders::upload::{SourceChange, Upload, UploadError, UploadOutcome},
};

/// Scripts of one page unless the request says otherwise, and the most.
const PAGE: (usize, usize) = (100, 1_000);
/// A byte of a script takes at most so many in JSON.
const JSON_GROWTH: usize = 6;
/// What there is in an order beside scripts, in bytes.
const ORDER_BYTES: usize = 64 * 1024;

/// The routes of scripts.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(list, create)).routes(routes!(one, replace, delete)).routes(routes!(versions)).routes(routes!(version))
}

/// Which scripts are meant, and which page of them.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is there for the description")]
struct Meant {
    /// Those whose name begins so.
    prefix: Option<String>,
    /// `live`, `broken` or `waiting`.
    state: Option<String>,
    /// So many at most.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// Lists scripts in order of their files.
#[utoipa::path(
    get, path = "/api/admin/scripts", operation_id = "list_scripts", tag = "scripts", params(Meant),
    responses((status = 200, description = "A page, and where the next one begins.", body = Object))
)]
async fn list(caller: Caller<Read>, RawQuery(query): RawQuery) -> Result<Json<Value>, Problem> {
    let (filter, limit) = filter(query.as_deref().unwrap_or_default())?;
    let Grant { app, .. } = caller.for_all_below(&filter.prefix)?;
    let mut scripts = app.live.scripts(&filter, limit + 1);
    let next = (scripts.len() > limit).then(|| scripts[limit - 1].name.clone());
    scripts.truncate(limit);
    Ok(Json(json!({ "scripts": scripts.iter().map(summary).collect::<Vec<_>>(), "next": next })))
}

/// Reads which scripts are asked for, and how many.
fn filter(query: &str) -> Result<(ScriptFilter, usize), Problem> {
    let (mut filter, mut limit) = (ScriptFilter::default(), PAGE.0);
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        let bad = |what: &str| Problem::BadOrder(format!("`{key}`: {what}"));
        match &*key {
            "prefix" => filter.prefix = value.into_owned(),
            "state" => {
                let state = serde_json::from_value(json!(value));
                filter.state = Some(state.map_err(|_| bad("a script is `live`, `broken` or `waiting`"))?);
            }
            "cursor" => filter.after = Some(FunctionName::new(&*value)),
            "limit" => {
                let number = value.parse().ok().filter(|number| (1..=PAGE.1).contains(number));
                limit = number.ok_or_else(|| bad(&format!("a page has 1 to {} scripts", PAGE.1)))?;
            }
            _ => return Err(bad("there are `prefix`, `state`, `limit` and `cursor`")),
        }
    }
    Ok((filter, limit))
}

/// One script with all that is known of it.
#[utoipa::path(
    get, path = "/api/admin/scripts/{id}", operation_id = "script", tag = "scripts", params(("id" = String, Path, description = "A script's id, or its name.")),
    responses((status = 200, description = "The script; its version is the `ETag`.", body = Object))
)]
async fn one(caller: Caller<Read>, Path(id): Path<String>) -> Result<Response, Problem> {
    let (Grant { app, .. }, script) = caller.for_found(|app| async move { app.script(&id) }).await?;
    Ok(app.show(StatusCode::OK, &script, None).await)
}

/// A script that is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct New {
    /// Its path below the functions folder, without `.rhai`.
    #[schema(value_type = String)]
    name: FunctionName,
    /// What is in its file.
    source: String,
}

/// Makes a script.
#[utoipa::path(
    post, path = "/api/admin/scripts", operation_id = "create_script", tag = "scripts", request_body = New,
    responses(
        (status = 201, description = "The script, live.", body = Object),
        (status = 202, description = "It is written, and not live; `held` says why.", body = Object)
    )
)]
async fn create(caller: Caller<Deploy>, request: Request<Body>) -> Result<Response, Problem> {
    let New { name, source } = caller.order(request, App::one_script_bytes).await?;
    let grant = caller.for_function(&name)?;
    let app = &grant.app;
    let uploaded = grant.change(SourceChange::Create(name.clone(), app.content(source)?)).await?;
    let script = app.live.script(&name).ok_or(Problem::UnknownScript)?;
    let place = format!("/api/admin/scripts/{}", script.id());
    let status = if uploaded.held.is_some() { StatusCode::ACCEPTED } else { StatusCode::CREATED };
    let mut response = app.show(status, &script, uploaded.held).await;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_str(&place).expect("ids are ASCII"));
    Ok(response)
}

/// What a script is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Source {
    /// What is in its file.
    source: String,
}

/// Gives a script another source.
#[utoipa::path(
    put, path = "/api/admin/scripts/{id}", operation_id = "replace_script", tag = "scripts", request_body = Source, params(("id" = String, Path, description = "A script's id, or its name.")),
    responses(
        (status = 200, description = "The script, live.", body = Object),
        (status = 202, description = "It is written, and not live; `held` says why.", body = Object)
    )
)]
async fn replace(caller: Caller<Deploy>, Path(id): Path<String>, headers: HeaderMap, request: Request<Body>) -> Result<Response, Problem> {
    let Source { source } = caller.order(request, App::one_script_bytes).await?;
    let (grant, Script { name, .. }) = caller.for_found(|app| async move { app.script(&id) }).await?;
    let app = &grant.app;
    let change = SourceChange::Replace(name.clone(), Some(app.content(source)?), expected(&headers));
    let uploaded = grant.change(change).await?;
    let script = app.live.script(&name).ok_or(Problem::UnknownScript)?;
    let status = if uploaded.held.is_some() { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok(app.show(status, &script, uploaded.held).await)
}

/// Deletes a script.
#[utoipa::path(
    delete, path = "/api/admin/scripts/{id}", operation_id = "delete_script", tag = "scripts", params(("id" = String, Path, description = "A script's id, or its name.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 200, description = "It is gone, and functions are without this guard: `diagnostics` says how many.", body = Object),
        (status = 202, description = "It is deleted, and still live; `held` says why.", body = Object)
    )
)]
async fn delete(caller: Caller<Deploy>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let (grant, Script { name, .. }) = caller.for_found(|app| async move { app.script(&id) }).await?;
    let file = name.file();
    let uploaded = grant.change(SourceChange::Replace(name, None, expected(&headers))).await?;
    let opened: Vec<&Diagnostic> = uploaded.diagnostics.iter().filter(|found| *found.file == *file).collect();
    Ok(match uploaded.held {
        None if opened.is_empty() => StatusCode::NO_CONTENT.into_response(),
        None => Json(json!({ "diagnostics": opened })).into_response(),
        Some(held) => (StatusCode::ACCEPTED, Json(json!({ "held": held }))).into_response(),
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

/// Tells when which version of a script went live.
#[utoipa::path(
    get, path = "/api/admin/scripts/{id}/versions", operation_id = "script_versions", tag = "scripts", params(("id" = String, Path, description = "A script's id, or its name.")),
    responses((status = 200, description = "Its versions, the newest first.", body = Object))
)]
async fn versions(caller: Caller<Read>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let (_, Lived { name, versions }) = caller.for_found(|app| async move { app.versions(&id).await }).await?;
    let versions: Vec<Value> = versions.iter().map(lived).collect();
    Ok(Json(json!({ "id": ScriptId::of(&name), "name": name, "versions": versions })))
}

/// One version of a script, with the files that it ran with: those that whoever asks may read.
#[utoipa::path(
    get, path = "/api/admin/scripts/{id}/versions/{version}", operation_id = "script_version", tag = "scripts",
    params(("id" = String, Path, description = "A script's id, or its name."), ("version" = String, Path, description = "32 hexadecimal digits.")),
    responses((status = 200, description = "Its source then.", body = Object))
)]
async fn version(caller: Caller<Read>, Path((id, version)): Path<(String, String)>) -> Result<Json<Value>, Problem> {
    let (grant, Lived { name, versions }) = caller.for_found(|app| async move { app.versions(&id).await }).await?;
    let unknown = || Problem::UnknownVersion { version: version.clone(), function: name.clone() };
    let known = version.parse().ok().and_then(|version: Version| versions.iter().find(|known| known.version == version));
    let known = known.ok_or_else(unknown)?;
    let files = grant.app.history()?.version_files(known.version).await.map_err(away)?.ok_or_else(unknown)?;
    let text = |content: &Content| String::from_utf8_lossy(&content.bytes).into_owned();
    let readable = files.iter().filter(|(path, _)| grant.may_read(path));
    let mut found = lived(known);
    found["id"] = json!(ScriptId::of(&name));
    found["source"] = json!(files.get(&*name.file()).map(text));
    found["files"] = readable.map(|(path, content)| (path.to_string(), text(content).into())).collect::<serde_json::Map<_, _>>().into();
    found["name"] = json!(name);
    Ok(Json(found))
}

/// When a script was live, and as what.
struct Lived {
    name: FunctionName,
    versions: Vec<FunctionVersion>,
}

impl About for Lived {
    fn functions(&self) -> Vec<FunctionName> {
        vec![self.name.clone()]
    }
}

impl About for Script {
    fn functions(&self) -> Vec<FunctionName> {
        vec![self.name.clone()]
    }
}

fn lived(known: &FunctionVersion) -> Value {
    json!({ "version": known.version, "deployment": known.deployment, "time": rfc3339(known.deployment.time_us()) })
}

impl Grant {
    /// Changes a script, and waits until that is live.
    async fn change(&self, change: SourceChange) -> Result<UploadOutcome, Problem> {
        let upload = Upload { change, by: self.actor(), allow_mass_delete: false, is_dry_run: false };
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

    pub(super) fn content(&self, source: String) -> Result<Content, Problem> {
        if source.len() > self.max_file_bytes {
            return Err(BodyError::TooLarge { limit: self.max_file_bytes }.into());
        }
        Ok(Content::new(source.into_bytes()))
    }

    /// Finds the script with this id or of this name.
    fn script(&self, id: &str) -> Result<Script, Problem> {
        let by_id = id.parse().ok().and_then(|id| self.live.script_by_id(ScriptId(id)));
        by_id.or_else(|| self.live.script(&FunctionName::new(id))).ok_or(Problem::UnknownScript)
    }

    /// Changes the source, and waits until that is live.
    pub(super) async fn upload(&self, upload: Upload) -> Result<UploadOutcome, UploadError> {
        let uploaded = self.sync.upload(upload).await;
        match (&uploaded, &self.git) {
            (Ok(_), Some(hosted)) => hosted.tidy(),
            (Err(UploadError::Edit(error @ EditError::Failed { .. })), _) => tracing::error!("the source cannot be changed: {error}"),
            _ => {}
        }
        uploaded
    }

    /// Returns when which version of a script was live; also of one that is not there any more, by its name.
    async fn versions(&self, id: &str) -> Result<Lived, Problem> {
        let name = match self.script(id) {
            Ok(script) => script.name,
            // Postgres takes no text with a zero in it.
            Err(_) if !id.contains('\0') => FunctionName::new(id),
            Err(problem) => return Err(problem),
        };
        let versions = self.history()?.versions_of(&name).await.map_err(away)?;
        if versions.is_empty() && self.live.script(&name).is_none() {
            return Err(Problem::UnknownScript);
        }
        Ok(Lived { name, versions })
    }

    /// Returns the deployment that brought what is live of a script, as far as the database tells.
    async fn deployment_of(&self, script: &Script) -> Option<Deployment> {
        let store = self.store.borrow().clone()?;
        let live = &script.function.as_ref()?.function;
        let versions = store.versions_of(&live.name).await.ok()?;
        let id = versions.iter().find(|known| known.version == live.version)?.deployment;
        store.deployment(id).await.ok()?
    }

    async fn show(&self, status: StatusCode, script: &Script, held: Option<String>) -> Response {
        let mut all = summary(script);
        all["source"] = json!(String::from_utf8_lossy(&script.content.bytes));
        all["manifest"] = json!(script.function.as_ref().map(|live| manifest(&live.function.manifest)));
        all["diagnostics"] = json!(script.diagnostics);
        all["deployment"] = json!(self.deployment_of(script).await.as_ref().map(deployed));
        if let Some(held) = held {
            all["held"] = json!(held);
        }
        let tag = HeaderValue::from_str(&format!("\"{}\"", script.tag())).expect("digests are ASCII");
        (status, [(header::ETAG, tag)], Json(all)).into_response()
    }
}

/// Writes what a list tells of a script.
fn summary(script: &Script) -> Value {
    let live = script.function.as_ref().map(|live| &live.function);
    let route = live.map(|live| {
        let methods: Option<Vec<Method>> = match &live.route.methods {
            Methods::Any => None,
            Methods::Only(listed) => Some(listed.clone()),
            Methods::Suffix(method) => Some(vec![*method]),
        };
        json!({ "path": live.route.to_string(), "methods": methods })
    });
    json!({
        "id": script.id(),
        "name": script.name,
        "file": script.file,
        "kind": script.role,
        "state": script.state,
        "version": live.map(|live| live.version),
        "route": route,
        "size_bytes": script.content.bytes.len(),
        "errors": script.diagnostics.iter().filter(|found| found.is_error()).count(),
    })
}

/// Writes what a front-matter says, with the time limit as spans are written everywhere.
fn manifest(manifest: &Manifest) -> Value {
    let mut all = json!(manifest);
    if let Some(limits) = all["limits"].as_object_mut() {
        limits.remove("timeout");
        limits.insert("timeout_us".into(), json!(manifest.limits.timeout.0.as_micros() as u64));
    }
    all
}

fn deployed(deployment: &Deployment) -> Value {
    json!({
        "id": deployment.id,
        "time": rfc3339(deployment.id.time_us()),
        "revision": deployment.revision,
        "cause": deployment.cause,
        "by": deployment.by,
        "pushed_by": deployment.pushed_by,
    })
}
