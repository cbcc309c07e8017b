//! `picloud logs`: what executions logged and why they failed, oldest first, and on request what comes.

use std::{collections::BTreeSet, time::Duration};

use clap::Args;
use serde_json::json;

use super::{
    answer::{place_and_message, word},
    client::{Client, Pairs, query},
    executions::{ExecutionSelection, filter},
    exit::Exit,
    output,
    records::Records,
    target::NodeArgs,
};
use crate::{
    clock::{Clock, SystemClock, rfc3339},
    execution::{Execution, ExecutionId, Failure},
    function::VersionPrefix,
    shown::Shown,
    store::{ExecutionFilter, Store, StoreError},
};

/// Between two looks of `logs -f`.
const POLL: Duration = Duration::from_millis(500);
/// Executions in one query.
const PAGE: u32 = 500;
/// Before another try to reach a node that went away.
const PAUSE: Duration = Duration::from_secs(1);
/// What may pass between the end of a run and its being written.
const SLACK: Duration = Duration::from_secs(2);

/// `picloud logs`
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub struct Logs {
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    selection: ExecutionSelection,
    /// Only of versions that begin so
    #[arg(long, value_name = "VERSION")]
    version: Option<VersionPrefix>,
    /// At most so many lines, the newest
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Go on with what comes, until interrupted
    #[arg(short, long)]
    follow: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// One thing that an execution said, or why it failed.
struct Line<'e> {
    time_us: i64,
    execution: &'e Execution,
    level: &'static str,
    message: String,
    failure: Option<&'e Failure>,
}

impl Logs {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let mut pairs = self.selection.pairs();
        pairs.extend(self.version.as_ref().map(|version| ("version", version.to_string())));
        pairs.push(("has_output", "true".into()));
        self.node.records(async |records| match &records {
            Records::Node(client) if self.follow => self.follow_node(&records, client, &pairs).await,
            Records::Database(store) if self.follow => self.follow_store(&records, store, &pairs).await,
            _ => self.print_newest(&records, &pairs).await.map(drop),
        })?;
        Ok(Exit::Done)
    }

    /// Prints the newest lines, and returns which executions were looked at for them.
    async fn print_newest(&self, records: &Records, pairs: &Pairs) -> anyhow::Result<BTreeSet<ExecutionId>> {
        let newest = self.newest(records, pairs).await?;
        let lines = in_order(&newest);
        lines[lines.len().saturating_sub(self.limit as usize)..].iter().for_each(|line| self.print(line));
        Ok(newest.iter().map(|execution| execution.id).collect())
    }

    /// Goes on with what is new in the database.
    async fn follow_store(&self, records: &Records, store: &Store, pairs: &Pairs) -> anyhow::Result<()> {
        // An id says when a run began, and a slow run is written after fast ones that began later: look back by what a run may take.
        let reach = self.node.configured.load()?.limits.default.timeout.0 + SLACK;
        let filter = filter(store, pairs).await?;
        let mut shown: BTreeSet<_> = recent(store, &filter, reach).await?.iter().map(|execution| execution.id).collect();
        shown.extend(self.print_newest(records, pairs).await?);
        while !output::reader_left() {
            tokio::time::sleep(POLL).await;
            let mut recent = recent(store, &filter, reach).await?;
            let ids: BTreeSet<ExecutionId> = recent.iter().map(|execution| execution.id).collect();
            recent.retain(|execution| !shown.contains(&execution.id));
            in_order(&recent).iter().for_each(|line| self.print(line));
            shown = ids;
        }
        Ok(())
    }

    /// Goes on with what the node tells, and comes again when the connection ends.
    async fn follow_node(&self, records: &Records, client: &Client, pairs: &Pairs) -> anyhow::Result<()> {
        let path = format!("/api/admin/executions/tail?{}", query(pairs));
        // It listens before it looks at what there is, so that nothing falls in between.
        let mut events = client.events(&path, None)?;
        let mut shown = self.print_newest(records, pairs).await?;
        let mut last = None;
        while !output::reader_left() {
            match events.as_mut().map(|events| events.read()) {
                Some(Ok(Some(event))) => {
                    last = event.id.and_then(|id| id.parse().ok()).or(last);
                    match event.name.as_str() {
                        "execution" => {
                            let execution: Execution = serde_json::from_str(&event.data)?;
                            if !shown.remove(&execution.id) {
                                in_order(&[execution]).iter().for_each(|line| self.print(line));
                            }
                        }
                        "skipped" => output::tell(format!("not all is shown: {}", event.data)),
                        _ => {}
                    }
                }
                _ => {
                    tokio::time::sleep(PAUSE).await;
                    events = client.events(&path, last)?;
                }
            }
        }
        Ok(())
    }

    /// Returns the newest executions that together said enough.
    async fn newest(&self, records: &Records, pairs: &Pairs) -> anyhow::Result<Vec<Execution>> {
        let mut found: Vec<Execution> = Vec::new();
        let (mut lines, mut before) = (0, None);
        while lines < self.limit as usize {
            let page = records.executions(pairs, before, self.limit as usize).await?;
            lines += page.executions.iter().map(|execution| said(execution).len()).sum::<usize>();
            found.extend(page.executions);
            let Some(next) = page.next else { break };
            before = Some(next);
        }
        Ok(found)
    }

    fn print(&self, line: &Line<'_>) {
        let Line { execution, level, message, failure, .. } = line;
        let time = rfc3339(line.time_us);
        if self.json {
            let mut all = json!({
                "time": time, "function": execution.function, "execution_id": execution.id, "level": level, "message": message,
            });
            if let Some(failure) = failure {
                all["status"] = execution.status.into();
                all["outcome"] = execution.outcome.as_str().into();
                all["failure"] = json!(failure);
            }
            output::json_line(&all);
        } else {
            let message = failure.map_or(message.clone(), place_and_message);
            let (function, message) = (Shown::inline(execution.function.as_str()), Shown::inline(&message));
            output::line(format!("{time}  {level:<7}  {}  {function}  {message}", execution.id));
        }
    }
}

