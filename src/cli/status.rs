//! `picloud status`: whether a node runs, what is live, and what is wrong in the source.

use std::{fs, path::Path};

use clap::Args;
use serde_json::{Value, json};

use super::{
    Configured, Exit,
    client::{Client, Node},
    output,
};
use crate::{
    clock::rfc3339,
    config::{Config, Source as SourceConfig},
    deployment::{Deployment, DeploymentStatus, Summary},
    function::{Diagnostic, limits::Size},
    node,
    store::{Store, journal::SPOOL},
};

/// `picloud status`
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    node: Node,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What the database tells.
#[derive(Default)]
struct Recorded {
    live: Option<Deployment>,
    last: Option<Deployment>,
}

impl Status {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        if let Some(client) = self.node.find()? {
            let mut status = client.get("/api/admin/status")?;
            status["node"] = json!(self.node.configured.load().ok().and_then(|config| node::running(&config.data)));
            if self.json {
                output::json(&status)?;
            } else {
                print_running(&client, &status, &self.node.configured.load()?);
            }
            return Ok(Exit::Done);
        }
        let config = self.node.configured.load()?;
        let read = self
            .node
            .configured
            .with_store(&config, async |store| Ok(Recorded { live: store.live_deployment().await?, last: store.last_deployment().await? }));
        // A database that is away is one more thing to tell, not a reason to tell nothing.
        let (recorded, problem) = match read {
            Ok(recorded) => (recorded, None),
            Err(error) => (Recorded::default(), Some(error)),
        };
        if self.json {
            json_status(&config, &recorded, problem.as_ref())?
        } else {
            print_status(&config, &recorded, problem.is_some())?
        }
        problem.map_or(Ok(Exit::Done), Err)
    }
}

impl Recorded {
    /// The last decision, if it was against what the source holds.
    fn refused(&self) -> Option<&Deployment> {
        self.last.as_ref().filter(|last| last.status == DeploymentStatus::Rejected)
    }

    fn diagnostics(&self) -> &[Diagnostic] {
        self.last.as_ref().map(|last| last.diagnostics.as_slice()).unwrap_or_default()
    }
}

/// Says what a running node says of itself.
fn print_running(client: &Client, status: &Value, config: &Config) {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let row = |name: &str, value: &str| {
        let lines: Vec<_> = value.lines().map(output::tame).collect();
        output::line(format!("{name:<9} {}", lines.join("\n          ")));
    };
    row("node", &format!("running at {}", client.url()));
    row("source", &text(&status["source"]).unwrap_or_default());
    let database = text(&status["database"]["place"]).unwrap_or_default();
    row("database", &text(&status["database"]["problem"]).map_or(database.clone(), |problem| format!("{database}: {problem}")));
    let live = &status["live"];
    match text(&live["id"]) {
        Some(id) => {
            let functions = output::count(live["functions"].as_u64().unwrap_or(0) as usize, "function");
            let (since, revision) = (text(&live["time"]).unwrap_or_default(), text(&live["revision"]).unwrap_or_default());
            row("live", &format!("{id} since {since}, {functions}, revision {revision}"));
            let pushed = text(&live["pushed_by"]).map(|by| format!("pushed by {by}"));
            let by: Vec<String> = [text(&live["by"]), pushed, text(&live["note"])].into_iter().flatten().collect();
            if !by.is_empty() {
                row("by", &by.join(", "));
            }
        }
        None => row("live", "nothing yet"),
    }
    if status["is_in_sync"] != Value::Bool(true)
        && let Some(wanted) = text(&status["wanted"])
    {
        let behind = status["behind_us"].as_u64().map(|us| format!(", for {}", output::micros(us))).unwrap_or_default();
        row("wanted", &format!("{wanted}{behind}"));
    }
    for (name, key) in [("held", "held"), ("waiting", "waiting"), ("problem", "problem")] {
        if let Some(why) = text(&status[key]) {
            row(name, &why);
        }
    }
    let next = text(&status["next_look"]).map_or("when something changes".into(), |next| format!("{next}, or when something changes"));
    if let Some(last) = text(&status["last_look"]) {
        row("looked", &format!("{last}; next {next}"));
    }
    for preview in status["previews"].as_array().into_iter().flatten() {
        let state = if preview["is_shown"] == Value::Bool(true) { "shown" } else { "has mistakes" };
        let (branch, revision) = (text(&preview["branch"]).unwrap_or_default(), text(&preview["revision"]).unwrap_or_default());
        row("preview", &format!("{branch} {state}, revision {revision}"));
    }
    let journal = &status["journal"];
    let waiting = journal["spooled_bytes"].as_u64().unwrap_or(0);
    if waiting > 0 {
        row("spool", &format!("{} of executions wait for the database", Size(waiting)));
    }
    let lost = journal["dropped"].as_u64().unwrap_or(0) + journal["refused"].as_u64().unwrap_or(0);
    if lost > 0 {
        row("lost", &format!("{} since the node started", output::count(lost as usize, "execution")));
    }
    let found: Vec<Diagnostic> = serde_json::from_value(status["diagnostics"].clone()).unwrap_or_default();
    if found.iter().any(Diagnostic::is_error) {
        output::line(kept(config));
    }
    for diagnostic in &found {
        output::line(format!("\n{}", Configured::finding(config, diagnostic)));
    }
}

