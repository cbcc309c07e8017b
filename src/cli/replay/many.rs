//! Many replays: which requests run again, and what became of them.

use std::collections::BTreeMap;

use anyhow::bail;
use clap::{ArgGroup, Args};

use crate::{
    api::replay::{ManyReplays, ManyReplaysOrder, ReplayReport, ReplayResult},
    cli::{
        client::{Client, understood},
        executions::ExecutionSelection,
        exit::Exit,
        output,
    },
    store::StatusOrOutcome,
};

/// Which requests run again.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("many").args(["function", "prefix", "deployment", "node", "trigger", "request_id", "text", "since", "status", "until", "limit"]).multiple(true))]
pub struct ManyArgs {
    #[command(flatten)]
    selection: ExecutionSelection,
    /// Only those that ended so: `404`, `5xx`, `failed`, `timed_out`, …
    #[arg(long)]
    status: Option<StatusOrOutcome>,
    /// Only until then: a span (`10m`, `2h`) or a time (`2026-11-23T09:00:00Z`)
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// At most so many, the newest first [default: 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    limit: Option<u32>,
}

/// Where many replays are ordered.
const URL: &str = "/api/admin/executions/replay";

impl ManyArgs {
    /// Has them run on this version, and prints what became of them.
    pub fn run(self, client: &Client, version: Option<String>, json: bool) -> anyhow::Result<Exit> {
        let filter = self.filter();
        if filter.is_empty() {
            bail!(
                "which requests?\n  hint: name an execution, or say which ones: `--function`, `--status`, `--since` and more, which `--help` lists"
            )
        }
        let mut order = ManyReplaysOrder { filter: Some(filter), version, ..ManyReplaysOrder::default() };
        let mut all = ManyReplays::default();
        loop {
            let ManyReplays { replays, left, next, .. } = understood(client.post(URL, &order)?)?;
            all.next = all.next.or(next);
            replays.into_iter().for_each(|report| all.push(report));
            if left.is_empty() {
                break;
            }
            (order.ids, order.filter) = (Some(left), None);
        }
        if json {
            output::json(&all)?;
        } else {
            tell(&all);
        }
        Ok(Exit::Done)
    }

    fn filter(self) -> BTreeMap<String, String> {
        let mut filter: BTreeMap<String, String> = self.selection.pairs().into_iter().map(|(key, value)| (key.into(), value)).collect();
        filter.extend(self.status.map(|status| ("status".into(), status.to_string())));
        filter.extend(self.until.map(|until| ("until".into(), until)));
        filter.extend(self.limit.map(|limit| ("limit".into(), limit.to_string())));
        filter
    }
}

/// Prints those that did not end as before, and how many there are of each kind.
fn tell(all: &ManyReplays) {
    let rows: Vec<[String; 5]> = all.replays.iter().filter_map(row).collect();
    if !rows.is_empty() {
        output::table(["REPLAY OF", "FUNCTION", "BEFORE", "NOW", ""], &rows);
    }
    let ManyReplays { same, otherwise, not_run, .. } = all;
    output::tell(format!("{otherwise} ended otherwise, {same} as before, {not_run} did not run"));
    if all.next.is_some() {
        output::tell("there are older ones: `--limit` and `--until` reach them");
    }
}

fn row(report: &ReplayReport) -> Option<[String; 5]> {
    let (now, why) = match &report.now {
        ReplayResult::Same { .. } => return None,
        ReplayResult::Otherwise { status, outcome, failure, .. } => {
            (format!("{status} {}", outcome.as_str()), failure.clone().unwrap_or_default())
        }
        ReplayResult::NotRun { why } => ("not run".into(), why.clone()),
    };
    let before = format!("{} {}", report.status, report.outcome.as_str());
    Some([report.replay_of.to_string(), report.function.to_string(), before, now, why])
}
