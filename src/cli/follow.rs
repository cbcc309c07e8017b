//! `picloud sync`, `source`, `rollback`, `unpin`: how the running node follows its source.

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    confirm::confirmed,
    exit::Exit,
    findings::finding,
    output,
    target::{ChangeArgs, NodeArgs},
};
use crate::{config::Config, function::Diagnostic};

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
        let look = self.node.client()?.post("/api/admin/sync", &json!({}))?;
        let exit = match self.json {
            true => output::json(&look).map(|()| exit(&look))?,
            false => tell(&look, &self.node.configured.load()?),
        };
        match look["problem"].as_str() {
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
                Ok(tell(&look, &node.node.configured.load()?))
            }
        }
    }
}

impl Rollback {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let client = self.node.client()?;
        let order = |is_dry_run: bool, to: Option<&Value>| {
            let body = json!({ "to": to, "hold": self.hold, "reason": self.reason, "dry_run": is_dry_run });
            client.post("/api/admin/rollback", &body)
        };
        let wanted = self.deployment.as_ref().map(|key| json!(key));
        if self.json {
            output::json(&order(self.dry_run, wanted.as_ref())?)?;
            return Ok(Exit::Done);
        }
        let plan = order(true, wanted.as_ref())?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let to = text(&plan["to"]["id"]);
        output::line(format!("back to {to}, revision {}:", text(&plan["to"]["revision"])));
        output::line(text(&plan["text"]));
        if self.dry_run {
            return Ok(Exit::Done);
        }
        if !self.yes && !confirmed("Go back?")? {
            bail!("nothing was changed");
        }
        // What was shown is what is done, whatever went live meanwhile.
        let done = order(false, Some(&plan["to"]["id"]))?;
        output::line(format!("live again as deployment {}", text(&done["deployment"]["id"])));
        output::line(match (self.hold, done["suspended"].as_str()) {
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
        Ok(tell(&look, &self.node.node.configured.load()?))
    }
}

/// Says what came of a look at the source.
fn tell(look: &Value, config: &Config) -> Exit {
    let text = |value: &Value| value.as_str().unwrap_or("nothing").to_owned();
    let live = &look["live"];
    output::line(format!("live      {}, revision {}", text(&live[0]), text(&live[1])));
    match look["held"].as_str().filter(|why| look["problem"] != *why) {
        None => {}
        Some(why) if look["wanted"] == live[1] => output::line(format!("held      {why}")),
        Some(why) => {
            output::line(format!("wanted    revision {}", text(&look["wanted"])));
            output::line(format!("not live  {why}"));
        }
    }
    let diagnostics = look["diagnostics"].as_array().into_iter().flatten();
    for found in diagnostics.filter_map(|found| serde_json::from_value::<Diagnostic>(found.clone()).ok()) {
        output::line(format!("\n{}", finding(config, &found)));
    }
    exit(look)
}

fn exit(look: &Value) -> Exit {
    let is_wrong = look["diagnostics"].as_array().is_some_and(|found| found.iter().any(|found| found["severity"] == "error"));
    if is_wrong { Exit::FunctionsWrong } else { Exit::Done }
}
