//! `picloud status`: whether a node runs, what is live, and what is wrong in the source.

use std::{fs, path::Path};

use clap::Args;
use serde_json::json;

use super::{Configured, Exit, history::summary, output};
use crate::{
    clock::rfc3339,
    config::Config,
    deployment::{Deployment, DeploymentStatus},
    function::{Diagnostic, limits::Size},
    node,
    store::{Store, journal::SPOOL},
};

/// `picloud status`
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    configured: Configured,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What the database tells.
#[derive(Default)]
struct Recorded {
    live: Option<Deployment>,
    last: Option<Deployment>,
}

impl Status {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let config = self.configured.load()?;
        let read = self
            .configured
            .with_store(&config, async |store| Ok(Recorded { live: store.live_deployment().await?, last: store.last_deployment().await? }));
        // A database that is away is one more thing to tell, not a reason to tell nothing.
        let (recorded, problem) = match read {
            Ok(recorded) => (recorded, None),
            Err(error) => (Recorded::default(), Some(error)),
        };
        if self.json {
            json_status(&config, &recorded, problem.as_ref())?
        } else {
            print_status(&config, &recorded, problem.is_some())?
        }
        problem.map_or(Ok(Exit::Done), Err)
    }
}

impl Recorded {
    /// The last decision, if it was against what the source holds.
    fn refused(&self) -> Option<&Deployment> {
        self.last.as_ref().filter(|last| last.status == DeploymentStatus::Rejected)
    }

    fn diagnostics(&self) -> &[Diagnostic] {
        self.last.as_ref().map(|last| last.diagnostics.as_slice()).unwrap_or_default()
    }
}

fn json_status(config: &Config, recorded: &Recorded, problem: Option<&anyhow::Error>) -> anyhow::Result<()> {
    output::json(&json!({
        "node": node::running(&config.data),
        "source": config.source.to_string(),
        "data": config.data,
        "database": {
            "place": Store::describe(&config.database_url, &config.data)?,
            "problem": problem.map(|problem| format!("{problem:#}")),
        },
        "live": recorded.live.as_ref().map(summary),
        "refused": recorded.refused().map(summary),
        "diagnostics": recorded.diagnostics(),
        "spooled_bytes": spooled_bytes(&config.data),
    }))
}

fn print_status(config: &Config, recorded: &Recorded, is_unread: bool) -> anyhow::Result<()> {
    output::line(match node::running(&config.data) {
        Some(node) => format!("node      running at {} (process {})", node.url, node.pid),
        None => format!("node      not running on `{}`", config.data.display()),
    });
    output::line(format!("source    {}", config.source));
    output::line(format!("database  {}", Store::describe(&config.database_url, &config.data)?));
    match &recorded.live {
        Some(live) => {
            let since = rfc3339(live.id.time_us());
            let functions = output::count(live.functions as usize, "function");
            output::line(format!("live      {} since {since}, {functions}, revision {}", live.id, live.revision));
        }
        None if is_unread => output::line("live      not known without the database"),
        None => output::line("live      nothing yet"),
    }
    if let Some(refused) = recorded.refused() {
        output::line(format!("refused   {} at {}, revision {}", refused.id, rfc3339(refused.id.time_us()), refused.revision));
    }
    let spooled = spooled_bytes(&config.data);
    if spooled > 0 {
        output::line(format!("spool     {} of executions wait for the database", Size(spooled)));
    }
    if recorded.diagnostics().iter().any(Diagnostic::is_error) {
        output::line("\nFiles with mistakes are live as they last were right, or answer 503 if they never were.");
    }
    for diagnostic in recorded.diagnostics() {
        output::line(format!("\n{}", Configured::finding(config, diagnostic)));
    }
    Ok(())
}

/// Returns the bytes of executions that wait in the data folder for the database.
fn spooled_bytes(data: &Path) -> u64 {
    let files = fs::read_dir(data.join(SPOOL)).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
}
