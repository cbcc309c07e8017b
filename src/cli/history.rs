//! `picloud deployments`, `picloud versions`: what was live, and when.

use anyhow::bail;
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Exit,
    client::{Client, Node, path_segment},
    executions::query,
    found, output,
};
use crate::{
    clock::rfc3339,
    deployment::{Deployment, DeploymentId, Timed},
    function::{FunctionName, Version, diagnostic::near_miss},
    store::{FunctionVersion, Store, function_name},
};

/// `picloud deployments`
#[derive(Debug, Args)]
pub struct Deployments {
    #[command(flatten)]
    node: Node,
    /// At most so many, the newest first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

impl Deployments {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let deployments = match self.node.named()? {
            Some(client) => self.ask(&client)?,
            None => {
                let config = self.node.configured.load()?;
                self.node.configured.with_store(&config, async |store| Ok(store.deployments(self.limit, None).await?))?
            }
        };
        if self.json {
            let all = deployments.iter().map(|deployment| serde_json::to_value(Timed::from(deployment)));
            output::json(&all.collect::<Result<Vec<Value>, _>>()?)?;
            return Ok(Exit::Done);
        }
        let rows: Vec<[String; 8]> = deployments
            .iter()
            .map(|deployment| {
                [
                    deployment.id.to_string(),
                    rfc3339(deployment.id.time_us()),
                    deployment.status.as_str().into(),
                    json!(deployment.cause).as_str().unwrap_or_default().into(),
                    changes(deployment),
                    found(&deployment.diagnostics),
                    deployment.pushed_by.as_ref().or(deployment.by.as_ref()).cloned().unwrap_or_default(),
                    deployment.revision.to_string(),
                ]
            })
            .collect();
        output::table(["DEPLOYMENT", "TIME", "STATUS", "CAUSE", "CHANGES", "FOUND", "BY", "REVISION"], &rows);
        Ok(Exit::Done)
    }

    /// Reads them from a node, page by page.
    fn ask(&self, client: &Client) -> anyhow::Result<Vec<Deployment>> {
        let limit = self.limit as usize;
        let (mut found, mut next) = (Vec::new(), None);
        while found.len() < limit {
            let mut pairs = vec![("limit", (limit - found.len()).min(PAGE).to_string())];
            pairs.extend(next.map(|next: DeploymentId| ("cursor", next.to_string())));
            let page: Page = client.read(&format!("/api/admin/deployments?{}", query(&pairs)))?;
            found.extend(page.deployments);
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        Ok(found)
    }
}

/// The most that is asked for at once.
const PAGE: usize = 200;

/// What a node says of its deployments.
#[derive(Deserialize)]
struct Page {
    deployments: Vec<Deployment>,
    next: Option<DeploymentId>,
}

/// `picloud versions FUNCTION`
#[derive(Debug, Args)]
pub struct Versions {
    #[command(flatten)]
    node: Node,
    /// Its path below the root, with or without `.rhai`
    function: String,
    /// At most so many, the newest first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

impl Versions {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let name = function_name(&self.function);
        let (mut versions, is_live) = match self.node.named()? {
            Some(client) => ask_versions(&client, &name)?,
            None => {
                let config = self.node.configured.load()?;
                self.node.configured.with_store(&config, async |store| {
                    must_be_known(&store, &name).await?;
                    let is_live = store.live_functions().await?.iter().any(|live| live.function == name);
                    Ok((store.versions_of(&name).await?, is_live))
                })?
            }
        };
        versions.truncate(self.limit as usize);
        if self.json {
            let all: Vec<_> = versions
                .iter()
                .enumerate()
                .map(|(at, version)| {
                    json!({
                        "function": version.function,
                        "version": version.version,
                        "deployment": version.deployment,
                        "time": rfc3339(version.deployment.time_us()),
                        "is_live": is_live && at == 0,
                    })
                })
                .collect();
            output::json(&all)?;
            return Ok(Exit::Done);
        }
        let rows: Vec<[String; 4]> = versions
            .iter()
            .enumerate()
            .map(|(at, version)| {
                let note = if is_live && at == 0 { "live" } else { "" };
                [version.version.to_string(), rfc3339(version.deployment.time_us()), version.deployment.to_string(), note.into()]
            })
            .collect();
        output::table(["VERSION", "TIME", "DEPLOYMENT", ""], &rows);
        Ok(Exit::Done)
    }
}

/// What a node says of the versions of a function.
#[derive(Deserialize)]
struct Lived {
    versions: Vec<LivedVersion>,
}

#[derive(Deserialize)]
struct LivedVersion {
    version: Version,
    deployment: DeploymentId,
}

/// Reads the versions of a function from a node, and whether it is live there.
fn ask_versions(client: &Client, name: &FunctionName) -> anyhow::Result<(Vec<FunctionVersion>, bool)> {
    let path = format!("/api/admin/scripts/{}", path_segment(name.as_str()));
    let Lived { versions } = client.read(&format!("{path}/versions"))?;
    let live = client.get(&path).ok().map(|script| script["version"].clone());
    let is_live = versions.first().is_some_and(|newest| live == Some(json!(newest.version)));
    let version = |LivedVersion { version, deployment }| FunctionVersion { function: name.clone(), version, deployment };
    Ok((versions.into_iter().map(version).collect(), is_live))
}

/// Refuses a function that never was live, with the name that was probably meant.
pub async fn must_be_known(store: &Store, name: &FunctionName) -> anyhow::Result<()> {
    if !store.versions_of(name).await?.is_empty() {
        return Ok(());
    }
    let live = store.live_functions().await?;
    let near = near_miss(name.as_str(), live.iter().map(|live| live.function.as_str()));
    let hint = near.map_or("`picloud routes` lists the functions".into(), |near| format!("did you mean `{near}`?"));
    bail!("no version of `{name}` was ever live\n  hint: {hint}")
}

/// Writes what a deployment changed: `+1 ~2 -0`.
fn changes(deployment: &Deployment) -> String {
    let added = deployment.changes.iter().filter(|change| change.from.is_none()).count();
    let removed = deployment.changes.iter().filter(|change| change.to.is_none()).count();
    format!("+{added} ~{} -{removed}", deployment.changes.len() - added - removed)
}
