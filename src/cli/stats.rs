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
    /// From then on: a span (`1h`, `7d`) or a time (`2026-11-23T09:00:00Z`); at most 30 days
    #[arg(long, value_name = "TIME", default_value = "24h")]
    since: String,
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

/// Rows that a span is shown in, about.
const ROWS: u64 = 24;

impl Stats {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let client = self.node.client()?;
        let step = self.step.clone().or_else(|| usual_step(&self.since));
        let given = [
            ("function", self.function),
            ("prefix", self.prefix),
            ("version", self.of_version),
            ("since", Some(self.since)),
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
                output::micros(series.waited_us[step]),
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
        output::micros(total.waited_us),
        bytes(total.highest.memory_bytes),
    ]);
    output::table(["SINCE", "REQUESTS", "FAILED", "P50", "P90", "P99", "WAITED", "MEMORY"], &rows);
}

/// Writes how long something took, if anything did.
pub(super) fn took(us: Option<u64>) -> String {
    us.map_or_else(|| "-".into(), output::micros)
}

/// Writes bytes as people read them.
pub(super) fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1_024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}
