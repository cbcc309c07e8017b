//! `picloud status`, `deployments`, `versions`: what is live, and what was.

use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::{Configured, Exit, output};
use crate::{
    clock::rfc3339,
    config::Source,
    deployment::{Deployment, DeploymentStatus},
    function::{FunctionName, diagnostic::near_miss},
    node,
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

impl Status {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let config = self.configured.load()?;
        let running = node::running(&config.data);
        let (live, last) = self.configured.with_store(&config, async |store| {
            let live = store.live().await?.map(|(deployment, _)| deployment);
            Ok((live, store.last_deployment().await?))
        })?;
        let Source::Directory { path } = &config.source;
        let diagnostics = last.as_ref().map(|last| last.diagnostics.as_slice()).unwrap_or_default();
        let refused = last.as_ref().filter(|last| last.status == DeploymentStatus::Rejected);
        if self.json {
            output::json(&json!({
                "node": running,
                "source": format!("directory {}", path.display()),
                "live": live.as_ref().map(summary),
                "refused": refused.map(summary),
                "diagnostics": diagnostics,
            }))?;
            return Ok(Exit::Done);
        }
        output::line(match &running {
            Some(node) => format!("node      running at {} (process {})", node.url, node.pid),
            None => format!("node      not running on `{}`", config.data.display()),
        });
        output::line(format!("source    directory {}", path.display()));
        match &live {
            Some(live) => {
                let since = rfc3339(live.id.time_us());
                let functions = output::count(live.functions as usize, "function");
                output::line(format!("live      {} since {since}, {functions}, revision {}", live.id, live.revision));
            }
            None => output::line("live      nothing yet"),
        }
        if let Some(refused) = refused {
            output::line(format!("refused   {} at {}, revision {}", refused.id, rfc3339(refused.id.time_us()), refused.revision));
        }
        if !diagnostics.is_empty() {
            output::line("\nFiles with mistakes are live as they last were right, or answer 503 if they never were.");
        }
        for diagnostic in diagnostics {
            output::line(format!("\n{}", Configured::finding(&config, diagnostic)));
        }
        Ok(Exit::Done)
    }
}

/// `picloud deployments`
#[derive(Debug, Args)]
pub struct Deployments {
    #[command(flatten)]
    configured: Configured,
    /// At most so many, the newest first
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

impl Deployments {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let config = self.configured.load()?;
        let deployments = self.configured.with_store(&config, async |store| Ok(store.deployments(self.limit, None).await?))?;
        if self.json {
            let all: Vec<_> = deployments
                .iter()
                .map(|deployment| {
                    let mut all = summary(deployment);
                    all["diagnostics"] = json!(deployment.diagnostics);
                    all["changes"] = json!(deployment.changes);
                    all
                })
                .collect();
            output::json(&all)?;
            return Ok(Exit::Done);
        }
        let rows: Vec<[String; 6]> = deployments
            .iter()
            .map(|deployment| {
                [
                    deployment.id.to_string(),
                    rfc3339(deployment.id.time_us()),
                    word(deployment).into(),
                    changes(deployment),
                    output::count(deployment.diagnostics.len(), "mistake"),
                    deployment.revision.to_string(),
                ]
            })
            .collect();
        output::table(["DEPLOYMENT", "TIME", "STATUS", "CHANGES", "FOUND", "REVISION"], &rows);
        Ok(Exit::Done)
    }
}

/// `picloud versions FUNCTION`
#[derive(Debug, Args)]
pub struct Versions {
    #[command(flatten)]
    configured: Configured,
    /// Its path below the root, with or without `.rhai`
    function: String,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

impl Versions {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let config = self.configured.load()?;
        let name = FunctionName::of_file(&self.function).unwrap_or_else(|| FunctionName::new(self.function.as_str()));
        let (versions, others) = self.configured.with_store(&config, async |store| {
            let versions = store.versions_of(&name).await?;
            let others = if versions.is_empty() { store.live_functions().await? } else { Vec::new() };
            Ok((versions, others))
        })?;
        if versions.is_empty() {
            let near = near_miss(name.as_str(), others.iter().map(|other| other.function.as_str()));
            let hint = near.map_or("`picloud routes` lists the functions".into(), |near| format!("did you mean `{near}`?"));
            bail!("no version of `{name}` was ever live\n  hint: {hint}");
        }
        if self.json {
            let all: Vec<_> = versions
                .iter()
                .map(|version| {
                    let time = rfc3339(version.deployment.time_us());
                    json!({ "function": version.function, "version": version.version, "deployment": version.deployment, "time": time })
                })
                .collect();
            output::json(&all)?;
            return Ok(Exit::Done);
        }
        let rows: Vec<[String; 3]> = versions
            .iter()
            .map(|version| [version.version.to_string(), rfc3339(version.deployment.time_us()), version.deployment.to_string()])
            .collect();
        output::table(["VERSION", "TIME", "DEPLOYMENT"], &rows);
        Ok(Exit::Done)
    }
}

fn summary(deployment: &Deployment) -> serde_json::Value {
    json!({
        "id": deployment.id,
        "time": rfc3339(deployment.id.time_us()),
        "status": deployment.status,
        "cause": deployment.cause,
        "by": deployment.by,
        "revision": deployment.revision,
        "functions": deployment.functions,
        "took_us": deployment.took_us,
    })
}

fn word(deployment: &Deployment) -> &'static str {
    match deployment.status {
        DeploymentStatus::Live => "live",
        DeploymentStatus::Rejected => "rejected",
    }
}

/// Writes what a deployment changed: `+1 ~2 -0`.
fn changes(deployment: &Deployment) -> String {
    let added = deployment.changes.iter().filter(|change| change.from.is_none()).count();
    let removed = deployment.changes.iter().filter(|change| change.to.is_none()).count();
    format!("+{added} ~{} -{removed}", deployment.changes.len() - added - removed)
}
