//! `picloud invoke`: runs a function without a server.

use std::{io::Read, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header::CONTENT_TYPE};

use super::{
    Configured, Exit,
    check::{CheckedSource, on_script_stack, read_and_check},
    output,
};
use crate::{
    clock::{Ids, SystemClock},
    deployment::DeploymentId,
    engine::Control,
    execution::{Execution, ExecutionId, Invocation, Reply, Trigger},
    function::{Diagnostic, SharedFunction},
    live::router::{Match, Router},
};

/// `picloud invoke PATH`
#[derive(Debug, Args)]
pub struct Invoke {
    #[command(flatten)]
    configured: Configured,
    /// Path with an optional query: `/hello?name=Ada`
    path: String,
    /// Method [default: GET, or POST with a body]
    #[arg(short = 'X', long)]
    method: Option<String>,
    /// Body: text, `@FILE`, or `-` for standard input
    #[arg(short = 'd', long = "body", value_name = "BODY")]
    given_body: Option<String>,
    /// Header, `Name: value`; may be repeated
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// Print status and headers before the body
    #[arg(short, long)]
    include: bool,
}

impl Invoke {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let config = self.configured.load()?;
        let uri: Uri = self.path.parse().with_context(|| format!("`{}` is not a path", self.path))?;
        let body = self.body()?;
        let headers = self.headers(&body)?;
        let method = self.method.clone().unwrap_or_else(|| if self.given_body.is_some() { "POST".into() } else { "GET".into() });
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).with_context(|| format!("`{method}` is not a method"))?;

        let CheckedSource { settled, engine } = read_and_check(&config)?;
        let ready = settled.report.functions.values().map(|function| (function.route.clone(), Ok(function.clone())));
        let broken = settled.broken.iter().map(|file| (file.route.clone(), Err(file.diagnostics.clone())));
        let router: Router<Result<SharedFunction, Arc<[Diagnostic]>>> = Router::new(ready.chain(broken));
        let (function, params) = match router.find(method.as_str(), uri.path()) {
            Match::Found { value: Ok(function), params, .. } => (function.clone(), params),
            Match::Found { value: Err(diagnostics), .. } => {
                for diagnostic in diagnostics.iter() {
                    eprintln!("{diagnostic}\n");
                }
                return Ok(Exit::FunctionsWrong);
            }
            Match::NotFound => bail!("no function answers at `{}`\n  hint: `picloud routes` lists what is there", uri.path()),
            Match::MethodNotAllowed { allow } | Match::Options { allow } => {
                bail!("`{}` answers {}", uri.path(), crate::function::route::methods::join(&allow))
            }
            Match::BadPath(why) => bail!("`{}` is malformed: {why}", uri.path()),
        };
        let limits = &function.manifest.limits;
        if body.len() > limits.body.bytes() {
            bail!("the body has {} bytes, more than the {} that this function takes", body.len(), limits.body);
        }
        let execution_id = ExecutionId(Ids::new(Arc::new(SystemClock)).next());
        let invocation = Invocation {
            execution_id,
            deployment: DeploymentId(0),
            trigger: Trigger::Cli,
            request_id: None,
            method,
            uri,
            params,
            headers,
            body,
            remote_addr: None,
        };
        let ran = {
            let function = function.clone();
            on_script_stack(&config, move || -> anyhow::Result<_> {
                let program = engine.program(&function).map_err(|found| anyhow::anyhow!("{}", found[0]))?;
                Ok(engine.run(&program, invocation, Control::default())?)
            })??
        };
        tell_log(&ran.execution);
        match ran.reply {
            Some(reply) => {
                self.print(&reply);
                Ok(Exit::Done)
            }
            None => {
                tell_failure(&ran.execution, &function);
                Ok(Exit::FunctionsWrong)
            }
        }
    }

    fn body(&self) -> anyhow::Result<Bytes> {
        Ok(match self.given_body.as_deref() {
            None => Bytes::new(),
            Some("-") => {
                let mut body = Vec::new();
                std::io::stdin().read_to_end(&mut body).context("cannot read the body from standard input")?;
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
            let name = HeaderName::from_bytes(name.trim().as_bytes()).with_context(hint)?;
            headers.append(name, HeaderValue::from_str(value.trim()).with_context(hint)?);
        }
        if !body.is_empty() && !headers.contains_key(CONTENT_TYPE) {
            let is_json = matches!(serde_json::from_slice(body), Ok(serde_json::Value::Object(_) | serde_json::Value::Array(_)));
            let content_type = if is_json { "application/json" } else { "text/plain; charset=utf-8" };
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        Ok(headers)
    }

    fn print(&self, reply: &Reply) {
        if self.include {
            output::line(format!("{} {}", reply.status.as_u16(), reply.status.canonical_reason().unwrap_or_default()));
            for (name, value) in &reply.headers {
                output::line(format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
            }
            output::line("");
        }
        output::raw(&reply.body);
        let is_text = reply.headers.iter().any(|(name, value)| {
            name == CONTENT_TYPE && [&b"text/"[..], b"application/json"].iter().any(|start| value.as_bytes().starts_with(start))
        });
        if is_text && !reply.body.ends_with(b"\n") {
            output::line("");
        }
    }
}

fn tell_log(execution: &Execution) {
    for line in &execution.logs {
        eprintln!("{:>9.3?} {:?} {}", Duration::from_micros(line.at_us), line.level, line.message);
    }
    if execution.logs_dropped > 0 {
        eprintln!("{} more log lines did not fit the limit", execution.logs_dropped);
    }
}

fn tell_failure(execution: &Execution, function: &SharedFunction) {
    let Some(failure) = &execution.failure else { return };
    let text = function.files.iter().find(|(file, _)| *file == failure.file).map(|(_, content)| String::from_utf8_lossy(&content.bytes));
    let mut diagnostic = Diagnostic::error(failure.file.clone(), failure.message.clone());
    if let (Some(position), Some(text)) = (failure.position, text) {
        diagnostic = diagnostic.at(&text, position);
    }
    eprintln!("{diagnostic}");
    for call in &failure.calls {
        eprintln!("  in {call}");
    }
}
