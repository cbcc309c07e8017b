//! `picloud diff`: what differs between two deployments, in functions and in lines.

use std::{
    io::{self, IsTerminal},
    sync::Arc,
    time::Duration,
};

use anyhow::{anyhow, bail};
use clap::Args;
use serde_json::{Value, json};
use similar::TextDiff;

use super::{Configured, Exit, check::on_script_stack, found, history::summary, output};
use crate::{
    config::Config,
    deployment::Deployment,
    engine::Engine,
    function::{Content, FilePath, Tree, tree::differences},
    store::{FindError, Store},
    sync::{check::Checker, plan::Plan},
};

/// `picloud diff [A] [B]`
#[derive(Debug, Args)]
pub struct Diff {
    #[command(flatten)]
    configured: Configured,
    /// Deployment, revision, its first characters, or `live` [default: what was live before B]
    #[arg(value_name = "A")]
    from: Option<String>,
    /// The same
    #[arg(value_name = "B", default_value = LIVE)]
    to: String,
    /// Only list the functions
    #[arg(long)]
    stat: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The word for the deployment that is live.
const LIVE: &str = "live";
/// Lines around each change.
const CONTEXT: usize = 3;
/// How long the shortest difference of two files is looked for, before any will do.
const PATIENCE: Duration = Duration::from_secs(1);

/// One of the two that are compared; without a deployment it is what was before the first one: nothing.
struct Side {
    deployment: Option<Deployment>,
    tree: Arc<Tree>,
}

impl Diff {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let config = self.configured.load()?;
        let (before, after) = self.configured.with_store(&config, async |store| {
            let to = find(&store, &self.to).await?;
            let from = match &self.from {
                Some(key) => Some(find(&store, key).await?),
                None => store.live_before(to.id).await?,
            };
            Ok((Side::read(&store, from).await?, Side::read(&store, Some(to)).await?))
        })?;
        let plan = compare(&config, &before, &after)?;
        let changed = differences(&before.tree, &after.tree);
        let files = changed.iter().map(|path| (path, before.tree.get(path), after.tree.get(path)));
        if self.json {
            let files: Vec<Value> = files.filter(|_| !self.stat).map(|(path, old, new)| file(path, old, new)).collect();
            let summaries = [&before, &after].map(|side| side.deployment.as_ref().map(summary));
            output::json(&json!({ "from": summaries[0], "to": summaries[1], "plan": plan, "files": files }))?;
            return Ok(Exit::Done);
        }
        if changed.is_empty() {
            output::line(format!("{} and {} have the same files", before.name(), after.name()));
            return Ok(Exit::Done);
        }
        output::line(format!("{} → {}: {}", before.name(), after.name(), plan.summary()));
        if !plan.is_empty() {
            output::line(format!("\n{plan}"));
        }
        for (path, old, new) in files.filter(|_| !self.stat) {
            print(&unified(path, old, new).unwrap_or_else(|| format!("`{path}` differs, and is not UTF-8 text\n")));
        }
        Ok(Exit::Done)
    }
}

impl Side {
    async fn read(store: &Store, deployment: Option<Deployment>) -> anyhow::Result<Self> {
        let tree = match &deployment {
            Some(deployment) => store.tree_of(deployment.id).await?.unwrap_or_default(),
            None => Tree::new(),
        };
        Ok(Self { deployment, tree: Arc::new(tree) })
    }

    fn name(&self) -> String {
        self.deployment.as_ref().map_or("nothing".into(), |deployment| deployment.id.to_string())
    }
}

/// Returns the deployment that a person means.
async fn find(store: &Store, key: &str) -> anyhow::Result<Deployment> {
    if key == LIVE {
        return store.live_deployment().await?.ok_or_else(|| anyhow!("nothing was ever live"));
    }
    match store.find_deployment(key).await {
        Ok(deployment) => Ok(deployment),
        Err(FindError::Store(error)) => Err(error.into()),
        Err(error @ FindError::Ambiguous { .. }) => bail!("{error}\n  hint: give more of it"),
        Err(error @ FindError::NeverLive(_)) => bail!("{error}\n  hint: `picloud deployments` shows those that were"),
        Err(error @ (FindError::Unknown(_) | FindError::Short(_))) => bail!("{error}\n  hint: `picloud deployments` shows them all"),
    }
}

/// Finds which functions differ, and says of which files that cannot be known.
fn compare(config: &Config, before: &Side, after: &Side) -> anyhow::Result<Plan> {
    let engine = Arc::new(Engine::new(config.limits.clone()));
    let (old, new) = (before.tree.clone(), after.tree.clone());
    let (old, new) = on_script_stack(config, move || {
        let mut checker = Checker::new(engine);
        (checker.check(&old), checker.check(&new))
    })?;
    for (side, report) in [(before, &old), (after, &new)] {
        if !report.is_good() {
            let found = found(&report.diagnostics);
            output::tell(format!("{found} in the files of {} by today's rules; their functions are not compared", side.name()));
        }
    }
    Ok(Plan::between(&old.functions, &new.functions))
}

fn file(path: &FilePath, old: Option<&Content>, new: Option<&Content>) -> Value {
    let kind = match (old, new) {
        (None, _) => "added",
        (_, None) => "removed",
        _ => "changed",
    };
    json!({ "file": path, "kind": kind, "diff": unified(path, old, new) })
}

/// Writes the difference of two contents as `patch` reads it; none if one is not text.
fn unified(path: &FilePath, old: Option<&Content>, new: Option<&Content>) -> Option<String> {
    let (before, after) = (text(old)?, text(new)?);
    let name = |content: Option<&Content>, side: &str| content.map_or("/dev/null".into(), |_| format!("{side}/{path}"));
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(before, after);
    Some(diff.unified_diff().context_radius(CONTEXT).header(&name(old, "a"), &name(new, "b")).to_string())
}

fn text(content: Option<&Content>) -> Option<&str> {
    content.map_or(Some(""), |content| std::str::from_utf8(&content.bytes).ok())
}

/// Prints a difference as it is; on a terminal control characters are written out, so that a file cannot speak to it.
fn print(text: &str) {
    if !io::stdout().is_terminal() {
        output::raw(format!("\n{text}").as_bytes());
        return;
    }
    output::line("");
    for line in text.lines() {
        output::line(line.split('\t').map(output::tame).collect::<Vec<_>>().join("\t"));
    }
}
