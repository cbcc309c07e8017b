//! The control plane's part about the key-value store.
//!
//! Names and sizes of namespaces are told to whoever may read. Keys and values are data of users, and want an admin. A token that may deploy
//! reaches them by a function, too; but that is a deployment, which everybody sees.

use axum::{Json, body::Body};
use http::{Request, StatusCode, Uri};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::{
    api::kv::{KvEntry, KvNamespaceList, KvPage, KvStored},
    capability::kv::{Json as JsonText, Key, KvError, MAX_VALUE_BYTES, Range, Set},
    function::grants::kv::{BadNamespace, Namespace},
    http::{
        api::{
            asked::{PathParams, asked},
            openapi::Routes,
        },
        caller::{Admin, Caller, Grant, Read},
        problem::{Problem, away},
    },
    store::kv::{KvChange, KvFailure, KvWrite, WriteOutcome},
};

/// Entries of a page where nobody says how many.
const PAGE: u32 = 100;
/// Bytes of the values of a page.
const PAGE_BYTES: usize = 4 << 20;

/// The routes of the key-value store.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(namespaces)).routes(routes!(list)).routes(routes!(get, set, delete))
}

/// Lists the namespaces that hold something, and how much.
#[utoipa::path(
    get, path = "/api/admin/kv", operation_id = "list_kv_namespaces", tag = "kv",
    responses((status = 200, description = "Namespaces by name.", body = KvNamespaceList))
)]
async fn namespaces(caller: Caller<Read>) -> Result<Json<KvNamespaceList>, Problem> {
    let Grant { app, .. } = caller.for_node()?;
    let namespaces = app.history()?.kv_namespaces().await.map_err(away)?;
    Ok(Json(KvNamespaceList { namespaces: namespaces.into_iter().map(Into::into).collect() }))
}

/// Which entries are asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct KvQuery {
    /// What their keys begin with.
    prefix: Option<String>,
    /// So many at most. A page of large values has fewer.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// What follows the last page.
    cursor: Option<String>,
}

impl KvQuery {
    fn range(self) -> Result<Range, KvError> {
        let key = |text: Option<String>| text.filter(|text| !text.is_empty()).map(|text| text.parse()).transpose();
        Range::new(key(self.prefix)?, key(self.cursor)?, self.limit.unwrap_or(PAGE), PAGE_BYTES)
    }
}

/// Lists what a namespace holds, in the order of the bytes of the keys.
#[utoipa::path(
    get, path = "/api/admin/kv/{namespace}", operation_id = "list_kv", tag = "kv",
    params(("namespace" = String, Path, description = "Its name."), KvQuery),
    responses((status = 200, description = "A page, and where the next one begins.", body = KvPage))
)]
async fn list(caller: Caller<Admin>, PathParams(namespace): PathParams<String>, uri: Uri) -> Result<Json<KvPage>, Problem> {
    let Grant { app, .. } = caller.for_node()?;
    let (namespace, range) = (namespace_of(&namespace)?, asked::<KvQuery>(&uri)?.range()?);
    Ok(Json(app.history()?.kv_list(&namespace, &range, app.ids.now_us()).await?.into()))
}

/// Tells what is kept under a key.
#[utoipa::path(
    get, path = "/api/admin/kv/{namespace}/{key}", operation_id = "get_kv", tag = "kv",
    params(("namespace" = String, Path, description = "Its name."), ("key" = String, Path, description = "A `/` in it is written `%2F`.")),
    responses((status = 200, description = "The value, its version and its end.", body = KvEntry))
)]
async fn get(caller: Caller<Admin>, PathParams(path): PathParams<(String, String)>) -> Result<Json<KvEntry>, Problem> {
    let Grant { app, .. } = caller.for_node()?;
    let (namespace, key) = place_of(&path)?;
    let entry = app.history()?.kv_get(&namespace, &key, app.ids.now_us()).await?;
    Ok(Json(KvEntry::of(&key, entry.ok_or(Problem::UnknownKey { namespace, key: key.clone() })?)))
}

/// How a value is kept.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct SetQuery {
    /// How long: `90s`, `30d`; none: until it is deleted.
    ttl: Option<String>,
    /// The version that the key must have; 0: it must not be there; none: whatever it has.
    #[param(maximum = 9223372036854775807i64)]
    if_version: Option<u64>,
}

/// Keeps a value under a key. The body is the value.
#[utoipa::path(
    put, path = "/api/admin/kv/{namespace}/{key}", operation_id = "set_kv", tag = "kv", request_body = serde_json::Value,
    params(
        ("namespace" = String, Path, description = "Its name."), ("key" = String, Path, description = "A `/` in it is written `%2F`."), SetQuery,
    ),
    responses((status = 200, description = "It is kept, and on the disk.", body = KvStored))
)]
async fn set(
    caller: Caller<Admin>,
    PathParams(path): PathParams<(String, String)>,
    request: Request<Body>,
) -> Result<Json<KvStored>, Problem> {
    let grant = caller.for_node()?;
    let (namespace, key) = place_of(&path)?;
    let SetQuery { ttl, if_version } = asked(request.uri())?;
    let ttl = ttl.map(|ttl| ttl.parse()).transpose()?;
    let body = grant.body(request, MAX_VALUE_BYTES).await?;
    let text = std::str::from_utf8(&body).map_err(|_| Problem::BadOrder("the body is not UTF-8".into()))?;
    let value: JsonText = text.parse()?;
    let WriteOutcome { is_done, version, .. } = grant.write(&namespace, &key, KvChange::Set(Set { value, ttl, if_version })).await?;
    match is_done {
        true => Ok(Json(KvStored { version })),
        false => Err(Problem::OtherKeyVersion { key, version }),
    }
}

/// Removes a key.
#[utoipa::path(
    delete, path = "/api/admin/kv/{namespace}/{key}", operation_id = "delete_kv", tag = "kv",
    params(("namespace" = String, Path, description = "Its name."), ("key" = String, Path, description = "A `/` in it is written `%2F`.")),
    responses((status = 204, description = "It is not there any more."))
)]
async fn delete(caller: Caller<Admin>, PathParams(path): PathParams<(String, String)>) -> Result<StatusCode, Problem> {
    let grant = caller.for_node()?;
    let (namespace, key) = place_of(&path)?;
    match grant.write(&namespace, &key, KvChange::Delete).await?.is_done {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::UnknownKey { namespace, key }),
    }
}

impl Grant {
    /// Writes as the sender of the request.
    async fn write(&self, namespace: &Namespace, key: &Key, change: KvChange) -> Result<WriteOutcome, Problem> {
        let app = &self.app;
        let write = KvWrite::of_operator(&self.actor(), namespace, key, change, app.ids.now_us(), app.kv_limits);
        Ok(app.history()?.kv_write(write).await?)
    }
}

fn namespace_of(text: &str) -> Result<Namespace, Problem> {
    text.parse().map_err(|error: BadNamespace| Problem::BadOrder(error.to_string()))
}

fn place_of((namespace, key): &(String, String)) -> Result<(Namespace, Key), Problem> {
    Ok((namespace_of(namespace)?, key.parse()?))
}

impl From<KvError> for Problem {
    fn from(error: KvError) -> Self {
        Self::Kv(error)
    }
}

impl From<KvFailure> for Problem {
    fn from(failure: KvFailure) -> Self {
        match failure {
            KvFailure::Refused(error) => Self::Kv(error),
            KvFailure::Store(error) => away(error),
        }
    }
}
