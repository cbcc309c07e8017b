//! `picloud health`: whether a node serves, for scripts and for what watches containers.

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use serde_json::Value;

use super::{
    client::{no_answer, understood},
    exit::Exit,
    output,
    target::NodeArgs,
};
use crate::{
    api::{
        health::{HealthLevel, HealthPart, HealthReport},
        node::Readiness,
    },
    shown::Shown,
};

/// `picloud health`
#[derive(Debug, Args)]
pub struct Health {
    #[command(flatten)]
    node: NodeArgs,
    /// List each part that is degraded, since when, and what to do; needs a token
    #[arg(long)]
    parts: bool,
    /// Print one JSON object: what the node says
    #[arg(long)]
    json: bool,
}

/// A node that takes longer to say how it is does not serve.
const PATIENCE: Duration = Duration::from_secs(5);

impl Health {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        if self.parts {
            return self.list();
        }
        let url = match self.node.address()? {
            Some(url) => url,
            None => bail!(
                "no node runs on `{}`\n  hint: it asks the node of the data folder, whoever is logged in elsewhere; `--url` names another",
                self.node.configured.load()?.data.display()
            ),
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

    fn list(&self) -> anyhow::Result<Exit> {
        let said = self.node.client()?.get("/api/admin/health")?;
        let HealthReport { parts } = understood(said.clone())?;
        if self.json {
            output::json(&said)?;
        } else if parts.is_empty() {
            output::line("all is well");
        } else {
            output::table(["PART", "LEVEL", "SINCE", "SAYS", "DO"], &parts.iter().map(row).collect::<Vec<_>>());
        }
        Ok(Exit::Done)
    }
}

fn row(part: &HealthPart) -> [String; 5] {
    let level = match part.level {
        HealthLevel::Warn => "warn",
        HealthLevel::Fail => "fail",
    };
    [part.part.as_str().into(), level.into(), part.since.clone(), part.says.clone(), part.advice.clone()]
}
