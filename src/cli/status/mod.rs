//! `picloud status`: whether a node runs, what is live, and what is wrong in the source.

use std::{
    fs,
    io::{self, IsTerminal},
    path::Path,
    thread,
    time::Duration,
};

use clap::Args;
use serde_json::{Value, json};

use super::{
    client::Client,
    exit::Exit,
    findings::finding,
    output::{self, Style},
    target::NodeArgs,
};
use crate::{
    clock::{monotonic, rfc3339},
    config::{Config, SourceConfig},
    deployment::{Deployment, DeploymentStatus, Summary},
    function::{Diagnostic, quantity::Size},
    node,
    shown::Shown,
    store::{Store, journal::SPOOL},
};

/// `picloud status`
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    node: NodeArgs,
    /// Go on, and show what there is whenever that changes
    #[arg(long, short)]
    watch: bool,
    /// Print one JSON object; with `--watch` one a line
    #[arg(long)]
    json: bool,
}

/// How often the status is looked at while somebody watches.
const PAUSE: Duration = Duration::from_secs(1);

/// Nearly every save is live or refused within this time.
const DECISION: Duration = Duration::from_secs(1);
/// A file that does not check is waited for, in case its writer goes on: a mistake that is shown before may be an older one.
const SETTLED: Duration = Duration::from_millis(500);
/// How often the status is looked at until then.
const GLANCE: Duration = Duration::from_millis(50);

/// What the database tells.
#[derive(Default)]
struct Recorded {
    live: Option<Deployment>,
    last: Option<Deployment>,
}

impl Status {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        if self.watch {
            return self.watch();
        }
        let seen = self.look_once_decided()?;
        if self.json {
            output::json(&seen.data)?;
        } else {
            output::painted(seen.text);
        }
        seen.problem.map_or(Ok(Exit::Done), Err)
    }

    /// Shows what there is whenever that changes, until it is interrupted or nobody reads any more.
    fn watch(&self) -> anyhow::Result<Exit> {
        let is_drawn = !self.json && io::stdout().is_terminal();
        let (mut last, mut is_first) = (Value::Null, true);
        while !output::reader_left() {
            // A node that is away is news, and may come back.
            let (text, data) = match self.look() {
                Ok(seen) => (seen.text, seen.data),
                Err(error) => (Shown::lines(&format!("{error:#}")).to_string(), json!({ "error": format!("{error:#}") })),
            };
            let essence = essence(&data);
            if essence != last {
                match (self.json, is_drawn) {
                    (true, _) => output::json_line(&data),
                    (false, true) => {
                        output::clear();
                        output::painted(text);
                    }
                    (false, false) => output::painted(if is_first { text } else { format!("\n{text}") }),
                }
                (last, is_first) = (essence, false);
            }
            thread::sleep(PAUSE);
        }
        Ok(Exit::Done)
    }

    /// Looks until a save that the node has seen this moment is live or refused, or waits for something else.
    fn look_once_decided(&self) -> anyhow::Result<StatusReport> {
        let began = monotonic();
        loop {
            let seen = self.look()?;
            if !is_being_decided(&seen.data) || began.elapsed() > DECISION {
                return Ok(seen);
            }
            thread::sleep(GLANCE);
        }
    }

    /// Asks the node, or reads what the database tells where none runs.
    fn look(&self) -> anyhow::Result<StatusReport> {
        if let Some(client) = self.node.find()? {
            let mut data = client.get("/api/admin/status")?;
            let config = self.node.configured.load()?;
            data["node"] = json!(node::running(&config.data));
            return Ok(StatusReport { text: running(&client, &data, &config), data, problem: None });
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
        let data = recorded_data(&config, &recorded, problem.as_ref())?;
        Ok(StatusReport { text: recorded_text(&config, &recorded, problem.is_some())?, data, problem })
    }
}

/// What a look tells: for people, and for tools.
struct StatusReport {
    /// Painted: what came from outside has been shown.
    text: String,
    data: Value,
    /// Why it is not all that there is to tell.
    problem: Option<anyhow::Error>,
}

