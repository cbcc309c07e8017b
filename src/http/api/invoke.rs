//! Runs a function for a request that is told, as `picloud invoke` does, and tells what a caller would have got.

use std::sync::Arc;

use axum::{Json, body::Body};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use utoipa_axum::routes;

use crate::{
    api::executions::{InvokeOrder, RunAnswer},
    execution::{HttpRequest, Params, RecordedMethod, RecordedPath},
    function::{
        Diagnostic, FilePath, FunctionName,
        reserved::is_reserved,
        route::{self, methods::join},
    },
    http::{
        answer::no_content,
        api::{openapi::Routes, run::told},
        app::App,
        call::earlier::log,
        caller::{About, Caller, Deploy, Grant},
        problem::Problem,
        wire::body::{BodyError, must_be_plain},
    },
    live::{Destination, LiveFunction, Match, Table},
    runner::Target,
};

/// Longest order. A body that does not fit can be sent to the function itself.
const MAX_ORDER_BYTES: usize = 2 << 20;
/// Header lines of the request, and their bytes together.
const MAX_HEADERS: (usize, usize) = (256, 64 * 1024);

/// The route of runs that are asked for.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(invoke))
}

/// Returns the request; what its path says is known once it has met a function.
fn http_request(order: InvokeOrder) -> Result<HttpRequest, Problem> {
    let bad = |key: &str, why: &str| Problem::BadOrder(format!("`{key}`: {why}"));
    let uri: Option<Uri> = order.path.parse().ok().filter(|uri: &Uri| uri.path().starts_with('/') && uri.authority().is_none());
    let uri = uri.ok_or_else(|| bad("path", "that is none\n  hint: begin with `/`, and write a space as `%20`"))?;
    let body: Option<Bytes> = match (order.body, order.body_base64) {
        (Some(_), Some(_)) => return Err(bad("body_base64", "there is a `body`, too\n  hint: send one of them")),
        (None, Some(base64)) => {
            let bytes = BASE64_STANDARD.decode(base64).map_err(|error| bad("body_base64", &format!("that is no Base64: {error}")))?;
            Some(bytes.into())
        }
        (text, None) => text.map(Bytes::from),
    };
    let method = order.method.unwrap_or_else(|| if body.is_some() { "POST".into() } else { "GET".into() });
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| bad("method", "that is none"))?;
    let bytes: usize = order.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if order.headers.len() > MAX_HEADERS.0 || bytes > MAX_HEADERS.1 {
        let why = format!("they are more than {} lines, or {} KiB", MAX_HEADERS.0, MAX_HEADERS.1 / 1024);
        return Err(bad("headers", &why));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in order.headers {
        let header = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_bytes(value.as_bytes()).ok());
        let (name, value) = header.ok_or_else(|| bad("headers", &format!("`{}` is none, or its value is none", name.escape_debug())))?;
        headers.append(name, value);
    }
    Ok(HttpRequest { method, uri, params: Params::new(), headers, body: body.unwrap_or_default() })
}

/// Runs a function for a request that is told. Answers with the execution, if anything ran, and with what a caller would have got.
#[utoipa::path(
    post, path = "/api/admin/invoke", tag = "executions", request_body = InvokeOrder,
    responses((status = 200, description = "The execution, and its response.", body = RunAnswer))
)]
async fn invoke(caller: Caller<Deploy>, request: Request<Body>) -> Result<Json<RunAnswer>, Problem> {
    let order: InvokeOrder = caller.order(request, |_| MAX_ORDER_BYTES).await?;
    let deployment = order.deployment.clone();
    let request = http_request(order)?;
    let (method, path) = (request.method.clone(), request.uri.path().to_owned());
    let find = |app: Arc<App>| async move {
        let table = match deployment {
            Some(key) => app.earlier.table(&key).await.inspect_err(log)?,
            None => app.loaded()?,
        };
        meet(table, &method, &path)
    };
    let (grant, met) = caller.for_found(find).await?;
    tracing::info!("`{}` runs {} {}", grant.name(), RecordedMethod::from(request.method.as_str()), RecordedPath::from(request.uri.path()));
    match met {
        Meets::Function { table, function, params } => {
            let target = Target { table: &table, function: &function };
            run(&grant, target, HttpRequest { params, ..request }).await.map(Json)
        }
        Meets::Broken { file, diagnostics } => {
            Err(Problem::NotInvocable { why: format!("the file `{file}` has mistakes and never was right"), diagnostics })
        }
        Meets::Refused { why, .. } => Err(Problem::NotInvocable { why, diagnostics: Vec::new() }),
        Meets::Options { allow, .. } => {
            // The node answers this one by itself, too.
            let response = no_content(&allow);
            Ok(Json(RunAnswer { execution: None, response: told(&request.method, response).await, tried_again: None }))
        }
    }
}

/// What a request meets.
enum Meets {
    Function {
        table: Arc<Table>,
        function: Arc<LiveFunction>,
        params: Params,
    },
    Broken {
        file: FilePath,
        diagnostics: Vec<Diagnostic>,
    },
    /// The route is shown to whoever may run everything that is at it.
    Options {
        allow: Vec<route::Method>,
        functions: Vec<FunctionName>,
    },
    Refused {
        why: String,
        functions: Vec<FunctionName>,
    },
}

impl About for Meets {
    fn functions(&self) -> Vec<FunctionName> {
        match self {
            Self::Function { function, .. } => vec![function.function.name.clone()],
            Self::Broken { file, .. } => FunctionName::of_file(file).into_iter().collect(),
            Self::Options { functions, .. } | Self::Refused { functions, .. } => functions.clone(),
        }
    }
}

fn meet(table: Arc<Table>, method: &Method, path: &str) -> Result<Meets, Problem> {
    if is_reserved(path) {
        return Err(Problem::NoRoute);
    }
    match table.find(method.as_str(), path) {
        Match::Found { value: Destination::Ready(function), params, .. } => {
            let function = function.clone();
            Ok(Meets::Function { function, params, table: table.clone() })
        }
        Match::Found { value: Destination::Broken(broken), .. } => {
            Ok(Meets::Broken { file: broken.file.clone(), diagnostics: broken.diagnostics.to_vec() })
        }
        Match::Options { allow } => Ok(Meets::Options { functions: all_at(&table, path, &allow), allow }),
        Match::MethodNotAllowed { allow } => {
            let why = format!("`{path}` answers {}, and would answer {method} with 405", join(&allow));
            Ok(Meets::Refused { why, functions: all_at(&table, path, &allow) })
        }
        Match::BadPath(why) => Err(Problem::BadPath(why.to_string())),
        Match::NotFound => Err(Problem::NotFound),
    }
}

/// Returns the functions that answer at a path.
fn all_at(table: &Table, path: &str, methods: &[route::Method]) -> Vec<FunctionName> {
    let at = |method: &route::Method| match table.find(method.as_str(), path) {
        Match::Found { value: Destination::Ready(function), .. } => Some(function.function.name.clone()),
        Match::Found { value: Destination::Broken(broken), .. } => FunctionName::of_file(&broken.file),
        _ => None,
    };
    methods.iter().filter_map(at).collect()
}

async fn run(grant: &Grant, target: Target<'_>, request: HttpRequest) -> Result<RunAnswer, Problem> {
    let function = &target.function.function;
    let permission = grant.run(function)?;
    let limit = function.manifest.limits.body.bytes();
    if request.body.len() > limit {
        return Err(BodyError::TooLarge { limit }.into());
    }
    if !request.body.is_empty() {
        must_be_plain(&request.headers)?;
    }
    grant.app.run_apart(grant.app.runner.invoke(target), permission, request).await
}
