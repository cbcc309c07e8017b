//! `picloud executions`: what ran, and how it ended. Which executions are meant is asked alike by `picloud logs`.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use super::{
    Configured, Exit,
    client::{Client, Node},
    history::must_be_known,
    output,
};
use crate::{
    clock::{Clock, SystemClock, rfc3339},
    execution::{ExecutionId, Failure, Timed},
    store::{Ended, ExecutionFilter, Page, Store},
};

/// Which executions are meant.
#[derive(Debug, Args)]
pub struct Selected {
    /// Only of this function
    #[arg(long, value_name = "FUNCTION")]
    function: Option<String>,
    /// Only of functions whose name begins so: `orders/`
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
    /// Only those that this asked for: `http`, `execute`, `invoke`, `replay`
    #[arg(long, value_name = "TRIGGER")]
    trigger: Option<String>,
    /// Only those of the request with this `x-request-id`
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// Only those with this text in a log line or in the message of their failure
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// Only since then: a span (`10m`, `2h`) or a time (`2026-11-23T09:00:00Z`)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

/// What is asked of a node or of the database: keys and values as in the API.
pub type Pairs = Vec<(&'static str, String)>;

impl Selected {
    /// Returns what these ask for.
    pub fn pairs(&self) -> Pairs {
        let all = [
            ("function", &self.function),
            ("prefix", &self.prefix),
            ("trigger", &self.trigger),
            ("request_id", &self.request_id),
            ("text", &self.text),
            ("since", &self.since),
        ];
        all.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect()
    }
}

/// Where executions are read from: a node, or the database itself.
pub enum Runs {
    Node(Client),
    Store(Store),
}

impl Runs {
    /// Returns at most so many executions, the newest first, older than `before`, as far as was looked in one go.
    pub async fn page(&self, pairs: &Pairs, before: Option<ExecutionId>, limit: usize) -> anyhow::Result<Page> {
        let limit = limit.min(PAGE);
        match self {
            Self::Store(store) => {
                let filter = ExecutionFilter { before, limit: limit as u32, ..filter(store, pairs).await? };
                Ok(store.search(&filter, Duration::MAX).await?)
            }
            Self::Node(client) => {
                let mut pairs = pairs.clone();
                pairs.push(("limit", limit.to_string()));
                pairs.extend(before.map(|before| ("cursor", before.to_string())));
                let mut page = client.get(&format!("/api/admin/executions?{}", query(&pairs)))?;
                let said = "the node's answer is none to this question: is it a PiCloud of another version?";
                let mut take = |key: &str| page.get_mut(key).map(Value::take).unwrap_or_default();
                let executions = serde_json::from_value(take("executions")).context(said)?;
                Ok(Page { executions, next: serde_json::from_value(take("next")).context(said)? })
            }
        }
    }
}

/// The most that is asked for at once.
const PAGE: usize = 1_000;

/// Reads what is asked for, and refuses a function that the database does not know.
pub async fn filter(store: &Store, pairs: &Pairs) -> anyhow::Result<ExecutionFilter> {
    let filter = ExecutionFilter::parse(pairs.iter().map(|(key, value)| (*key, value.as_str())), SystemClock.now_us())?;
    if let Some(function) = &filter.function {
        must_be_known(store, function).await?;
    }
    Ok(filter)
}

/// Writes it as the query of a URL.
pub fn query(pairs: &Pairs) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// `picloud executions`
#[derive(Debug, Args)]
pub struct Executions {
    #[command(flatten)]
    node: Node,
    #[command(flatten)]
    selected: Selected,
    /// Only those that ended so: `404`, `5xx`, `failed`, `timed_out`, …
    #[arg(long, value_parser = ended)]
    status: Option<Ended>,
    /// Only until then: a span (`10m`, `2h`) or a time (`2026-11-23T09:00:00Z`)
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// At most so many, the newest first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

fn ended(text: &str) -> Result<Ended, String> {
    text.parse().map_err(|hint| format!("it is not a status\n  hint: {hint}"))
}

impl Executions {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let mut pairs = self.selected.pairs();
        pairs.extend(self.status.map(|status| ("status", status.to_string())));
        pairs.extend(self.until.clone().map(|until| ("until", until)));
        let executions = Configured::with_runs(&self.node, async |runs| {
            let (mut found, mut before) = (Vec::new(), None);
            let limit = self.limit as usize;
            while found.len() < limit {
                let page = runs.page(&pairs, before, limit - found.len()).await?;
                found.extend(page.executions);
                let Some(next) = page.next else { break };
                before = Some(next);
            }
            Ok(found)
        })?;
        if self.json {
            output::json(
                &executions.iter().map(Timed::from).map(|all| serde_json::to_value(all).unwrap_or_default()).collect::<Vec<Value>>(),
            )?;
            return Ok(Exit::Done);
        }
        let rows: Vec<[String; 7]> = executions
            .iter()
            .map(|execution| {
                [
                    execution.id.to_string(),
                    rfc3339(execution.id.time_us()),
                    execution.status.to_string(),
                    output::micros(execution.duration_us),
                    execution.function.to_string(),
                    format!("{} {}", execution.method, execution.path),
                    execution.failure.as_ref().map_or(String::new(), place_and_message),
                ]
            })
            .collect();
        output::table(["EXECUTION", "TIME", "STATUS", "TOOK", "FUNCTION", "REQUEST", "FAILURE"], &rows);
        Ok(Exit::Done)
    }
}

/// Writes a failure in one line, its place first.
pub fn place_and_message(failure: &Failure) -> String {
    let place = failure.position.map_or(String::new(), |at| format!(":{}:{}", at.line, at.column));
    format!("{}{place}: {}", failure.file, failure.message)
}
