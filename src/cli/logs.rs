//! `picloud logs`: what executions logged and why they failed, oldest first, and on request what comes.

use std::{collections::BTreeSet, time::Duration};

use clap::Args;
use serde_json::json;

use super::{
    Configured, Exit,
    executions::{Selected, place_and_message},
    output,
};
use crate::{
    clock::{Clock, SystemClock, rfc3339},
    execution::{Execution, ExecutionId, Failure, LogLevel},
    store::{ExecutionFilter, Store, StoreError},
};

/// Between two looks of `logs -f`.
const POLL: Duration = Duration::from_millis(500);
/// Executions in one query.
const PAGE: u32 = 500;
/// What may pass between the end of a run and its being written.
const SLACK: Duration = Duration::from_secs(2);

/// `picloud logs`
#[derive(Debug, Args)]
pub struct Logs {
    #[command(flatten)]
    configured: Configured,
    #[command(flatten)]
    selected: Selected,
    /// At most so many lines, the newest
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
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
        let config = self.configured.load()?;
        // An id says when a run began, and a slow run is written after fast ones that began later: look back by what a run may take.
        let reach = config.limits.default.timeout.0 + SLACK;
        self.configured.with_store(&config, async |store| {
            let filter = ExecutionFilter { has_output: true, ..self.selected.filter(&store).await? };
            let mut shown = BTreeSet::new();
            if self.follow {
                shown.extend(recent(&store, &filter, reach).await?.iter().map(|execution| execution.id));
            }
            let newest = self.newest(&store, &filter).await?;
            let lines = in_order(&newest);
            lines[lines.len().saturating_sub(self.limit)..].iter().for_each(|line| self.print(line));
            shown.extend(newest.iter().map(|execution| execution.id));
            while self.follow && !output::reader_left() {
                tokio::time::sleep(POLL).await;
                let mut recent = recent(&store, &filter, reach).await?;
                let ids: BTreeSet<ExecutionId> = recent.iter().map(|execution| execution.id).collect();
                recent.retain(|execution| !shown.contains(&execution.id));
                in_order(&recent).iter().for_each(|line| self.print(line));
                shown = ids;
            }
            Ok(())
        })?;
        Ok(Exit::Done)
    }

    /// Returns the newest executions that together said enough.
    async fn newest(&self, store: &Store, filter: &ExecutionFilter) -> Result<Vec<Execution>, StoreError> {
        let mut found: Vec<Execution> = Vec::new();
        let mut lines = 0;
        while lines < self.limit {
            let limit = PAGE.min(u32::try_from(self.limit).unwrap_or(PAGE));
            let before = found.last().map(|execution| execution.id).or(filter.before);
            let page = store.executions(&ExecutionFilter { before, limit, ..filter.clone() }).await?;
            if page.is_empty() {
                break;
            }
            lines += page.iter().map(|execution| said(execution).len()).sum::<usize>();
            found.extend(page);
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
            output::line(all.to_string());
        } else {
            let message = failure.map_or(message.clone(), place_and_message);
            output::line(format!("{time}  {level:<7}  {}  {}  {}", execution.id, execution.function, output::tame(&message)));
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

/// Returns the word of a level, as scripts write it.
pub fn word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Trace => "trace",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    }
}
