//! `picloud executions request`: the request that a node kept with an execution, as HTTP writes it.

use base64::{Engine, prelude::BASE64_STANDARD};
use clap::Args;

use super::{client::understood, exit::Exit, output, target::NodeArgs};
use crate::{api::kept_request::KeptRequest, execution::ExecutionId};

/// `picloud executions request EXECUTION`
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub struct ShowRequest {
    #[command(flatten)]
    node: NodeArgs,
    /// Which execution; the header `x-picloud-execution` of the answer names it
    execution: ExecutionId,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl ShowRequest {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let said = self.node.client()?.get(&format!("/api/admin/executions/{}/request", self.execution))?;
        let request: KeptRequest = understood(said.clone())?;
        match self.json {
            true => output::json(&said)?,
            false => print(&request)?,
        }
        Ok(Exit::Done)
    }
}

fn print(request: &KeptRequest) -> anyhow::Result<()> {
    let query = request.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    output::line(format!("{} {}{query}", request.method, request.path));
    for (name, value) in &request.headers {
        output::line(format!("{name}: {value}"));
    }
    for name in &request.left_out {
        output::tell(format!("`{name}` looked like a credential, and was not kept"));
    }
    output::line("");
    match (&request.body, &request.body_base64) {
        (Some(text), _) => output::raw(text.as_bytes()),
        (None, Some(base64)) => output::raw(&BASE64_STANDARD.decode(base64)?),
        (None, None) => output::tell(format!("the body of {} bytes was larger than is kept", request.body_bytes)),
    }
    Ok(())
}
