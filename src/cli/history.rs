//! `picloud deployments`, `picloud versions`: what was live, and when.

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use super::{
    client::{Client, path_segment},
    exit::Exit,
    findings,
    records::{ListArgs, Records},
    target::NodeArgs,
};
use crate::{
    api::{
        WithTime,
        deployments::{CountedDeployment, DeploymentPage},
        node::NodeStatus,
        scripts::{ScriptSummary, VersionList, VersionSummary},
    },
    clock::rfc3339,
    deployment::{Deployment, DeploymentId, DeploymentStatus},
    function::{FunctionName, diagnostic::near_miss},
    store::{DeploymentFilter, FunctionVersion, Store, function_name},
};

/// `picloud deployments`
#[derive(Debug, Args)]
pub struct Deployments {
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    list: ListArgs,
    /// Only those by this name or e-mail address, or pushed by it
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
    /// Only those with this text in subject, note, revision or name
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
}

impl Deployments {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let limit = self.list.limit;
        let (deployments, live) = self.node.records(async |records| match records {
            Records::Node(client) => {
                let record = |found: CountedDeployment| found.deployment.record;
                let parts = |page: DeploymentPage| (page.deployments.into_iter().map(record).collect(), page.next);
                let asked = [("by", self.by.clone()), ("text", self.text.clone())];
                let pairs = asked.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
                let deployments: Vec<Deployment> = client.pages("/api/admin/deployments", &pairs, limit as usize, PAGE, parts)?;
                let NodeStatus { live, .. } = client.read("/api/admin/status")?;
                Ok((deployments, live.map(|live| live.id)))
            }
            Records::Database(store) => Ok((self.recorded(&store).await?, store.live_deployment().await?.map(|live| live.id))),
        })?;
        let heading = ["DEPLOYMENT", "TIME", "STATUS", "CAUSE", "CHANGES", "FOUND", "BY", "REVISION", "SUBJECT"];
        self.list.form.list(&deployments, |deployment| json!(WithTime::from(deployment)), heading, |deployment| row(deployment, live))
    }
}

impl Deployments {
    /// Reads those that are asked for from the database.
    async fn recorded(&self, store: &Store) -> anyhow::Result<Vec<Deployment>> {
        let filter = DeploymentFilter { status: None, by: self.by.clone(), text: self.text.clone() };
        let (mut found, mut before) = (Vec::new(), None);
        while found.len() < self.list.limit as usize {
            let page = store.decisions(self.list.limit - found.len() as u32, before, &filter).await?;
            found.extend(page.deployments);
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        Ok(found)
    }
}

fn row(deployment: &Deployment, live: Option<DeploymentId>) -> [String; 9] {
    let was_live = deployment.status == DeploymentStatus::Live && live != Some(deployment.id);
    [
        deployment.id.to_string(),
        rfc3339(deployment.id.time_us()),
        if was_live { "was live".into() } else { deployment.status.as_str().into() },
        json!(deployment.cause).as_str().unwrap_or_default().into(),
        changes(deployment),
        findings::summary(&deployment.diagnostics),
        deployment.pushed_by.as_ref().or(deployment.by.as_ref()).cloned().unwrap_or_default(),
        deployment.revision.to_string(),
        deployment.subject.clone().unwrap_or_default(),
    ]
}

/// The most that is asked for at once.
const PAGE: usize = 200;

/// `picloud versions FUNCTION`
#[derive(Debug, Args)]
pub struct Versions {
    #[command(flatten)]
    node: NodeArgs,
    /// Its path below the root, with or without `.rhai`
    function: String,
    #[command(flatten)]
    list: ListArgs,
}

impl Versions {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let name = function_name(&self.function);
        let (mut versions, is_live) = self.node.records(async |records| match records {
            Records::Node(client) => ask_versions(&client, &name),
            Records::Database(store) => {
                must_be_known(&store, &name).await?;
                let is_live = store.live_functions().await?.iter().any(|live| live.function == name);
                Ok((store.versions_of(&name).await?, is_live))
            }
        })?;
        versions.truncate(self.list.limit as usize);
        let versions: Vec<ListedVersion> =
            versions.into_iter().enumerate().map(|(at, version)| ListedVersion { is_live: is_live && at == 0, version }).collect();
        self.list.form.list(&versions, ListedVersion::json, ["VERSION", "TIME", "DEPLOYMENT", ""], ListedVersion::row)
    }
}

struct ListedVersion {
    version: FunctionVersion,
    is_live: bool,
}

impl ListedVersion {
    fn json(&self) -> Value {
        let FunctionVersion { function, version, deployment } = &self.version;
        let time = rfc3339(deployment.time_us());
        json!({ "function": function, "version": version, "deployment": deployment, "time": time, "is_live": self.is_live })
    }

    fn row(&self) -> [String; 4] {
        let FunctionVersion { version, deployment, .. } = &self.version;
        let note = if self.is_live { "live" } else { "" };
        [version.to_string(), rfc3339(deployment.time_us()), deployment.to_string(), note.into()]
    }
}

/// Reads the versions of a function from a node, and whether it is live there.
fn ask_versions(client: &Client, name: &FunctionName) -> anyhow::Result<(Vec<FunctionVersion>, bool)> {
    let path = format!("/api/admin/scripts/{}", path_segment(name.as_str()));
    let VersionList { versions, .. } = client.read(&format!("{path}/versions"))?;
    let live = client.read(&path).ok().and_then(|script: ScriptSummary| script.version);
    let is_live = versions.first().is_some_and(|newest| live == Some(newest.version));
    let version = |VersionSummary { version, deployment, .. }| FunctionVersion { function: name.clone(), version, deployment };
    Ok((versions.into_iter().map(version).collect(), is_live))
}

/// Refuses a function that never was live, with the name that was probably meant.
pub async fn must_be_known(store: &Store, name: &FunctionName) -> anyhow::Result<()> {
    if !store.versions_of(name).await?.is_empty() {
        return Ok(());
    }
    let live = store.live_functions().await?;
    let near = near_miss(name.as_str(), live.iter().map(|live| live.function.as_str()));
    let hint = near.map_or("`picloud functions` lists them".into(), |near| format!("did you mean `{near}`?"));
    bail!("no version of `{name}` was ever live\n  hint: {hint}")
}

/// Writes what a deployment changed: `+1 ~2 -0`.
fn changes(deployment: &Deployment) -> String {
    let (added, changed, removed) = deployment.change_counts();
    format!("+{added} ~{changed} -{removed}")
}
