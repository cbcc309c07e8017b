//! `picloud pause` and `picloud resume`: stop a schedule for a while.

use clap::Args;

use super::ScheduleArgs;
use crate::{
    api::schedules::{PauseOrder, ScheduleSummary},
    cli::{client::understood, exit::Exit, output, target::ChangeArgs},
};

/// `picloud pause NAME`
#[derive(Debug, Args)]
pub struct Pause {
    #[command(flatten)]
    node: ChangeArgs,
    #[command(flatten)]
    schedule: ScheduleArgs,
    /// Why; whoever finds it paused is told
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// `picloud resume NAME`
#[derive(Debug, Args)]
pub struct Resume {
    #[command(flatten)]
    node: ChangeArgs,
    #[command(flatten)]
    schedule: ScheduleArgs,
}

impl Pause {
    pub fn run(self) -> anyhow::Result<Exit> {
        let changed = order(&self.node, &self.schedule, "pause", &PauseOrder { reason: self.reason })?;
        output::line(format!("`{}` is paused; `picloud resume {}` lets it run again", changed.id, changed.id));
        Ok(Exit::Done)
    }
}

impl Resume {
    pub fn run(self) -> anyhow::Result<Exit> {
        let changed = order(&self.node, &self.schedule, "resume", &PauseOrder::default())?;
        let next = changed.next.first().map_or("never again".into(), |next| format!("next at {next}"));
        output::line(format!("`{}` is due {next}", changed.id));
        Ok(Exit::Done)
    }
}

fn order(node: &ChangeArgs, schedule: &ScheduleArgs, what: &str, body: &PauseOrder) -> anyhow::Result<ScheduleSummary> {
    let client = node.client(&format!("{what} `{}`", schedule.function))?;
    let path = schedule.path(&client)?;
    understood(client.post(&format!("{path}/{what}"), body)?)
}
