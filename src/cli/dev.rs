//! `picloud dev`: a node for its author, which tells in the terminal what goes live, what is wrong and what is asked.

use std::{collections::BTreeSet, path::PathBuf, thread, time::Duration};

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::{
    answer::{place_and_message, word},
    client::Client,
    exit::Exit,
    findings::finding,
    output::{Style, column, count, micros, painted, styled},
    serve::Serve,
};
use crate::{
    api::{WithTime, node::NodeStatus},
    clock::{Clock, SystemClock, rfc3339},
    config::{Config, SourceConfig},
    deployment::{Deployment, DeploymentId, DeploymentStatus, FunctionChange},
    execution::Execution,
    function::Diagnostic,
    node,
    shown::Shown,
};

/// `picloud dev`
#[derive(Debug, Args)]
#[command(mut_arg("dev", |dev| dev.hide(true)))]
pub struct Dev {
    #[command(flatten)]
    serve: Serve,
}

/// Between two looks whether the node has begun.
const PAUSE: Duration = Duration::from_millis(50);
/// Before a stream is asked for again that the node did not give.
const AGAIN: Duration = Duration::from_secs(1);

/// The width of the first word of a line.
const WORD: usize = 8;

impl Dev {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let mut config = self.serve.config(true)?;
        config.log.tell_less();
        let told = config.clone();
        // It ends with the process.
        thread::Builder::new().name("dev".into()).spawn(move || watch(&told))?;
        node::serve(config)?;
        Ok(Exit::Done)
    }
}

/// Tells what the node of this process does, from its beginning.
fn watch(config: &Config) {
    let url = loop {
        match node::running(&config.data).filter(|running| running.pid == std::process::id()) {
            Some(running) => break running.url,
            None => thread::sleep(PAUSE),
        }
    };
    greet(config, &url);
    let requests = config.clone();
    let address = url.clone();
    let _ = thread::Builder::new().name("dev".into()).spawn(move || Terminal { config: &requests, url: &address }.tell_requests());
    Terminal { config, url: &url }.tell_changes();
}

/// Says where what is.
fn greet(config: &Config, url: &str) {
    let functions = config.server.admin_listen.map_or_else(|| url.to_owned(), |_| format!("http://{}", config.server.listen));
    let from = match &config.source {
        SourceConfig::Directory { path } => path.clone(),
        SourceConfig::Git(_) => PathBuf::from("the repository"),
    };
    row(None, "serving", &format!("{} at {}", Shown::inline(&from.display().to_string()), styled(Style::Bold, &functions)));
    row(None, "look at", &format!("{url}/_picloud/dashboard (the token is in {})", node::admin_token_file(&config.data).display()));
    row(None, "stop", "with Ctrl-C");
}

/// Prints a line: the time of day (UTC, as everywhere), a word, and what there is to say.
fn row(colour: Option<Style>, word: &str, said: &str) {
    let now = rfc3339(SystemClock.now_us());
    let now = now.get(11..19).unwrap_or_default();
    painted(format!("{now}Z  {}  {said}", column(colour, word, WORD)));
}

/// Prints what belongs to the line before.
fn below(said: &str) {
    for line in said.lines() {
        painted(format!("{:1$}{line}", "", WORD + 13));
    }
}

/// The part of an event about a deployment that is shown.
#[derive(Deserialize)]
struct DecisionEvent {
    id: DeploymentId,
    status: DeploymentStatus,
}

/// The author's terminal.
struct Terminal<'c> {
    config: &'c Config,
    url: &'c str,
}

