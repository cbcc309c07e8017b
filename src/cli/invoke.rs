//! `picloud invoke`: runs a function without a server, or has a node run it.

use std::{
    io::{self, IsTerminal, Read},
    sync::Arc,
};

use anyhow::{Context, anyhow, bail};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use clap::Args;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri,
    header::{ALLOW, CONTENT_TYPE},
};
use serde_json::{Value, json};

use super::{
    Configured, Exit,
    check::{on_script_stack, read_and_check},
    client::{Node, Refusal},
    found,
    logs::word,
    output, remote,
};
use crate::{
    clock::SystemClock,
    config::Config,
    deployment::DeploymentId,
    engine::Control,
    execution::{Execution, ExecutionId, HttpRequest, Invocation, Reply, Trigger},
    function::{Diagnostic, SharedFunction, diagnostic::near_miss, reserved::is_reserved, route::methods::join},
    id::{Ids, NodeNumber},
    live::router::{Match, Router},
    shown::Shown,
    sync::fallback::GoodTree,
};

/// What `--url` is for commands that are about files.
pub const FILES_HERE: &str = "The node's address [default: none; the files here are meant, whatever node runs]";

/// `picloud invoke PATH`
#[derive(Debug, Args)]
#[command(mut_arg("url", |url| url.help(FILES_HERE)))]
pub struct Invoke {
    #[command(flatten)]
    node: Node,
    /// Path with an optional query: `/hello?name=Ada`
    path: String,
    /// Method [default: GET, or POST with a body]
    #[arg(short = 'X', long)]
    method: Option<String>,
    /// Body: text, `@FILE`, or `-` for standard input
    #[arg(short = 'd', long = "body", value_name = "BODY", allow_hyphen_values = true)]
    given_body: Option<String>,
    /// Header, `Name: value`; may be repeated
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// Print status and headers before the body
    #[arg(short, long)]
    include: bool,
    /// Deployment or revision to run it on, of a node that `--url` names [default: what is live]
    #[arg(long, value_name = "DEPLOYMENT")]
    deployment: Option<String>,
    /// Print the execution and the answer as one JSON object; of a node that `--url` names
    #[arg(long)]
    json: bool,
}

impl Invoke {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let uri: Option<Uri> = self.path.parse().ok().filter(|uri: &Uri| uri.path().starts_with('/'));
        let uri = uri.with_context(|| {
            let hint = if self.path.starts_with('/') {
                "write a space as `%20`, and other such characters encoded, too"
            } else {
                "begin with `/`"
            };
            format!("`{}` is not a path\n  hint: {hint}", self.path)
        })?;
        let body = self.body()?;
        let headers = self.headers(&body)?;
        let method = self.method.clone().unwrap_or_else(|| if self.given_body.is_some() { "POST".into() } else { "GET".into() });
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).ok().with_context(|| format!("`{method}` is not a method"))?;
        if let Some(client) = self.node.given()? {
            let order = order(&method, &uri, &headers, &body, self.deployment.as_deref());
            return match client.post("/api/admin/invoke", &order) {
                Ok(answer) => remote::tell(answer, self.json, self.include),
                Err(error) => match error.downcast::<Refusal>()? {
                    Refusal { diagnostics, .. } if !diagnostics.is_empty() => {
                        diagnostics.iter().for_each(|found| output::tell(format!("{found}\n")));
                        Ok(Exit::FunctionsWrong)
                    }
                    refusal => Err(refusal.into()),
                },
            };
        }
        if self.deployment.is_some() || self.json {
            bail!("`--deployment` and `--json` are about a run that a node records\n  hint: name one with `--url`");
        }

        let config = self.node.configured.load()?;
        let checked = read_and_check(&config)?;
        if is_reserved(uri.path()) {
            bail!("PiCloud answers `{}` itself; no function does", uri.path());
        }
        let router = router(&checked.settled);
        let (function, params) = match router.find(method.as_str(), uri.path()) {
            Match::Found { value: Ok(function), params, .. } => (function.clone(), params),
            Match::Found { value: Err(diagnostics), .. } => {
                Configured::tell(&config, diagnostics);
                return Ok(Exit::FunctionsWrong);
            }
            Match::Options { allow } => {
                // The server answers this one by itself, too.
                let allow = HeaderValue::from_str(&join(&allow))?;
                let reply = Reply { status: StatusCode::NO_CONTENT, headers: HeaderMap::from_iter([(ALLOW, allow)]), body: Bytes::new() };
                print(&reply, &method, self.include);
                return Ok(Exit::Done);
            }
            Match::MethodNotAllowed { allow } => {
                let hint = allow.first().map_or(String::new(), |first| format!("\n  hint: `-X {first}`"));
                bail!("`{}` answers {} (405){hint}", uri.path(), join(&allow))
            }
            Match::NotFound => bail!("no function answers at `{}` (404)\n  hint: {}", uri.path(), where_else(&router, uri.path())),
            Match::BadPath(why) => bail!("`{}` is malformed (400): {why}", uri.path()),
        };
        if checked.settled.diagnostics.iter().any(Diagnostic::is_error) {
            output::tell(format!("{}; `picloud check` shows where", found(&checked.settled.diagnostics)));
        }
        let limits = &function.manifest.limits;
        if body.len() > limits.body.bytes() {
            bail!("the body has {} bytes, more than the {} that this function takes (413)", body.len(), limits.body);
        }
        let execution_id = ExecutionId(Ids::new(Arc::new(SystemClock), NodeNumber::drawn()).next());
        let request = HttpRequest { method: method.clone(), uri, params, headers, body };
        let invocation = Box::new(Invocation::new(execution_id, DeploymentId(0), Trigger::Cli, request));
        let ran = {
            let (function, engine) = (function.clone(), checked.engine.clone());
            on_script_stack(&config, move || -> anyhow::Result<_> {
                let program = engine.program(&function).map_err(|found| anyhow!("{}", found[0]))?;
                engine.run(&program, invocation, Control::default()).context("the body is malformed (400)")
            })??
        };
        tell_log(&ran.execution);
        match ran.reply {
            Some(reply) => {
                print(&reply, &method, self.include);
                Ok(Exit::Done)
            }
            None => {
                tell_failure(&config, &ran.execution, &function);
                Ok(Exit::FunctionsWrong)
            }
        }
    }

    fn body(&self) -> anyhow::Result<Bytes> {
        Ok(match self.given_body.as_deref() {
            None => Bytes::new(),
            Some("-") => {
                let mut body = Vec::new();
                io::stdin().read_to_end(&mut body).context("cannot read the body from standard input")?;
                body.into()
            }
            Some(text) => match text.strip_prefix('@') {
                Some(file) => std::fs::read(file).with_context(|| format!("cannot read the body from `{file}`"))?.into(),
                None => text.to_owned().into(),
            },
        })
    }

    /// Reads the headers. Without a content type a body that is a JSON object or array is taken for JSON, any other for text.
    fn headers(&self, body: &Bytes) -> anyhow::Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        for header in &self.headers {
            let hint = || format!("`{header}` is not a header\n  hint: write it like `Name: value`");
            let (name, value) = header.split_once(':').with_context(hint)?;
            let name = HeaderName::from_bytes(name.trim().as_bytes()).ok().with_context(hint)?;
            headers.append(name, HeaderValue::from_str(value.trim()).ok().with_context(hint)?);
        }
        if !body.is_empty() && !headers.contains_key(CONTENT_TYPE) {
            let is_json = matches!(serde_json::from_slice(body), Ok(serde_json::Value::Object(_) | serde_json::Value::Array(_)));
            let content_type = if is_json { "application/json" } else { "text/plain; charset=utf-8" };
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        Ok(headers)
    }
}