/// Returns everything with output that a run of the last moments may still have brought.
async fn recent(store: &Store, filter: &ExecutionFilter, reach: Duration) -> Result<Vec<Execution>, StoreError> {
    let since_us = Some(filter.since_us.unwrap_or(0).max(SystemClock.now_us() - reach.as_micros() as i64));
    let mut found: Vec<Execution> = Vec::new();
    loop {
        let before = found.last().map(|execution| execution.id);
        let page = store.executions(&ExecutionFilter { since_us, before, limit: PAGE, ..filter.clone() }).await?;
        let is_last = page.len() < PAGE as usize;
        found.extend(page);
        if is_last {
            return Ok(found);
        }
    }
}

/// Returns what these executions said, oldest first.
fn in_order(executions: &[Execution]) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = executions.iter().rev().flat_map(said).collect();
    // Stable, so that lines of one moment stay in the order in which they were logged.
    lines.sort_by_key(|line| line.time_us);
    lines
}

/// Returns what an execution said, in order: its log lines, how many did not fit, why it failed.
fn said(execution: &Execution) -> Vec<Line<'_>> {
    let at = |since_us: u64| execution.id.time_us().saturating_add_unsigned(since_us);
    let line = |time_us, level, message: String| Line { time_us, execution, level, message, failure: None };
    let mut lines: Vec<Line<'_>> = execution.logs.iter().map(|log| line(at(log.at_us), word(log.level), log.message.clone())).collect();
    let end = at(execution.duration_us);
    if execution.logs_dropped > 0 {
        let message = format!("{} did not fit the limit", output::count(execution.logs_dropped as usize, "log line"));
        lines.push(line(end, "warn", message));
    }
    if let Some(failure) = &execution.failure {
        lines.push(Line { failure: Some(failure), ..line(end, "failure", failure.message.clone()) });
    }
    lines
}
