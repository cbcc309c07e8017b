//! `picloud deploy`: a folder becomes the functions of a node, all at once, and is told about as a push is.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;

use super::{
    client::{Refusal, understood},
    exit::Exit,
    findings, output,
    project::Project,
    target::ChangeArgs,
};
use crate::{
    api::upload::TreeAnswer, clock::monotonic, config::SourceConfig, deployment::Snapshot, function::Diagnostic, node::source::read_folder,
    source::tarball,
};

/// A larger file is too large for every node.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// `picloud deploy DIR`
#[derive(Debug, Args)]
pub struct Deploy {
    /// The folder of functions, or a project: a folder with a `picloud.toml`, which says where its functions are
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    node: ChangeArgs,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// Go on although more than half of many functions would go, or all of them
    #[arg(long)]
    allow_mass_delete: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Deploy {
    pub(super) fn run(mut self) -> anyhow::Result<Exit> {
        self.dir = Project::of(&self.dir)?.functions;
        self.must_not_contain_the_source()?;
        let snapshot = self.read()?;
        if snapshot.problems.iter().any(Diagnostic::is_error) {
            return self.refused(&snapshot.problems, "nothing was sent");
        }
        // Who only looks, or reads no question, is not asked.
        let client = if self.dry_run || self.json { self.node.node.client()? } else { self.node.client("deploy")? };
        let tar = tarball::pack(&snapshot.tree).context("cannot pack the files")?;
        let path = format!("/api/admin/tree?dry_run={}&allow_mass_delete={}", self.dry_run, self.allow_mass_delete);
        let began = monotonic();
        match client.put(&path, "application/gzip", &tar) {
            Ok(done) if self.json => output::json(&done).map(|()| Exit::Done),
            Ok(done) => self.tell(understood(done)?, began.elapsed().as_millis()),
            Err(error) => match error.downcast::<Refusal>()? {
                Refusal { status: 422, diagnostics, .. } => self.refused(&diagnostics, "nothing was deployed, and what is live stays live"),
                refusal => {
                    if let Some(plan) = refusal.plan.as_ref().filter(|_| !self.json) {
                        output::line(plan);
                    }
                    let hint = if refusal.plan.is_some() { "\n  hint: if that is meant: `--allow-mass-delete`" } else { "" };
                    bail!("{}{hint}", refusal.detail.split("\n  hint: ").next().unwrap_or_default())
                }
            },
        }
    }

    /// Refuses to write a folder into itself: every function would move to where it is seen from above, and nothing stays where it was.
    fn must_not_contain_the_source(&self) -> anyhow::Result<()> {
        let node = &self.node.node;
        let SourceConfig::Directory { path } = node.configured.load()?.source else { return Ok(()) };
        let (Ok(source), Ok(dir)) = (path.canonicalize(), self.dir.canonicalize()) else { return Ok(()) };
        if source == dir || !source.starts_with(&dir) || !node.is_own()? {
            return Ok(());
        }
        bail!(
            "`{}` contains the folder `{}`, which the node serves: its functions would move, and the old ones would be deleted\n  hint: `picloud deploy {1}`",
            self.dir.display(),
            path.display()
        )
    }

    /// Reads the folder as a node would.
    fn read(&self) -> anyhow::Result<Snapshot> {
        let dir = self.dir.display();
        if !self.dir.is_dir() {
            bail!("there is no folder `{dir}`");
        }
        // The node knows its own limit.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let snapshot = runtime.block_on(read_folder(&self.dir, MAX_FILE_BYTES))?;
        if snapshot.tree.is_empty() && snapshot.problems.is_empty() {
            bail!("there is no `.rhai` file in `{dir}`\n  hint: name the folder that the paths of URLs begin in");
        }
        Ok(snapshot)
    }

    /// Says what is wrong, with the paths of this folder.
    fn refused(&self, diagnostics: &[Diagnostic], what: &str) -> anyhow::Result<Exit> {
        if self.json {
            output::json(&json!({ "ok": false, "diagnostics": diagnostics }))?;
        } else {
            for diagnostic in diagnostics {
                output::line(format!("{}\n", findings::finding_below(&self.dir, diagnostic)));
            }
            output::line(format!("{}; {what}", findings::summary(diagnostics)));
        }
        Ok(Exit::FunctionsWrong)
    }

    fn tell(&self, done: TreeAnswer, took_ms: u128) -> anyhow::Result<Exit> {
        for warning in &done.diagnostics {
            output::line(format!("{}\n", findings::finding_below(&self.dir, warning)));
        }
        if !done.text.is_empty() {
            output::line(done.text);
        }
        output::line(done.summary);
        if self.dry_run {
            output::line("dry run: nothing has changed");
            return Ok(Exit::Done);
        }
        if let Some(held) = done.held {
            bail!("written, and not live: {held}");
        }
        let live = done.live.context("the node does not say what is live")?;
        output::line(format!("live at {} in {took_ms} ms, deployment {}", live.revision, live.deployment));
        Ok(Exit::Done)
    }
}
