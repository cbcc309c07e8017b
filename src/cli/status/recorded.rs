//! What the database tells of a node that does not run, for people and for tools.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    cli::{findings::finding, output},
    clock::rfc3339,
    config::Config,
    deployment::{Deployment, DeploymentStatus, Summary},
    function::{Diagnostic, quantity::Size},
    node,
    shown::Shown,
    store::{Store, journal::SPOOL},
};

/// The last deployments that the database has.
#[derive(Default)]
pub struct LastDeployments {
    pub live: Option<Deployment>,
    pub last: Option<Deployment>,
}

impl LastDeployments {
    /// The last decision, if it was against what the source holds.
    fn refused(&self) -> Option<&Deployment> {
        self.last.as_ref().filter(|last| last.status == DeploymentStatus::Rejected)
    }

    fn diagnostics(&self) -> &[Diagnostic] {
        self.last.as_ref().map(|last| last.diagnostics.as_slice()).unwrap_or_default()
    }
}

/// Returns it as data.
pub fn data(config: &Config, recorded: &LastDeployments, problem: Option<&anyhow::Error>) -> anyhow::Result<Value> {
    Ok(json!({
        "node": node::running(&config.data),
        "source": config.source.to_string(),
        "data": config.data,
        "database": {
            "place": Store::describe(&config.database_url, &config.data)?,
            "problem": problem.map(|problem| format!("{problem:#}")),
        },
        "live": recorded.live.as_ref().map(Summary::from),
        "refused": recorded.refused().map(Summary::from),
        "diagnostics": recorded.diagnostics(),
        "spooled_bytes": spooled_bytes(&config.data),
    }))
}

/// Writes it.
pub fn text(config: &Config, recorded: &LastDeployments, is_unread: bool) -> anyhow::Result<String> {
    let mut said = vec![match node::running(&config.data) {
        Some(node) => format!("node      starting at {} (process {})", node.url, node.pid),
        None => format!("node      not running on `{}`", config.data.display()),
    }];
    said.push(format!("source    {}", config.source));
    said.push(format!("database  {}", Store::describe(&config.database_url, &config.data)?));
    match &recorded.live {
        Some(live) => {
            let since = rfc3339(live.id.time_us());
            let functions = output::count(live.functions as usize, "function");
            said.push(format!("live      {} since {since}, {functions}, revision {}", live.id, live.revision));
        }
        None if is_unread => said.push("live      not known without the database".into()),
        None => said.push("live      nothing yet".into()),
    }
    if let Some(refused) = recorded.refused() {
        said.push(format!("refused   {} at {}, revision {}", refused.id, rfc3339(refused.id.time_us()), refused.revision));
    }
    let spooled = spooled_bytes(&config.data);
    if spooled > 0 {
        said.push(format!("spool     {} of executions wait for the database", Size(spooled)));
    }
    if let Some(last) = recorded.last.as_ref().filter(|last| last.diagnostics.iter().any(Diagnostic::is_error)) {
        said.push(format!("\nThe node looked last at {} and found these mistakes; they may be mended by now:", rfc3339(last.id.time_us())));
    }
    for diagnostic in recorded.diagnostics() {
        said.push(format!("\n{}", finding(config, diagnostic)));
    }
    Ok(Shown::lines(&said.join("\n")).to_string())
}

/// Returns the bytes of executions that wait in the data folder for the database.
fn spooled_bytes(data: &Path) -> u64 {
    let files = fs::read_dir(data.join(SPOOL)).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
}
