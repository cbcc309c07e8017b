//! `picloud events stats`: what is in the queue, and how much is emitted.

use std::time::Duration;

use clap::Args;

use crate::{
    api::events::EventStats,
    cli::{client::understood, exit::Exit, output, target::NodeArgs},
    function::quantity::Span,
};

/// `picloud events stats`
#[derive(Debug, Args)]
pub struct Stats {
    #[command(flatten)]
    node: NodeArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Stats {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let answer = self.node.client()?.get("/api/admin/stats/events")?;
        match self.json {
            true => output::json(&answer)?,
            false => tell(&understood(answer)?),
        }
        Ok(Exit::Done)
    }
}

fn tell(stats: &EventStats) {
    let EventStats { waiting, retrying, running, held, dead, overdue_us, emitted, emitted_per_s } = stats;
    let overdue = overdue_us.map_or_else(|| "-".into(), |us| Span(Duration::from_secs(us / 1_000_000)).to_string());
    let row = [
        waiting.to_string(),
        retrying.to_string(),
        running.to_string(),
        held.to_string(),
        dead.to_string(),
        overdue,
        emitted.to_string(),
        format!("{emitted_per_s:.2}/s"),
    ];
    output::table(["WAITING", "RETRYING", "RUNNING", "HELD", "DEAD", "OVERDUE", "EMITTED IN 24H", "NOW"], &[row]);
}