/// Says what mistakes mean: of a commit all or nothing goes live.
fn kept(config: &Config) -> &'static str {
    match config.source {
        SourceConfig::Git(_) => "\nThe wanted commit has mistakes; what is live stays live.",
        SourceConfig::Directory { .. } => "\nFiles with mistakes are live as they last were right, or answer 503 if they never were.",
    }
}

fn json_status(config: &Config, recorded: &Recorded, problem: Option<&anyhow::Error>) -> anyhow::Result<()> {
    output::json(&json!({
        "node": node::running(&config.data),
        "source": config.source.to_string(),
        "data": config.data,
        "database": {
            "place": Store::describe(&config.database_url, &config.data)?,
            "problem": problem.map(|problem| format!("{problem:#}")),
        },
        "live": recorded.live.as_ref().map(Summary::from),
        "refused": recorded.refused().map(Summary::from),
        "diagnostics": recorded.diagnostics(),
        "spooled_bytes": spooled_bytes(&config.data),
    }))
}

fn print_status(config: &Config, recorded: &Recorded, is_unread: bool) -> anyhow::Result<()> {
    output::line(match node::running(&config.data) {
        Some(node) => format!("node      starting at {} (process {})", node.url, node.pid),
        None => format!("node      not running on `{}`", config.data.display()),
    });
    output::line(format!("source    {}", config.source));
    output::line(format!("database  {}", Store::describe(&config.database_url, &config.data)?));
    match &recorded.live {
        Some(live) => {
            let since = rfc3339(live.id.time_us());
            let functions = output::count(live.functions as usize, "function");
            output::line(format!("live      {} since {since}, {functions}, revision {}", live.id, live.revision));
        }
        None if is_unread => output::line("live      not known without the database"),
        None => output::line("live      nothing yet"),
    }
    if let Some(refused) = recorded.refused() {
        output::line(format!("refused   {} at {}, revision {}", refused.id, rfc3339(refused.id.time_us()), refused.revision));
    }
    let spooled = spooled_bytes(&config.data);
    if spooled > 0 {
        output::line(format!("spool     {} of executions wait for the database", Size(spooled)));
    }
    if recorded.diagnostics().iter().any(Diagnostic::is_error) {
        output::line(kept(config));
    }
    for diagnostic in recorded.diagnostics() {
        output::line(format!("\n{}", Configured::finding(config, diagnostic)));
    }
    Ok(())
}

/// Returns the bytes of executions that wait in the data folder for the database.
fn spooled_bytes(data: &Path) -> u64 {
    let files = fs::read_dir(data.join(SPOOL)).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
}