/// Writes a request as a node is told of it.
fn order(method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes, deployment: Option<&str>) -> Value {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()))).collect();
    let mut order = json!({ "method": method.as_str(), "path": uri.to_string(), "headers": headers, "deployment": deployment });
    match std::str::from_utf8(body) {
        Ok("") => {}
        Ok(text) => order["body"] = text.into(),
        Err(_) => order["body_base64"] = BASE64_STANDARD.encode(body).into(),
    }
    order
}

/// Prints what a function answered; with `include` its status and headers first.
pub fn print(reply: &Reply, method: &Method, include: bool) {
    if include {
        output::line(format!("{} {}", reply.status.as_u16(), reply.status.canonical_reason().unwrap_or_default()));
        for (name, value) in &reply.headers {
            output::line(format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
        }
        output::line("");
    }
    if method == Method::HEAD {
        return;
    }
    output::raw(&reply.body);
    let is_text = (reply.headers.get(CONTENT_TYPE))
        .is_some_and(|value| [&b"text/"[..], b"application/json"].iter().any(|start| value.as_bytes().starts_with(start)));
    // For people; a program gets the body as it is.
    if is_text && io::stdout().is_terminal() && !reply.body.ends_with(b"\n") {
        output::line("");
    }
}

type Entry = Result<SharedFunction, Arc<[Diagnostic]>>;

/// Makes the router that a node on this folder would have.
fn router(settled: &GoodTree) -> Router<Entry> {
    let ready = settled.report.functions.values().map(|function| (function.route.clone(), Ok(function.clone())));
    let broken = settled.broken.iter().map(|file| (file.route.clone(), Err(file.diagnostics.clone())));
    Router::new(ready.chain(broken))
}

/// Says what was probably meant by a path that nothing serves.
fn where_else(router: &Router<Entry>, path: &str) -> String {
    let routes: Vec<String> = router.entries().map(|(route, _)| route.to_string()).collect();
    match near_miss(path, routes.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`picloud routes` lists what is there".into(),
    }
}

/// Tells what a run logged.
pub fn tell_log(execution: &Execution) {
    for line in &execution.logs {
        output::tell(format!("{:<5}  {}", word(line.level), Shown::inline(&line.message)));
    }
    if execution.logs_dropped > 0 {
        output::tell(format!("{} did not fit the limit", output::count(execution.logs_dropped as usize, "log line")));
    }
}

fn tell_failure(config: &Config, execution: &Execution, function: &SharedFunction) {
    let Some(failure) = &execution.failure else { return };
    let mut diagnostic = Diagnostic::error(failure.file.clone(), failure.message.clone());
    let text = function.files.iter().find(|(file, _)| *file == failure.file).map(|(_, content)| String::from_utf8_lossy(&content.bytes));
    if let (Some(position), Some(text)) = (failure.position, text) {
        diagnostic = diagnostic.at(&text, position);
    }
    output::tell(Configured::finding(config, &diagnostic));
    for call in &failure.calls {
        output::tell(format!("  in {}", Shown::inline(call)));
    }
}
