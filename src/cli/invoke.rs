//! `picloud invoke`: runs a function without a server, or has a node run it.

use std::sync::Arc;

use anyhow::bail;
use bytes::Bytes;
use clap::Args;
use http::{HeaderMap, HeaderValue, StatusCode, header::ALLOW};

use super::{
    answer,
    check::{CheckedSource, on_script_stack, read_and_check},
    client::{Client, Refusal},
    exit::Exit,
    findings, output, remote,
    request::{Request, RequestArgs},
    target::NodeArgs,
};
use crate::{
    clock::SystemClock,
    config::Config,
    deployment::DeploymentId,
    execution::{ExecutionId, HttpRequest, Invocation, Reply, Trigger},
    function::{Diagnostic, SharedFunction, diagnostic::near_miss, reserved::is_reserved, route::methods::join},
    id::{Ids, NodeNumber},
    live::router::{Match, Router},
    node,
    sync::fallback::GoodTree,
};

/// What `--url` is for commands that are about files.
pub const FILES_HERE: &str = "The node's address [default: none; the files here are meant, whatever node runs]";

/// `picloud invoke PATH`
#[derive(Debug, Args)]
#[command(mut_arg("url", |url| url.help(FILES_HERE)))]
pub struct Invoke {
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    request: RequestArgs,
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
        let request = self.request.read()?;
        match self.node.given()? {
            Some(client) => self.order(&client, &request),
            None if self.deployment.is_some() || self.json => {
                bail!("`--deployment` and `--json` are about a run that a node records\n  hint: name one with `--url`")
            }
            None => self.run_here(request),
        }
    }

    /// Has a node run it.
    fn order(&self, client: &Client, request: &Request) -> anyhow::Result<Exit> {
        match client.post("/api/admin/invoke", &request.order(self.deployment.as_deref())) {
            Ok(answer) => remote::tell(answer, self.json, self.include),
            Err(error) => match error.downcast::<Refusal>()? {
                Refusal { diagnostics, .. } if !diagnostics.is_empty() => {
                    diagnostics.iter().for_each(|found| output::tell(format!("{found}\n")));
                    Ok(Exit::FunctionsWrong)
                }
                refusal => Err(refusal.into()),
            },
        }
    }

    /// Runs the function that a node on the files here would run.
    fn run_here(&self, request: Request) -> anyhow::Result<Exit> {
        let config = self.node.configured.load()?;
        let checked = read_and_check(&config)?;
        let Request { method, uri, headers, body } = request;
        if is_reserved(uri.path()) {
            bail!("PiCloud answers `{}` itself; no function does", uri.path());
        }
        let router = router(&checked.settled);
        let (function, params) = match router.find(method.as_str(), uri.path()) {
            Match::Found { value: Ok(function), params, .. } => (function.clone(), params),
            Match::Found { value: Err(diagnostics), .. } => {
                findings::tell(&config, diagnostics);
                return Ok(Exit::FunctionsWrong);
            }
            Match::Options { allow } => {
                // The server answers this one by itself, too.
                let allow = HeaderValue::from_str(&join(&allow))?;
                let reply = Reply { status: StatusCode::NO_CONTENT, headers: HeaderMap::from_iter([(ALLOW, allow)]), body: Bytes::new() };
                answer::print(&reply, &method, self.include);
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
            output::tell(format!("{}; `picloud check` shows where", findings::summary(&checked.settled.diagnostics)));
        }
        self.execute(&config, &checked, &function, HttpRequest { method, uri, params, headers, body })
    }

    fn execute(&self, config: &Config, checked: &CheckedSource, function: &SharedFunction, request: HttpRequest) -> anyhow::Result<Exit> {
        let (limit, length) = (function.manifest.limits.body, request.body.len());
        if length > limit.bytes() {
            bail!("the body has {length} bytes, more than the {limit} that this function takes (413)");
        }
        let method = request.method.clone();
        let execution_id = ExecutionId(Ids::new(Arc::new(SystemClock), NodeNumber::drawn()).next());
        let invocation = Box::new(Invocation::new(execution_id, DeploymentId(0), Trigger::Cli, request));
        let finished = {
            let (engine, capacity, function) = (checked.engine.clone(), config.executor.clone(), function.clone());
            on_script_stack(config, move || node::execute_once(engine, &capacity, &function, invocation))??
        };
        answer::tell_log(&finished.execution);
        match finished.reply {
            Some(reply) => {
                answer::print(&reply, &method, self.include);
                Ok(Exit::Done)
            }
            None => {
                answer::tell_failure(config, &finished.execution, function);
                Ok(Exit::FunctionsWrong)
            }
        }
    }
}

type Entry = Result<SharedFunction, Arc<[Diagnostic]>>;

/// Makes the router that a node on this folder would have.
fn router(settled: &GoodTree) -> Router<Entry> {
    let ready = settled.report.functions.values().filter_map(|function| Some((function.route.clone()?, Ok(function.clone()))));
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
