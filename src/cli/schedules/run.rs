//! `picloud run`: has a node run a schedule now, and prints the outcome as `invoke` does.

use std::io::Read as _;

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use super::ScheduleArgs;
use crate::{
    api::schedules::ScheduleOrder,
    cli::{exit::Exit, remote, target::NodeArgs},
};

/// `picloud run NAME`
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    schedule: ScheduleArgs,
    /// What the run gets in place of the schedule's own input; `-`: from standard input
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    input: Option<String>,
    /// Print the execution and the answer as one JSON object
    #[arg(long)]
    json: bool,
}

impl Run {
    pub fn run(self) -> anyhow::Result<Exit> {
        let order = ScheduleOrder { input: self.input()? };
        let client = self.node.client()?;
        let answer = client.post(&format!("{}/run", self.schedule.path(&client)?), &order)?;
        remote::tell(answer, self.json, false)
    }

    fn input(&self) -> anyhow::Result<Option<Value>> {
        let text = match self.input.as_deref() {
            None => return Ok(None),
            Some("-") => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
                text
            }
            Some(text) => text.to_owned(),
        };
        let read = serde_json::from_str(&text);
        read.map(Some).context("`--input` is not JSON\n  hint: quote it for the shell: `--input '{\"region\":\"eu\"}'`")
    }
}
