//! Runs a function for a request that is told, as `picloud invoke` does, and tells what a caller would have got.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json,
    body::Body,
    extract::{ConnectInfo, State},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{Either, Full};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{App, Problem, archive::log, auth::Denied, control::is_reserved, openapi::Routes, problem::allow_header, replay::told};
use crate::{
    access::Principal,
    execution::{Capture, ExecutionId, Invocation, Params, Timed, Trigger},
    function::route::methods::join,
    live::{Entry, LiveFunction, Match, Table},
};

/// Longest order. A body that does not fit can be sent to the function itself.
const MAX_ORDER_BYTES: usize = 2 << 20;

/// The route of runs that are asked for.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(invoke))
}

/// The request to run, and on what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct InvokeOrder {
    /// None: `GET`, or `POST` with a body.
    method: Option<String>,
    /// With a query, if there is one.
    path: String,
    /// Names and values.
    #[serde(default)]
    #[schema(value_type = Vec<Vec<String>>)]
    headers: Vec<(String, String)>,
    /// A body that is text.
    body: Option<String>,
    /// Any body.
    body_base64: Option<String>,
    /// A deployment that was live, by its id or revision; none: what is live now.
    deployment: Option<String>,
}

/// The same, read.
struct Told {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl InvokeOrder {
    fn read(self) -> Result<Told, Problem> {
        let bad = |key: &str, why: &str| Problem::BadOrder(format!("`{key}`: {why}"));
        let uri: Option<Uri> = self.path.parse().ok().filter(|uri: &Uri| uri.path().starts_with('/') && uri.authority().is_none());
        let uri = uri.ok_or_else(|| bad("path", "that is none; begin with `/`, and write a space as `%20`"))?;
        let body: Option<Bytes> = match (self.body, self.body_base64) {
            (Some(_), Some(_)) => return Err(bad("body_base64", "there is a `body`, too; send one of them")),
            (None, Some(base64)) => {
                let bytes = BASE64_STANDARD.decode(base64).map_err(|error| bad("body_base64", &format!("that is no Base64: {error}")))?;
                Some(bytes.into())
            }
            (text, None) => text.map(Bytes::from),
        };
        let method = self.method.unwrap_or_else(|| if body.is_some() { "POST".into() } else { "GET".into() });
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| bad("method", "that is none"))?;
        let mut headers = HeaderMap::new();
        for (name, value) in self.headers {
            let header = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_bytes(value.as_bytes()).ok());
            let (name, value) =
                header.ok_or_else(|| bad("headers", &format!("`{}` is none, or its value is none", name.escape_debug())))?;
            headers.append(name, value);
        }
        Ok(Told { method, uri, headers, body: body.unwrap_or_default() })
    }
}

/// Runs a function for a request that is told. Answers with the execution, if anything ran, and with what a caller would have got.
#[utoipa::path(
    post, path = "/api/admin/invoke", tag = "executions", request_body = InvokeOrder,
    responses((status = 200, description = "The execution, and its response.", body = Object))
)]
async fn invoke(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Result<Json<Value>, Problem> {
    let (principal, _, order): (_, _, InvokeOrder) = app.order(peer, request, MAX_ORDER_BYTES).await?;
    let deployment = order.deployment.clone();
    let told = order.read()?;
    let table = match deployment {
        Some(key) => app.archive.table(&key).await.inspect_err(log)?,
        None => app.loaded()?,
    };
    tracing::info!("`{}` runs {} {}", principal.name, told.method, told.uri.path());
    app.invoke(&table, told, principal).await.map(Json)
}

impl App {
    async fn invoke(&self, table: &Table, request: Told, by: Principal) -> Result<Value, Problem> {
        let path = request.uri.path();
        if is_reserved(path) {
            return Err(Problem::NotFound);
        }
        match table.find(request.method.as_str(), path) {
            Match::Found { value: Entry::Ready(function), params, .. } => self.run_told(table, function, params, request, by).await,
            Match::Found { value: Entry::Broken(broken), .. } => Err(Problem::NotInvocable {
                why: format!("the file `{}` has mistakes and never was right", broken.file),
                diagnostics: broken.diagnostics.to_vec(),
            }),
            Match::Options { allow } => {
                // The node answers this one by itself, too.
                let mut response = Response::new(Either::Left(Full::default()));
                *response.status_mut() = StatusCode::NO_CONTENT;
                response.headers_mut().insert(header::ALLOW, allow_header(&allow));
                Ok(json!({ "execution": null, "response": told(response).await }))
            }
            Match::MethodNotAllowed { allow } => {
                let why = format!("`{path}` answers {}, and would answer {} with 405", join(&allow), request.method);
                Err(Problem::NotInvocable { why, diagnostics: Vec::new() })
            }
            Match::BadPath(why) => Err(Problem::BadPath(why.to_string())),
            Match::NotFound => Err(Problem::NotFound),
        }
    }

    async fn run_told(
        &self,
        table: &Table,
        function: &LiveFunction,
        params: Params,
        request: Told,
        by: Principal,
    ) -> Result<Value, Problem> {
        let Told { method, uri, headers, body } = request;
        let manifest = &function.function.manifest;
        let limit = manifest.limits.body.bytes();
        if body.len() > limit {
            return Err(Problem::BodyTooLarge { limit });
        }
        // Whoever may run anything here is a caller like any other to a function that asks who calls.
        if let Some(needed) = manifest.auth.filter(|needed| by.scope < *needed) {
            return Err(Denied::ScopeTooSmall { principal: by, needed }.into());
        }
        let is_captured = manifest.capture.unwrap_or(self.capturing.all);
        let capture = is_captured.then(|| Capture::of(&method, &uri, &params, &headers, &body, self.capturing.max_body_bytes));
        let invocation = Invocation {
            execution_id: ExecutionId(self.ids.next()),
            deployment: table.deployment,
            trigger: Trigger::Invoke,
            replay_of: None,
            request_id: None,
            method,
            uri,
            params,
            principal: manifest.auth.map(|_| by.name.into()),
            headers,
            body,
            remote_addr: None,
            capture: capture.map(Box::new),
        };
        let (execution, answer) = self.run_apart(function, invocation).await?;
        Ok(json!({ "execution": Timed::from(&execution), "response": told(answer).await }))
    }
}
