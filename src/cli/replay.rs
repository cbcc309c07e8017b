//! `picloud replay`: has a node run the request of an execution again, and prints the answer as `invoke` does.

use clap::Args;

use super::{exit::Exit, remote, target::NodeArgs};
use crate::{api::executions::ReplayOrder, execution::ExecutionId};

/// `picloud replay EXECUTION`
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub struct Replay {
    #[command(flatten)]
    node: NodeArgs,
    /// Which execution; the header `x-picloud-execution` of the answer names it, and `picloud executions` lists them
    execution: ExecutionId,
    /// Version of the function to run it on, or its first characters [default: what is live]
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Print status and headers before the body
    #[arg(short, long)]
    include: bool,
    /// Print the new execution and the answer as one JSON object
    #[arg(long)]
    json: bool,
}

impl Replay {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let path = format!("/api/admin/executions/{}/replay", self.execution);
        let answer = self.node.client()?.post(&path, &ReplayOrder { version: self.version })?;
        remote::tell(answer, self.json, self.include)
    }
}