/// Returns whether the source holds something new that nobody holds back, and of which it is not known yet whether it is right.
fn is_being_decided(status: &Value) -> bool {
    let Some(behind) = status["behind_us"].as_u64().map(Duration::from_micros) else { return false };
    let has_reason = ["held", "waiting", "problem"].iter().any(|key| !status[key].is_null());
    let has_mistakes = status["diagnostics"].as_array().is_some_and(|found| !found.is_empty());
    !has_reason && (behind < SETTLED || (behind < DECISION && !has_mistakes))
}

/// Returns what of a status is news when it changes: not what time alone changes, and of the journal only what goes wrong.
fn essence(status: &Value) -> Value {
    let mut essence = status.clone();
    if let Some(members) = essence.as_object_mut() {
        for key in ["behind_us", "last_look", "next_look"] {
            members.remove(key);
        }
        if let Some(Value::Object(journal)) = members.get_mut("journal") {
            journal.retain(|key, _| ["dropped", "refused", "torn"].contains(&key.as_str()));
        }
    }
    essence
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
fn running(client: &Client, status: &Value, config: &Config) -> String {
    let mut said: Vec<String> = Vec::new();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut row = |name: &str, value: &str| {
        let lines: Vec<String> = value.lines().map(|line| Shown::inline(line).to_string()).collect();
        // Padded before it is coloured, because colours have a width too.
        let name = format!("{name:<9}");
        let name = if TROUBLE.contains(&name.trim_end()) { output::styled(Style::Yellow, &name) } else { name.into() };
        said.push(format!("{name} {}", lines.join("\n          ")));
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
        let at = text(&preview["host"]).or_else(|| text(&preview["path"])).map(|at| format!(", at {at}")).unwrap_or_default();
        row("preview", &format!("{branch} {state}, revision {revision}{at}"));
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
        said.push(kept(config).into());
    }
    for diagnostic in &found {
        said.push(format!("\n{}", finding(config, diagnostic)));
    }
    said.join("\n")
}

/// What begins rows about something that is not as it should be.
const TROUBLE: [&str; 5] = ["held", "waiting", "problem", "spool", "lost"];

/// Says what mistakes mean: of a commit all or nothing goes live.
fn kept(config: &Config) -> &'static str {
    match config.source {
        SourceConfig::Git(_) => "\nThe wanted commit has mistakes; what is live stays live.",
        SourceConfig::Directory { .. } => "\nFiles with mistakes are live as they last were right, or answer 503 if they never were.",
    }
}

fn recorded_data(config: &Config, recorded: &Recorded, problem: Option<&anyhow::Error>) -> anyhow::Result<Value> {
    Ok(json!({
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

fn recorded_text(config: &Config, recorded: &Recorded, is_unread: bool) -> anyhow::Result<String> {
    let mut said = vec![match node::running(&config.data) {
        Some(node) => format!("node      starting at {} (process {})", node.url, node.pid),
        None => format!("node      not running on `{}`", config.data.display()),
    }];
    said.push(format!("source    {}", config.source));
    said.push(format!("database  {}", Store::describe(&config.database_url, &config.data)?));
    match &recorded.live {
        Some(live) => {
            let since = rfc3339(live.id.time_us());
            let functions = output::count(live.functions as usize, "function");
            said.push(format!("live      {} since {since}, {functions}, revision {}", live.id, live.revision));
        }
        None if is_unread => said.push("live      not known without the database".into()),
        None => said.push("live      nothing yet".into()),
    }
    if let Some(refused) = recorded.refused() {
        said.push(format!("refused   {} at {}, revision {}", refused.id, rfc3339(refused.id.time_us()), refused.revision));
    }
    let spooled = spooled_bytes(&config.data);
    if spooled > 0 {
        said.push(format!("spool     {} of executions wait for the database", Size(spooled)));
    }
    if let Some(last) = recorded.last.as_ref().filter(|last| last.diagnostics.iter().any(Diagnostic::is_error)) {
        said.push(format!("\nThe node looked last at {} and found these mistakes; they may be mended by now:", rfc3339(last.id.time_us())));
    }
    for diagnostic in recorded.diagnostics() {
        said.push(format!("\n{}", finding(config, diagnostic)));
    }
    Ok(Shown::lines(&said.join("\n")).to_string())
}

/// Returns the bytes of executions that wait in the data folder for the database.
fn spooled_bytes(data: &Path) -> u64 {
    let files = fs::read_dir(data.join(SPOOL)).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
}
