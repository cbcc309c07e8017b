//! `picloud replay`: has a node run the request of an execution again, and prints the answer as `invoke` does.

use anyhow::Context;
use base64::{Engine, prelude::BASE64_STANDARD};
use clap::Args;
use http::{HeaderName, HeaderValue, Method};
use serde::Deserialize;
use serde_json::json;

use super::{Exit, client::Node, executions::place_and_message, invoke, output};
use crate::execution::{Execution, ExecutionId, Reply};

/// `picloud replay EXECUTION`
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub struct Replay {
    #[command(flatten)]
    node: Node,
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

/// What the node says.
#[derive(Deserialize)]
struct Replayed {
    execution: Execution,
    response: Response,
}

#[derive(Deserialize)]
struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Option<String>,
    body_base64: Option<String>,
}

impl Replay {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let path = format!("/api/admin/executions/{}/replay", self.execution);
        let answer = self.node.client()?.post(&path, &json!({ "version": self.version }))?;
        let said = "the node's answer is none to this: is it a PiCloud of another version?";
        let Replayed { execution, response } = Replayed::deserialize(&answer).context(said)?;
        if self.json {
            output::json(&answer)?;
        } else {
            invoke::tell_log(&execution);
        }
        if let Some(failure) = &execution.failure {
            if !self.json {
                output::tell(output::tame(&place_and_message(failure)));
                failure.calls.iter().for_each(|call| output::tell(format!("  in {}", output::tame(call))));
            }
            return Ok(Exit::FunctionsWrong);
        }
        if !self.json {
            let method: Method = execution.method.parse().context(said)?;
            invoke::print(&response.reply().context(said)?, &method, self.include);
        }
        Ok(Exit::Done)
    }
}

impl Response {
    fn reply(self) -> anyhow::Result<Reply> {
        let header = |(name, value): (String, String)| Ok((name.parse::<HeaderName>()?, HeaderValue::from_str(&value)?));
        let body = match self.body_base64 {
            Some(base64) => BASE64_STANDARD.decode(base64)?,
            None => self.body.unwrap_or_default().into(),
        };
        Ok(Reply {
            status: self.status.try_into()?,
            headers: self.headers.into_iter().map(header).collect::<anyhow::Result<_>>()?,
            body: body.into(),
        })
    }
}
