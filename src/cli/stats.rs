//! `picloud stats`: what executions came to, step by step.

use std::time::Duration;

use clap::Args;

use super::{
    client::{Pairs, query, understood},
    exit::Exit,
    output,
    target::NodeArgs,
};
use crate::api::stats::TimeSeries;

/// `picloud stats [FUNCTION]`
#[derive(Debug, Args)]
pub struct Stats {
    #[command(flatten)]
    node: NodeArgs,
    /// Only of this function; else of the whole node
    function: Option<String>,
    /// Only of functions whose name begins so: `orders/`
    #[arg(long, value_name = "TEXT", conflicts_with = "function")]
    prefix: Option<String>,
    /// Only of this version
    #[arg(long, value_name = "VERSION")]
    of_version: Option<String>,
    /// Only while this deployment was live: its id, its revision, or `live`
    #[arg(long, value_name = "DEPLOYMENT")]
    deployment: Option<String>,
    /// Only answered with a status of this class: `5xx`. Nothing but their number is told
    #[arg(long, value_name = "CLASS")]
    status: Option<String>,
    /// Only asked for by: `http`, `schedule`, `event`, `manual`, `execute`, `invoke`, `cli`, `replay`
    #[arg(long, value_name = "TRIGGER")]
    trigger: Option<String>,
    /// From then on: a span (`1h`, `7d`) or a time (`2026-11-23T09:00:00Z`); at most 30 days [default: 24h, or since `--deployment` went live]
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only until then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The shortest step: `10m`, `1h` [default: a part of the time]
    #[arg(long, value_name = "SPAN")]
    step: Option<String>,
    /// Print the node's answer as JSON
    #[arg(long)]
    json: bool,
}

/// The time that is shown where nobody says one.
const DAY: &str = "24h";
/// Rows that a span is shown in, about.
const ROWS: u64 = 24;

impl Stats {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let client = self.node.client()?;
        let since = self.since.or_else(|| self.deployment.is_none().then(|| DAY.into()));
        let step = self.step.or_else(|| usual_step(since.as_deref()?));
        let given = [
            ("function", self.function),
            ("prefix", self.prefix),
            ("version", self.of_version),
            ("deployment", self.deployment),
            ("status", self.status),
            ("trigger", self.trigger),
            ("since", since),
            ("until", self.until),
            ("step", step),
        ];
        let pairs: Pairs = given.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        let answer = client.get(&format!("/api/admin/stats?{}", query(&pairs)))?;
        if self.json {
            output::json(&answer)?;
        } else {
            show(&understood(answer)?);
        }
        Ok(Exit::Done)
    }
}

fn usual_step(since: &str) -> Option<String> {
    let minutes = humantime::parse_duration(since).ok()?.as_secs() / 60;
    Some(format!("{}m", (minutes / ROWS).max(1)))
}

/// Shows the steps in which anything was asked for, and all of them together.
fn show(series: &TimeSeries) {
    let begin = humantime::parse_rfc3339(&series.since).ok();
    let time = |step: usize| {
        let since = Duration::from_secs(series.step_seconds * step as u64);
        begin.map_or_else(String::new, |begin| humantime::format_rfc3339_seconds(begin + since).to_string())
    };
    let mut rows: Vec<[String; 8]> = (0..series.requests.len())
        .filter(|step| series.requests[*step] > 0)
        .map(|step| {
            [
                time(step),
                series.requests[step].to_string(),
                series.failed[step].to_string(),
                took(series.p50_us[step]),
                took(series.p90_us[step]),
                took(series.p99_us[step]),
                took(series.waited_us[step]),
                bytes(series.peak_memory_bytes[step]),
            ]
        })
        .collect();
    let total = &series.total;
    rows.push([
        "all".into(),
        total.requests.to_string(),
        total.failed.to_string(),
        took(total.p50_us),
        took(total.p90_us),
        took(total.p99_us),
        took(total.waited_us),
        bytes(total.highest.as_ref().map(|highest| highest.memory_bytes)),
    ]);
    output::table(["SINCE", "REQUESTS", "FAILED", "P50", "P90", "P99", "WAITED", "MEMORY"], &rows);
}

/// Writes how long something took, if anything did.
pub(super) fn took(us: Option<u64>) -> String {
    us.map_or_else(|| "-".into(), output::micros)
}

/// Writes bytes as people read them, if there are any figures.
pub(super) fn bytes(bytes: Option<u64>) -> String {
    match bytes {
        None => "-".into(),
        Some(bytes @ 0..1_024) => format!("{bytes} B"),
        Some(bytes @ 1_024..1_048_576) => format!("{:.1} KiB", bytes as f64 / 1_024.0),
        Some(bytes) => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}
