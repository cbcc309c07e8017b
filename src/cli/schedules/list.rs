//! `picloud schedules`: when functions run by themselves, and how the last run ended.

use clap::Args;

use super::PATH;
use crate::{
    api::schedules::{ScheduleList, ScheduleSummary},
    cli::{client::understood, exit::Exit, output, target::NodeArgs},
};

/// `picloud schedules`
#[derive(Debug, Args)]
pub struct Schedules {
    #[command(flatten)]
    node: NodeArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Schedules {
    pub fn run(self) -> anyhow::Result<Exit> {
        let answer = self.node.client()?.get(PATH)?;
        if self.json {
            output::json(&answer["schedules"])?;
            return Ok(Exit::Done);
        }
        let ScheduleList { schedules } = understood(answer)?;
        let rows: Vec<[String; 4]> = schedules.iter().map(row).collect();
        output::table(["SCHEDULE", "WHEN", "LAST RUN", "NEXT"], &rows);
        Ok(Exit::Done)
    }
}

fn row(schedule: &ScheduleSummary) -> [String; 4] {
    let last = schedule.last_run.as_ref().map_or("-".into(), |run| {
        let outcome = if run.error.is_some() { "failed" } else { "ok" };
        run.execution.map_or(outcome.into(), |execution| format!("{outcome} {execution}"))
    });
    let next = match &schedule.paused {
        Some(paused) => {
            let why = paused.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("paused by {} since {}{why}", paused.by, seconds(&paused.since))
        }
        None => schedule.next.iter().map(|time| seconds(time)).collect::<Vec<_>>().join(", "),
    };
    [schedule.id.clone(), schedule.when.clone(), last, next]
}

/// Writes a time without the part of a second, which schedules have not.
fn seconds(time: &str) -> String {
    time.split_once('.').map_or(time.into(), |(whole, _)| format!("{whole}Z"))
}
