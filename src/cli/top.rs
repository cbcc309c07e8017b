//! `picloud top`: which functions need somebody, and where they fail.

use clap::Args;

use super::{
    client::{Pairs, query, understood},
    exit::Exit,
    output,
    stats::{bytes, took},
    target::NodeArgs,
};
use crate::api::stats::{FailureGroup, FailureList, FunctionStats, FunctionStatsPage};

/// `picloud top`
#[derive(Debug, Args)]
pub struct Top {
    #[command(flatten)]
    node: NodeArgs,
    /// From then on: a span (`1h`, `7d`) or a time (`2026-11-23T09:00:00Z`); at most 30 days [default: 24h, or since `--deployment` went live]
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only while this deployment was live: its id, its revision, or `live`
    #[arg(long, value_name = "DEPLOYMENT", conflicts_with = "failures")]
    deployment: Option<String>,
    /// Only asked for by: `http`, `schedule`, `event`, `manual`, `execute`, `invoke`, `cli`, `replay`
    #[arg(long, value_name = "TRIGGER", conflicts_with = "failures")]
    trigger: Option<String>,
    /// Only functions whose name begins so: `orders/`
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
    /// What comes first: `trouble`, `requests`, `failed`, `p99`, `name`
    #[arg(long, value_name = "ORDER", default_value = "trouble", conflicts_with = "failures")]
    sort: String,
    /// Only functions that are `failing`, `slow`, `ok` or `idle`
    #[arg(long, value_name = "STATE", conflicts_with = "failures")]
    state: Option<String>,
    /// Each version that ran for itself
    #[arg(long, conflicts_with = "failures")]
    versions: bool,
    /// The places in files that fail, in place of functions
    #[arg(long)]
    failures: bool,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
    /// Print the node's answer as JSON
    #[arg(long)]
    json: bool,
}

impl Top {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let client = self.node.client()?;
        let mut pairs: Pairs = self.since.into_iter().map(|since| ("since", since)).collect();
        pairs.extend(self.prefix.map(|prefix| ("prefix", prefix)));
        let path = if self.failures {
            "/api/admin/stats/failures"
        } else {
            pairs.extend([("sort", self.sort), ("limit", self.limit.to_string())]);
            pairs.extend(self.deployment.map(|deployment| ("deployment", deployment)));
            pairs.extend(self.trigger.map(|trigger| ("trigger", trigger)));
            pairs.extend(self.state.map(|state| ("state", state)));
            pairs.extend(self.versions.then(|| ("by", "version".into())));
            "/api/admin/stats/functions"
        };
        let answer = client.get(&format!("{path}?{}", query(&pairs)))?;
        if self.json {
            output::json(&answer)?;
        } else if self.failures {
            show_failures(&understood(answer)?, self.limit as usize);
        } else {
            show_functions(&understood(answer)?);
        }
        Ok(Exit::Done)
    }
}

fn show_functions(page: &FunctionStatsPage) {
    let heading = ["STATE", "FUNCTION", "VERSION", "REQUESTS", "FAILED", "P50", "P99", "MEMORY", "LAST FAILURE", "BECAUSE"];
    output::table(heading, &page.functions.iter().map(function).collect::<Vec<_>>());
    let counts = &page.counts;
    output::tell(format!("{} failing, {} slow, {} ok, {} idle", counts.failing, counts.slow, counts.ok, counts.idle));
}

fn function(stats: &FunctionStats) -> [String; 10] {
    [
        serde_json::json!(stats.state).as_str().unwrap_or_default().into(),
        stats.function.to_string(),
        stats.version.to_string()[..8].into(),
        stats.total.requests.to_string(),
        stats.total.failed.to_string(),
        took(stats.total.p50_us),
        took(stats.total.p99_us),
        bytes(stats.total.highest.as_ref().map(|highest| highest.memory_bytes)),
        stats.last_failure.clone().unwrap_or_default(),
        stats.because.clone().unwrap_or_default(),
    ]
}

fn show_failures(list: &FailureList, limit: usize) {
    let heading = ["COUNT", "FUNCTION", "PLACE", "LAST", "EXECUTION", "MESSAGE"];
    output::table(heading, &list.failures.iter().take(limit).map(failure).collect::<Vec<_>>());
    if let Some(to) = &list.looked_back_to {
        output::tell(format!("there are more: the node looked back to {to} only"));
    }
}

fn failure(group: &FailureGroup) -> [String; 6] {
    let place = match (group.line, group.column) {
        (Some(line), Some(column)) => format!("{}:{line}:{column}", group.file),
        _ => group.file.clone(),
    };
    [group.count.to_string(), group.function.to_string(), place, group.last.clone(), group.execution.to_string(), group.message.clone()]
}
