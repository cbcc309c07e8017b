//! `picloud executions`: what ran, and how it ended. Which executions are meant is asked alike by `picloud logs`.

use std::{str::FromStr, time::UNIX_EPOCH};

use anyhow::{Context, anyhow};
use clap::Args;
use serde_json::{Value, json};

use super::{
    Configured, Exit,
    history::{function_name, must_be_known},
    output,
};
use crate::{
    clock::{Clock, SystemClock, rfc3339},
    execution::{Execution, Failure, Outcome},
    function::diagnostic::near_miss,
    store::{ExecutionFilter, StatusFilter, Store},
};

/// Which executions are meant.
#[derive(Debug, Args)]
pub struct Selected {
    /// Only of this function
    #[arg(long, value_name = "FUNCTION")]
    function: Option<String>,
    /// Only since then: a span (`10m`, `2h`) or a time (`2026-11-23T09:00:00Z`)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

impl Selected {
    /// Returns the filter for these, once the store knows the function.
    pub async fn filter(&self, store: &Store) -> anyhow::Result<ExecutionFilter> {
        let function = self.function.as_deref().map(function_name);
        if let Some(function) = &function {
            must_be_known(store, function).await?;
        }
        Ok(ExecutionFilter { function, since_us: self.since_us()?, ..ExecutionFilter::default() })
    }

    fn since_us(&self) -> anyhow::Result<Option<i64>> {
        let Some(text) = self.since.as_deref() else { return Ok(None) };
        if let Ok(span) = humantime::parse_duration(text) {
            return Ok(Some(SystemClock.now_us().saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX))));
        }
        let time = humantime::parse_rfc3339_weak(text)
            .map_err(|_| anyhow!("`{text}` is no time\n  hint: write a span such as `10m`, or a time such as `2026-11-23T09:00:00Z`"))?;
        let since = time.duration_since(UNIX_EPOCH).context("that is before 1970")?;
        Ok(Some(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// What `--status` asks for: what the caller got, or how the run ended.
#[derive(Debug, Clone, Copy)]
enum Ended {
    Status(StatusFilter),
    Outcome(Outcome),
}

impl FromStr for Ended {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(outcome) = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == text) {
            return Ok(Self::Outcome(outcome));
        }
        text.parse().map(Self::Status).map_err(|_| {
            let words = Outcome::ALL.map(Outcome::as_str);
            let hint = match near_miss(text, words) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("use a number (`404`), a class (`5xx`), or one of {}", words.map(|word| format!("`{word}`")).join(", ")),
            };
            format!("it is not a status\n  hint: {hint}")
        })
    }
}

/// `picloud executions`
#[derive(Debug, Args)]
pub struct Executions {
    #[command(flatten)]
    configured: Configured,
    #[command(flatten)]
    selected: Selected,
    /// Only those that ended so: `404`, `5xx`, `failed`, `timed_out`, …
    #[arg(long)]
    status: Option<Ended>,
    /// At most so many, the newest first
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u32,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

impl Executions {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let config = self.configured.load()?;
        let (status, outcome) = match self.status {
            None => (None, None),
            Some(Ended::Status(status)) => (Some(status), None),
            Some(Ended::Outcome(outcome)) => (None, Some(outcome)),
        };
        let executions = self.configured.with_store(&config, async |store| {
            let selected = self.selected.filter(&store).await?;
            Ok(store.executions(&ExecutionFilter { status, outcome, limit: self.limit, ..selected }).await?)
        })?;
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

/// Writes a failure in one line, its place first.
pub fn place_and_message(failure: &Failure) -> String {
    let place = failure.position.map_or(String::new(), |at| format!(":{}:{}", at.line, at.column));
    format!("{}{place}: {}", failure.file, failure.message)
}

/// An execution with the time that its id holds.
fn all(execution: &Execution) -> Value {
    let mut all = json!(execution);
    all["time"] = rfc3339(execution.id.time_us()).into();
    all
}