impl Terminal<'_> {
    /// Speaks to the node with the admin token of this moment, which may be another than before.
    fn client(&self) -> Option<Client> {
        Some(Client::new(self.url, node::admin_token(&self.config.data).ok()?))
    }

    /// Calls with each event of a stream, until the node has ended.
    fn each_event(&self, path: &str, mut tell: impl FnMut(&str, Value)) {
        while node::running(&self.config.data).is_some() {
            let Some(Ok(Some(mut events))) = self.client().map(|client| client.events(path, None)) else {
                thread::sleep(AGAIN);
                continue;
            };
            while let Ok(Some(event)) = events.read() {
                if let Ok(data) = serde_json::from_str(&event.data) {
                    tell(&event.name, data);
                }
            }
        }
    }

    /// Tells what goes live, what is wrong with files, and what is no longer.
    fn tell_changes(self) {
        let mut wrong: BTreeSet<Diagnostic> = BTreeSet::new();
        let mut troubles: [Option<String>; 4] = Default::default();
        let mut is_first = true;
        self.each_event("/api/admin/status/tail", |event, data| match event {
            "deployment" => {
                if let Ok(DecisionEvent { id, status: DeploymentStatus::Live }) = serde_json::from_value(data) {
                    self.tell_deployment(id);
                }
            }
            "status" => {
                let Ok(status) = serde_json::from_value::<NodeStatus>(data) else { return };
                if std::mem::take(&mut is_first) {
                    let live = status.live.map_or(0, |live| live.functions as usize);
                    row(None, "live", &format!("{}; `picloud routes` lists their URLs", count(live, "function")));
                }
                let trouble = [status.problem, status.waiting, status.held, status.late];
                for (now, before) in trouble.iter().zip(&troubles).filter(|(now, before)| now != before) {
                    match now {
                        Some(trouble) => row(Some(Style::Yellow), "problem", &Shown::inline(trouble).to_string()),
                        None => row(None, "over", &Shown::inline(before.as_deref().unwrap_or_default()).to_string()),
                    }
                }
                troubles = trouble;
                let now: BTreeSet<Diagnostic> = status.diagnostics.into_iter().collect();
                now.difference(&wrong).for_each(|found| self.tell_finding(found));
                let files = |findings: &BTreeSet<Diagnostic>| findings.iter().map(|found| found.file.clone()).collect::<BTreeSet<_>>();
                for mended in files(&wrong).difference(&files(&now)) {
                    row(None, "mended", &Shown::inline(mended).to_string());
                }
                wrong = now;
            }
            _ => {}
        });
    }

    fn tell_finding(&self, found: &Diagnostic) {
        let colour = if found.is_error() { Style::Red } else { Style::Yellow };
        let text = finding(self.config, found);
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        row(Some(colour), "check", first);
        below(rest);
    }

    fn tell_deployment(&self, id: DeploymentId) {
        let read = |client: Client| client.read::<WithTime<Deployment>>(&format!("/api/admin/deployments/{id}")).ok();
        let Some(deployment) = self.client().and_then(read) else { return };
        let changes: Vec<String> = deployment.record.changes.iter().map(change).collect();
        let took = micros(deployment.record.took_us.unsigned_abs());
        match &*changes {
            [] => row(None, "live", &format!("no function has changed ({took})")),
            [change] => row(None, "live", &format!("{change} ({took})")),
            _ => {
                row(None, "live", &format!("{} ({took})", count(changes.len(), "change")));
                below(&changes.join("\n"));
            }
        }
    }

    /// Tells each run: what asked, what it got, how long it took, what it said.
    fn tell_requests(self) {
        self.each_event("/api/admin/executions/tail", |event, data| match event {
            "execution" => {
                if let Ok(execution) = serde_json::from_value(data) {
                    tell_execution(&execution);
                }
            }
            "skipped" => row(Some(Style::Yellow), "skipped", &format!("{} more ran; `picloud executions` lists them", data["count"])),
            _ => {}
        });
    }
}

fn change(FunctionChange { function, from, to }: &FunctionChange) -> String {
    let sign = match (from, to) {
        (None, _) => '+',
        (_, None) => '-',
        _ => '~',
    };
    format!("{sign} {}", Shown::inline(function.as_str()))
}

fn tell_execution(execution: &Execution) {
    let colour = match execution.status {
        500.. => Some(Style::Red),
        400..500 => Some(Style::Yellow),
        _ => None,
    };
    let asked = match execution.trigger.asks_a_url() {
        true => format!("{} {}", execution.method, Shown::inline(&execution.path)),
        false => format!("{} {}", execution.trigger.as_str(), Shown::inline(execution.function.as_str())),
    };
    row(colour, &execution.status.to_string(), &format!("{asked}  {}", micros(execution.duration_us)));
    for line in &execution.logs {
        below(&format!("{:<5}  {}", word(line.level), Shown::inline(&line.message)));
    }
    if let Some(failure) = &execution.failure {
        below(&styled(Style::Red, &Shown::inline(&place_and_message(failure)).to_string()));
    }
}
