//! The control plane's part about scripts: lists, one with all that is known of it, its versions; and changes, which are written where the
//! source keeps its files.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json,
    body::Body,
    extract::{ConnectInfo, Path, RawQuery, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::{App, Problem, auth::Denied, function, openapi::Routes, problem::away};
use crate::{
    access::{Principal, Scope},
    audit::Actor,
    clock::rfc3339,
    deployment::Deployment,
    function::{
        Content, FunctionName, Manifest, ScriptId, Version,
        route::{Methods, methods::Method},
    },
    live::scripts::{Script, ScriptFilter, file_of},
    source::edit::EditError,
    store::FunctionVersion,
    sync::upload::{Change, Upload, UploadError, Uploaded},
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

type Peer = ConnectInfo<SocketAddr>;

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
async fn list(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let principal = app.auth.identify_bearer(Scope::Read, &headers, peer.ip()).await?;
    let (filter, limit) = filter(query.as_deref().unwrap_or_default())?;
    if !principal.may_touch_all_below(&filter.prefix) {
        return Err(Denied::OtherFunction { principal }.into());
    }
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
async fn one(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let principal = app.auth.identify_bearer(Scope::Read, &headers, peer.ip()).await?;
    let script = app.script(&id)?;
    must_touch(&principal, &script.name)?;
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
async fn create(State(app): State<Arc<App>>, ConnectInfo(peer): Peer, request: Request<Body>) -> Result<Response, Problem> {
    let (principal, _, New { name, source }) = app.order(peer, request, app.one_script_bytes()).await?;
    let content = app.content(source)?;
    let uploaded = app.change(principal, peer, Change::Create(name.clone(), content)).await?;
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
async fn replace(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): Peer,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (principal, headers, Source { source }) = app.order(peer, request, app.one_script_bytes()).await?;
    let content = app.content(source)?;
    let name = app.script(&id)?.name;
    let uploaded = app.change(principal, peer, Change::Replace(name.clone(), Some(content), expected(&headers))).await?;
    let script = app.live.script(&name).ok_or(Problem::UnknownScript)?;
    let status = if uploaded.held.is_some() { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok(app.show(status, &script, uploaded.held).await)
}

/// Deletes a script.
#[utoipa::path(
    delete, path = "/api/admin/scripts/{id}", operation_id = "delete_script", tag = "scripts", params(("id" = String, Path, description = "A script's id, or its name.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 202, description = "It is deleted, and still live; `held` says why.", body = Object)
    )
)]
async fn delete(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let principal = app.auth.identify_bearer(Scope::Deploy, &headers, peer.ip()).await?;
    let name = app.script(&id)?.name;
    let uploaded = app.change(principal, peer, Change::Replace(name, None, expected(&headers))).await?;
    Ok(match uploaded.held {
        None => StatusCode::NO_CONTENT.into_response(),
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
async fn versions(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let principal = app.auth.identify_bearer(Scope::Read, &headers, peer.ip()).await?;
    let (name, versions) = app.versions(&id).await?;
    must_touch(&principal, &name)?;
    let versions: Vec<Value> = versions.iter().map(lived).collect();
    Ok(Json(json!({ "id": ScriptId::of(&name), "name": name, "versions": versions })))
}

/// One version of a script, with the files that it ran with.
#[utoipa::path(
    get, path = "/api/admin/scripts/{id}/versions/{version}", operation_id = "script_version", tag = "scripts",
    params(("id" = String, Path, description = "A script's id, or its name."), ("version" = String, Path, description = "32 hexadecimal digits.")),
    responses((status = 200, description = "Its source then.", body = Object))
)]
async fn version(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
    Path((id, version)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let principal = app.auth.identify_bearer(Scope::Read, &headers, peer.ip()).await?;
    let (name, versions) = app.versions(&id).await?;
    must_touch(&principal, &name)?;
    let unknown = || Problem::UnknownVersion { version: version.clone(), function: name.clone() };
    let known = version.parse().ok().and_then(|version: Version| versions.iter().find(|known| known.version == version));
    let known = known.ok_or_else(unknown)?;
    let files = app.history()?.version_files(known.version).await.map_err(away)?.ok_or_else(unknown)?;
    let text = |content: &Content| String::from_utf8_lossy(&content.bytes).into_owned();
    let mut found = lived(known);
    found["id"] = json!(ScriptId::of(&name));
    found["source"] = json!(files.get(&*file_of(&name)).map(text));
    found["files"] = files.iter().map(|(path, content)| (path.to_string(), text(content).into())).collect::<serde_json::Map<_, _>>().into();
    found["name"] = json!(name);
    Ok(Json(found))
}

/// Refuses whoever has a token for other functions.
pub(super) fn must_touch(principal: &Principal, name: &FunctionName) -> Result<(), Denied> {
    if principal.may_touch(name.as_str()) { Ok(()) } else { Err(Denied::OtherFunction { principal: principal.clone() }) }
}

fn lived(known: &FunctionVersion) -> Value {
    json!({ "version": known.version, "deployment": known.deployment, "time": rfc3339(known.deployment.time_us()) })
}

impl App {
    /// Reads an order of somebody who may deploy; the caller must ask about which functions. Nobody's body is read before it is known who that is.
    pub(super) async fn order<T: DeserializeOwned>(
        &self,
        peer: SocketAddr,
        request: Request<Body>,
        limit: usize,
    ) -> Result<(Principal, HeaderMap, T), Problem> {
        let (parts, body) = request.into_parts();
        let principal = self.auth.identify_bearer(Scope::Deploy, &parts.headers, peer.ip()).await?;
        let body: Bytes = function::read_body(&parts.headers, body, limit, self.settings.body_timeout).await?;
        let order =
            serde_json::from_slice(&body).map_err(|error| Problem::BadOrder(format!("the body is not as it should be: {error}")))?;
        Ok((principal, parts.headers, order))
    }

    fn one_script_bytes(&self) -> usize {
        self.max_file_bytes.saturating_mul(JSON_GROWTH).saturating_add(ORDER_BYTES)
    }

    pub(super) fn content(&self, source: String) -> Result<Content, Problem> {
        if source.len() > self.max_file_bytes {
            return Err(Problem::BodyTooLarge { limit: self.max_file_bytes });
        }
        Ok(Content::new(source.into_bytes()))
    }

    /// Finds the script with this id or of this name.
    fn script(&self, id: &str) -> Result<Script, Problem> {
        let by_id = id.parse().ok().and_then(|id| self.live.script_by_id(ScriptId(id)));
        by_id.or_else(|| self.live.script(&FunctionName::new(id))).ok_or(Problem::UnknownScript)
    }

    /// Changes the source, and waits until that is live.
    async fn change(&self, principal: Principal, peer: SocketAddr, change: Change) -> Result<Uploaded, Problem> {
        if let Change::Create(name, _) | Change::Replace(name, ..) = &change {
            must_touch(&principal, name)?;
        }
        let upload = Upload { change, by: Actor::over_http(principal.name, peer.ip()), allow_mass_delete: false, is_dry_run: false };
        Ok(self.upload(upload).await?)
    }

    /// The same for whoever has more to say about it.
    pub(super) async fn upload(&self, upload: Upload) -> Result<Uploaded, UploadError> {
        let uploaded = self.sync.upload(upload).await;
        match (&uploaded, &self.git) {
            (Ok(_), Some(hosted)) => hosted.tidy(),
            (Err(UploadError::Edit(error @ EditError::Failed { .. })), _) => tracing::error!("the source cannot be changed: {error}"),
            _ => {}
        }
        uploaded
    }

    /// Returns when which version of a script was live; also of one that is not there any more, by its name.
    async fn versions(&self, id: &str) -> Result<(FunctionName, Vec<FunctionVersion>), Problem> {
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
        Ok((name, versions))
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
        "kind": script.kind,
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
