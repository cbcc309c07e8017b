//! `picloud diff`: what differs between two deployments, in functions and in lines.

use std::{
    io::{self, IsTerminal},
    sync::Arc,
};

use anyhow::anyhow;
use clap::Args;

use super::{
    check::on_script_stack,
    client::{Client, query},
    exit::Exit,
    findings, output,
    target::NodeArgs,
};
use crate::{
    engine::Engine,
    store::{FindError, LIVE},
    sync::diff::{Bounds, DeploymentDiff, Detail, FileDiff, Sides},
};

/// `picloud diff [A] [B]`
#[derive(Debug, Args)]
pub struct Diff {
    #[command(flatten)]
    node: NodeArgs,
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

impl Diff {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let difference = match self.node.named()? {
            Some(client) => self.ask(&client)?,
            None => self.compare()?,
        };
        let DeploymentDiff { from, to, plan, files_differing, files, outdated } = &difference;
        for side in outdated {
            let found = findings::counts(side.errors, side.warnings);
            output::tell(format!("{found} in the files of {} by today's rules; their functions are not compared", side.deployment));
        }
        if self.json {
            output::json(&serde_json::to_value(&difference)?)?;
            return Ok(Exit::Done);
        }
        let from = from.as_ref().map_or("nothing".into(), |from| from.id.to_string());
        if *files_differing == 0 {
            output::line(format!("{from} and {} have the same files", to.id));
            return Ok(Exit::Done);
        }
        output::line(format!("{from} → {}: {}", to.id, plan.summary()));
        if !plan.is_empty() {
            output::line(format!("\n{plan}"));
        }
        files.iter().for_each(print);
        Ok(Exit::Done)
    }

    /// Reads both sides from the database and compares them here.
    fn compare(&self) -> anyhow::Result<DeploymentDiff> {
        let config = self.node.configured.load()?;
        let sides = self
            .node
            .configured
            .with_store(&config, async |store| Sides::read(&store, self.from.as_deref(), &self.to).await.map_err(explained))?;
        let engine = Arc::new(Engine::new(config.limits.clone()));
        let detail = if self.stat { Detail::Count } else { Detail::Lines(Bounds::NONE) };
        on_script_stack(&config, move || sides.compare(engine, detail))
    }

    /// Has a node compare them.
    fn ask(&self, client: &Client) -> anyhow::Result<DeploymentDiff> {
        let mut pairs = vec![("stat", self.stat.to_string())];
        pairs.extend(self.from.clone().map(|from| ("against", from)));
        let key: String = form_urlencoded::byte_serialize(self.to.as_bytes()).collect();
        client.read(&format!("/api/admin/deployments/{key}/diff?{}", query(&pairs)))
    }
}

/// Says what to do about a deployment that is not found.
fn explained(error: FindError) -> anyhow::Error {
    let hint = match &error {
        FindError::Store(_) | FindError::NothingLive => return error.into(),
        FindError::Ambiguous { .. } => "give more of it",
        FindError::NeverLive(_) => "`picloud deployments` shows those that were",
        FindError::Unknown(_) | FindError::Short(_) => "`picloud deployments` shows them all",
    };
    anyhow!("{error}\n  hint: {hint}")
}

/// Prints a difference as it is; on a terminal control characters are written out, so that a file cannot speak to it.
fn print(FileDiff { file, diff, is_left_out, .. }: &FileDiff) {
    let text = match (diff, is_left_out) {
        (Some(diff), _) => diff.clone(),
        (None, true) => format!("`{file}` differs, and its lines are left out: one answer has no room for them\n"),
        (None, false) => format!("`{file}` differs, and is not UTF-8 text\n"),
    };
    if !io::stdout().is_terminal() {
        output::raw(format!("\n{text}").as_bytes());
        return;
    }
    output::line(format!("\n{}", text.trim_end_matches('\n')));
}
