//! `picloud replay`: has a node run the request of an execution again, and prints the answer as `invoke` does. With filters in place of an
//! execution it has many run, and prints which ended otherwise.

mod many;

use anyhow::bail;
use clap::Args;

use self::many::ManyArgs;
use super::{client::understood, confirm::confirmed, exit::Exit, output, remote, target::NodeArgs};
use crate::{
    api::{executions::RunAnswer, replay::ReplayOrder},
    execution::ExecutionId,
};

/// `picloud replay EXECUTION`, or with filters
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub struct Replay {
    #[command(flatten)]
    node: NodeArgs,
    /// Which execution; the header `x-picloud-execution` of the answer names it, and `picloud executions` lists them
    #[arg(conflicts_with = "many")]
    execution: Option<ExecutionId>,
    #[command(flatten)]
    many: ManyArgs,
    /// Version of the function to run it on, or its first characters [default: what is live]
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Do again for real what the run does outside: requests to services, changes to stores and databases
    #[arg(long, conflicts_with = "many")]
    live: bool,
    /// Do not ask whether `--live` is meant
    #[arg(long, short, requires = "live")]
    yes: bool,
    /// Print status and headers before the body
    #[arg(short, long, conflicts_with = "many")]
    include: bool,
    /// Print the new execution and the answer as one JSON object; of many, what became of each
    #[arg(long)]
    json: bool,
}

/// Said before anything is done.
const LIVE: &str = "`--live`: requests to services, and changes to stores and databases, happen again for real";

impl Replay {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let client = self.node.client()?;
        let Some(execution) = self.execution else { return self.many.run(&client, self.version, self.json) };
        if self.live {
            output::tell(LIVE);
            if !self.yes && !confirmed("do that?")? {
                bail!("nothing was run\n  hint: without `--live` the recorded results are given back, and nothing outside is asked")
            }
        }
        let order = ReplayOrder { version: self.version, live: self.live };
        let answer = client.post(&format!("/api/admin/executions/{execution}/replay"), &order)?;
        if !self.live && !self.json {
            tell_given_back(&understood(answer.clone())?);
        }
        remote::tell(answer, self.json, self.include)
    }
}

/// Tells of effects that did not happen.
fn tell_given_back(answer: &RunAnswer) {
    let effects = answer.execution.as_ref().map_or(0, |execution| execution.record.effects.len());
    if effects > 0 {
        output::tell(format!("nothing outside was asked: {} got the recorded result", output::count(effects, "effect")));
    }
}
