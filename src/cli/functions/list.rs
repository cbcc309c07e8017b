//! `picloud functions`: every file of a node's source, with what became of it.

use clap::Args;
use serde_json::json;

use super::PATH;
use crate::{
    api::scripts::{ScriptPage, ScriptSummary},
    cli::{exit::Exit, records::ListForm, target::NodeArgs},
};

/// The most that is asked for at once.
const PAGE: usize = 1_000;

/// `picloud functions`
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    node: NodeArgs,
    /// Only those with this text in their name, their path or their description
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// Only those whose name begins so: `orders/`
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
    /// Only those in this state: `live`, `broken`, `waiting`
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// At most so many, in order of their files
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    form: ListForm,
}

impl List {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let asked = [("text", self.text.clone()), ("prefix", self.prefix.clone()), ("state", self.state.clone())];
        let pairs = asked.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        let parts = |page: ScriptPage| (page.scripts, page.next);
        let scripts = self.node.client()?.pages(PATH, &pairs, self.limit as usize, PAGE, parts)?;
        self.form.list(&scripts, |script| script, ["FILE", "STATE", "KIND", "ROUTE", "DESCRIPTION"], row)
    }
}

fn row(script: &ScriptSummary) -> [String; 5] {
    let route = script.route.as_ref().map(|route| route.path.clone());
    [
        script.file.to_string(),
        json!(script.state).as_str().unwrap_or_default().into(),
        json!(script.kind).as_str().unwrap_or_default().into(),
        route.unwrap_or_default(),
        script.description.clone().unwrap_or_default(),
    ]
}
