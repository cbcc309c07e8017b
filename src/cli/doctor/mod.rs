//! `picloud doctor`: what is wrong around a node, and what to do.

mod machine;
mod node;
mod proxy;

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use self::proxy::ProxyUrl;
use super::{
    exit::Exit,
    output::{self, Style},
    serve::Serve,
};
use crate::shown::Shown;

/// `picloud doctor`
#[derive(Debug, Args)]
#[command(mut_arg("dev", |dev| dev.hide(true)))]
pub struct Doctor {
    #[command(flatten)]
    serve: Serve,
    /// The URL under which callers reach the node, to look at the proxy in front of it
    #[arg(long, value_name = "URL")]
    through: Option<ProxyUrl>,
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

/// What answers takes at most so long to do it.
const PATIENCE: Duration = Duration::from_secs(5);

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    /// The node copes, or somebody may mean it so.
    Warning,
    /// The node does not start, or does not do its work.
    Error,
}

/// What was seen of one part.
#[derive(Debug, Serialize)]
struct Finding {
    level: Level,
    part: &'static str,
    /// What is there, or what is wrong.
    says: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl Finding {
    fn ok(part: &'static str, says: impl Into<String>) -> Self {
        Self { level: Level::Ok, part, says: says.into(), hint: None }
    }

    fn warning(part: &'static str, says: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { level: Level::Warning, part, says: says.into(), hint: Some(hint.into()) }
    }

    fn error(part: &'static str, says: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { level: Level::Error, part, says: says.into(), hint: Some(hint.into()) }
    }

    /// Takes an error whose hint is below it, as all of ours have it.
    fn of_error(part: &'static str, error: &str) -> Self {
        match error.split_once("\n  hint: ") {
            Some((says, hint)) => Self::error(part, says, hint),
            None => Self { level: Level::Error, part, says: error.into(), hint: None },
        }
    }

    fn print(&self) {
        let (word, style) = match self.level {
            Level::Ok => ("ok", None),
            Level::Warning => ("warning", Some(Style::Yellow)),
            Level::Error => ("error", Some(Style::Red)),
        };
        output::painted(format!("{}  {:<9}  {}", output::column(style, word, 7), self.part, Shown::inline(&self.says)));
        if let Some(hint) = &self.hint {
            output::painted(format!("{:20}hint: {}", "", Shown::inline(hint)));
        }
    }
}

impl Doctor {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let config = self.serve.config(false)?;
        let running = crate::node::running(&config.data);
        let mut findings = vec![machine::functions(&config), machine::data(&config), node::database(&config)?];
        findings.extend([machine::git(&config)?, machine::clock(&config)?, machine::limits(&config)]);
        findings.extend(machine::addresses(&config, running.is_some()));
        findings.extend(node::node(&config, running.as_ref())?);
        if let Some(url) = &self.through {
            findings.extend(proxy::proxy(&config, running.as_ref(), url));
        }
        if self.json {
            output::json(&findings)?;
        } else {
            findings.iter().for_each(Finding::print);
        }
        let is_well = findings.iter().all(|finding| finding.level != Level::Error);
        Ok(if is_well { Exit::Done } else { Exit::NodeWrong })
    }
}
