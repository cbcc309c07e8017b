//! `picloud health`: whether a node serves, for scripts and for what watches containers.

use std::time::Duration;

use anyhow::{anyhow, bail};
use clap::Args;
use serde_json::Value;

use super::{client::no_answer, config_args::ConfigArgs, credentials, exit::Exit, output};
use crate::{api::node::Readiness, node, shown::Shown};

/// `picloud health`
#[derive(Debug, Args)]
pub struct Health {
    #[command(flatten)]
    configured: ConfigArgs,
    /// The node's address [default: the one that uses the data folder]
    #[arg(long, env = "PICLOUD_URL", value_name = "URL")]
    url: Option<String>,
    /// Print one JSON object: what the node says
    #[arg(long)]
    json: bool,
}

/// A node that takes longer to say how it is does not serve.
const PATIENCE: Duration = Duration::from_secs(5);

impl Health {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let url = match &self.url {
            Some(url) => credentials::normal(url)?,
            None => {
                let data = self.configured.load()?.data;
                let running = node::running(&data);
                running.ok_or_else(|| anyhow!("no node runs on `{}`", data.display()))?.url
            }
        };
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).build().into();
        let answer = agent.get(format!("{url}/_picloud/ready")).call();
        let mut answer = answer.map_err(|error| no_answer(&url, &error))?;
        let said: Value = answer.body_mut().read_json().unwrap_or_default();
        let Ok(Readiness { status: state, held, degraded, .. }) = serde_json::from_value(said.clone()) else {
            bail!("what answers at {url} is no node of PiCloud")
        };
        if self.json {
            output::json(&said)?;
        }
        if !answer.status().is_success() {
            bail!("the node at {url} is not ready: it is {}", Shown::inline(&state));
        }
        if self.json {
            return Ok(Exit::Done);
        }
        output::line(Shown::inline(&state).to_string());
        if let Some(held) = held {
            output::line(format!("held: {}; `picloud status` says by whom", Shown::inline(&held)));
        }
        for what in degraded {
            // A hint stands on a line of its own.
            output::line(what);
        }
        Ok(Exit::Done)
    }
}
