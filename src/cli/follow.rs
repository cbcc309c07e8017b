//! `picloud sync`, `source`, `rollback`, `unpin`: how the running node follows its source.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    client::understood,
    confirm::confirmed,
    exit::Exit,
    findings::finding,
    output,
    target::{ChangeArgs, NodeArgs},
};
use crate::{
    api::source::{RollbackAnswer, RollbackOrder},
    config::Config,
    deployment::DeploymentId,
    function::Diagnostic,
    sync::orders::SyncOutcome,
};

/// `picloud sync`
#[derive(Debug, Args)]
pub struct Sync {
    #[command(flatten)]
    node: NodeArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// `picloud source suspend|resume`
#[derive(Debug, Args)]
pub struct SourceCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Let nothing of the source go live until it is resumed
    Suspend(ChangeArgs),
    /// Follow the source again
    Resume(ChangeArgs),
}

/// `picloud rollback [DEPLOYMENT]`
#[derive(Debug, Args)]
pub struct Rollback {
    #[command(flatten)]
    node: NodeArgs,
    /// Where to: a deployment's id, or a revision or its beginning [default: the last live deployment with other files]
    deployment: Option<String>,
    /// Keep what is newer from going live too, until `picloud unpin`
    #[arg(long)]
    hold: bool,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Print one JSON object, and do not ask
    #[arg(long)]
    json: bool,
}

/// `picloud unpin`
#[derive(Debug, Args)]
pub struct Unpin {
    #[command(flatten)]
    node: ChangeArgs,
}

impl Sync {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let answer = self.node.client()?.post("/api/admin/sync", &json!({}))?;
        let look: SyncOutcome = understood(answer.clone())?;
        let exit = match self.json {
            true => output::json(&answer).map(|()| exit(&look))?,
            false => tell(&look, &self.node.configured.load()?),
        };
        match look.problem {
            // What is live may be right; what was asked for was to know that.
            Some(problem) => bail!("{problem}"),
            None => Ok(exit),
        }
    }
}

impl SourceCommand {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        match self.verb {
            Verb::Suspend(node) => {
                node.client("suspend the source")?.post("/api/admin/source/suspend", &json!({}))?;
                output::line("suspended: what is live stays, until `picloud source resume`");
                Ok(Exit::Done)
            }
            Verb::Resume(node) => {
                let look = node.client("resume the source")?.post("/api/admin/source/resume", &json!({}))?;
                Ok(tell(&understood(look)?, &node.node.configured.load()?))
            }
        }
    }
}

impl Rollback {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let client = self.node.client()?;
        let order = |dry_run: bool, to: Option<String>, from: Option<DeploymentId>| {
            let order = RollbackOrder { to, from, hold: self.hold, reason: self.reason.clone(), dry_run };
            client.post("/api/admin/rollback", &order)
        };
        if self.json {
            output::json(&order(self.dry_run, self.deployment.clone(), None)?)?;
            return Ok(Exit::Done);
        }
        let plan: RollbackAnswer = understood(order(true, self.deployment.clone(), None)?)?;
        output::line(format!("back to {}, revision {}:", plan.to.id, plan.to.revision));
        output::line(plan.text);
        if self.dry_run {
            return Ok(Exit::Done);
        }
        if !self.yes && !confirmed("Go back?")? {
            bail!("nothing was changed");
        }
        // What was shown is what is done: if something else went live meanwhile, nothing.
        let done: RollbackAnswer = understood(order(false, Some(plan.to.id.to_string()), plan.from)?)?;
        let deployment = done.deployment.context("the node does not say what is live")?;
        output::line(format!("live again as deployment {}", deployment.id));
        output::line(match (self.hold, done.suspended) {
            (true, _) => "The source is not followed until `picloud unpin`.",
            (false, Some(_)) => {
                "What went back stays so until it changes in the source, and the source is suspended: changes wait for `picloud source resume`."
            }
            (false, None) => {
                "What went back stays so until it changes in the source; everything else follows the source as before. `picloud unpin` makes live what the source holds."
            }
        });
        Ok(Exit::Done)
    }
}

impl Unpin {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let look = self.node.client("unpin")?.post("/api/admin/unpin", &json!({}))?;
        Ok(tell(&understood(look)?, &self.node.node.configured.load()?))
    }
}

/// Says what came of a look at the source.
fn tell(look: &SyncOutcome, config: &Config) -> Exit {
    let nothing = || "nothing".to_owned();
    let (id, revision) = look.live.as_ref().map_or((nothing(), nothing()), |(id, revision)| (id.to_string(), revision.to_string()));
    output::line(format!("live      {id}, revision {revision}"));
    match look.held.as_ref().filter(|why| look.problem.as_ref() != Some(*why)) {
        None => {}
        Some(why) if look.wanted.as_ref() == look.live.as_ref().map(|(_, revision)| revision) => output::line(format!("held      {why}")),
        Some(why) => {
            output::line(format!("wanted    revision {}", look.wanted.as_ref().map_or_else(nothing, ToString::to_string)));
            output::line(format!("not live  {why}"));
        }
    }
    for found in &look.diagnostics {
        output::line(format!("\n{}", finding(config, found)));
    }
    exit(look)
}

fn exit(look: &SyncOutcome) -> Exit {
    if look.diagnostics.iter().any(Diagnostic::is_error) { Exit::FunctionsWrong } else { Exit::Done }
}
