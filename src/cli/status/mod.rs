//! `picloud status`: whether a node runs, what is live, and what is wrong in the source.

mod recorded;
mod running;

use std::{
    io::{self, IsTerminal},
    thread,
    time::Duration,
};

use clap::Args;
use serde_json::{Value, json};

use self::recorded::LastDeployments;
use super::{client::understood, exit::Exit, output, target::NodeArgs};
use crate::{api::node::NodeStatus, clock::monotonic, node, shown::Shown};

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
            if !seen.is_being_decided || began.elapsed() > DECISION {
                return Ok(seen);
            }
            thread::sleep(GLANCE);
        }
    }

    /// Asks the node, or reads what the database tells where none runs.
    fn look(&self) -> anyhow::Result<StatusReport> {
        if let Some(client) = self.node.find()? {
            let mut data = client.get("/api/admin/status")?;
            let status: NodeStatus = understood(data.clone())?;
            let config = self.node.configured.load()?;
            data["node"] = json!(node::running(&config.data));
            let text = running::text(&client, &status, &config);
            return Ok(StatusReport { text, data, is_being_decided: is_being_decided(&status), problem: None });
        }
        let config = self.node.configured.load()?;
        let read = self.node.configured.with_store(&config, async |store| {
            Ok(LastDeployments { live: store.live_deployment().await?, last: store.last_deployment().await? })
        });
        // A database that is away is one more thing to tell, not a reason to tell nothing.
        let (recorded, problem) = match read {
            Ok(recorded) => (recorded, None),
            Err(error) => (LastDeployments::default(), Some(error)),
        };
        let data = recorded::data(&config, &recorded, problem.as_ref())?;
        let text = recorded::text(&config, &recorded, problem.is_some())?;
        Ok(StatusReport { text, data, is_being_decided: false, problem })
    }
}

/// What a look tells: for people, and for tools.
struct StatusReport {
    /// Painted: what came from outside has been shown.
    text: String,
    data: Value,
    /// The next look may tell something else.
    is_being_decided: bool,
    /// Why it is not all that there is to tell.
    problem: Option<anyhow::Error>,
}

/// Returns whether the source holds something new that nobody holds back, and of which it is not known yet whether it is right.
fn is_being_decided(status: &NodeStatus) -> bool {
    let Some(behind) = status.behind_us.map(|us| Duration::from_micros(us.unsigned_abs())) else { return false };
    let has_reason = status.held.is_some() || status.waiting.is_some() || status.problem.is_some();
    !has_reason && (behind < SETTLED || (behind < DECISION && status.diagnostics.is_empty()))
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
