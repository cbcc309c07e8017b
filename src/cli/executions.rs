//! `picloud executions`, `picloud logs`: what ran, and what it said.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, anyhow};
use clap::Args;
use serde_json::{Value, json};

use super::{Configured, Exit, output};
use crate::{
    clock::{Clock, SystemClock, first_id_at, rfc3339},
    execution::{Execution, ExecutionId},
    function::FunctionName,
    store::{ExecutionFilter, StatusFilter},
};

/// Between two looks of `logs -f`.
const POLL: Duration = Duration::from_millis(500);
/// Executions in one query of `logs -f`.
const PAGE: u32 = 500;
/// What may pass between the end of a run and its being written.
const SLACK: Duration = Duration::from_secs(2);

/// Which executions are meant.
#[derive(Debug, Args)]
struct Selected {
    /// Only of this function
    #[arg(long, value_name = "FUNCTION")]
    function: Option<String>,
    /// Only since then: a span (`10m`, `2h`) or a time (`2026-11-23T09:00:00Z`)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// At most so many, the newest
    #[arg(long, default_value_t = 20)]
    limit: u32,
}

impl Selected {
    fn function(&self) -> Option<FunctionName> {
        let name = self.function.as_deref()?;
        Some(FunctionName::of_file(name).unwrap_or_else(|| FunctionName::new(name)))
    }

    fn since_us(&self) -> anyhow::Result<Option<i64>> {
        let Some(text) = self.since.as_deref() else { return Ok(None) };
        if let Ok(span) = humantime::parse_duration(text) {
            return Ok(Some(SystemClock.now_us() - i64::try_from(span.as_micros()).unwrap_or(i64::MAX)));
        }
        let time = humantime::parse_rfc3339_weak(text)
            .map_err(|_| anyhow!("`{text}` is no time\n  hint: write a span such as `10m`, or a time such as `2026-11-23T09:00:00Z`"))?;
        let since = time.duration_since(std::time::UNIX_EPOCH).context("that is before 1970")?;
        Ok(Some(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)))
    }

    fn filter(&self, status: Option<StatusFilter>) -> anyhow::Result<ExecutionFilter> {
        let (function, since_us) = (self.function(), self.since_us()?);
        Ok(ExecutionFilter { function, status, since_us, limit: self.limit, ..ExecutionFilter::default() })
    }
}

/// `picloud executions`
#[derive(Debug, Args)]
pub struct Executions {
    #[command(flatten)]
    configured: Configured,
    #[command(flatten)]
    selected: Selected,
    /// Only with this status: `404`, or a class such as `5xx`
    #[arg(long)]
    status: Option<StatusFilter>,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

impl Executions {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let config = self.configured.load()?;
        let filter = self.selected.filter(self.status)?;
        let executions = self.configured.with_store(&config, async |store| Ok(store.executions(&filter).await?))?;
        if self.json {
            output::json(&executions.iter().map(all).collect::<Vec<_>>())?;
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

/// `picloud logs`
#[derive(Debug, Args)]
pub struct Logs {
    #[command(flatten)]
    configured: Configured,
    #[command(flatten)]
    selected: Selected,
    /// Go on with what comes, until interrupted
    #[arg(short, long)]
    follow: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Logs {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let config = self.configured.load()?;
        let function = self.selected.function();
        let filter = self.selected.filter(None)?;
        self.configured.with_store(&config, async |store| {
            let mut newest = store.executions(&filter).await?;
            newest.reverse();
            newest.iter().for_each(|execution| self.print(execution));
            if !self.follow {
                return Ok(());
            }
            let began = newest.last().map_or(first_id_at(SystemClock.now_us()), |execution| execution.id.0);
            let mut shown: BTreeSet<ExecutionId> = newest.iter().map(|execution| execution.id).collect();
            // An id says when a run began, and a slow run is written after fast ones that began later: look back by what a run may take.
            let window_us = (config.limits.default.timeout.0 + SLACK).as_micros() as i64;
            loop {
                let window = ExecutionId(first_id_at(SystemClock.now_us() - window_us));
                shown = shown.split_off(&window);
                let mut from = window.max(ExecutionId(began));
                loop {
                    let page = store.executions_after(from, function.as_ref(), PAGE).await?;
                    page.iter().filter(|execution| shown.insert(execution.id)).for_each(|execution| self.print(execution));
                    match page.last() {
                        Some(last) if page.len() == PAGE as usize => from = last.id,
                        _ => break,
                    }
                }
                tokio::time::sleep(POLL).await;
            }
        })?;
        Ok(Exit::Done)
    }

    fn print(&self, execution: &Execution) {
        for log in &execution.logs {
            let time = rfc3339(execution.id.time_us() + log.at_us as i64);
            if self.json {
                let line = json!({
                    "time": time, "function": execution.function, "execution": execution.id, "level": log.level, "message": log.message,
                });
                output::line(line.to_string());
            } else {
                output::line(format!("{time} {:<5} {} {}: {}", word(log.level), execution.id, execution.function, log.message));
            }
        }
        if let Some(failure) = &execution.failure {
            let time = rfc3339(execution.id.time_us() + execution.duration_us as i64);
            if self.json {
                let line = json!({
                    "time": time, "function": execution.function, "execution": execution.id, "level": "failure",
                    "message": failure.message, "failure": failure, "status": execution.status,
                });
                output::line(line.to_string());
            } else {
                output::line(format!("{time} FAIL  {} {}: {}", execution.id, execution.function, place_and_message(failure)));
            }
        }
    }
}

fn word(level: crate::execution::LogLevel) -> &'static str {
    use crate::execution::LogLevel;
    match level {
        LogLevel::Trace => "TRACE",
        LogLevel::Info => "INFO",
        LogLevel::Warn => "WARN",
        LogLevel::Error => "ERROR",
    }
}

fn place_and_message(failure: &crate::execution::Failure) -> String {
    let place = failure.position.map_or(String::new(), |at| format!(":{}:{}", at.line, at.column));
    format!("{}{place}: {}", failure.file, failure.message)
}

/// An execution with the time that its id holds.
fn all(execution: &Execution) -> Value {
    let mut all = json!(execution);
    all["time"] = rfc3339(execution.id.time_us()).into();
    all
}
