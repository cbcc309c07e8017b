//! `picloud functions show`: one file, each setting with where its value comes from, and who uses it.

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use super::PATH;
use crate::{
    api::scripts::ScriptSummary,
    cli::{
        client::{path_segment, understood},
        exit::Exit,
        output,
        target::NodeArgs,
    },
    function::{FunctionName, origin::Setting},
    shown::Shown,
    store::function_name,
};

/// `picloud functions show NAME`
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    node: NodeArgs,
    /// Its path below the root, with or without `.rhai`, or its id
    #[arg(value_name = "NAME")]
    function: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What is shown of the node's answer.
#[derive(Deserialize)]
struct FunctionReport {
    #[serde(flatten)]
    summary: ScriptSummary,
    settings: Vec<Setting>,
    used_by: Vec<FunctionName>,
    used_by_count: usize,
}

impl Show {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let name = function_name(&self.function);
        let answer = self.node.client()?.get(&format!("{PATH}/{}", path_segment(name.as_str())))?;
        if self.json {
            output::json(&answer)?;
        } else {
            print(&understood(answer)?);
        }
        Ok(Exit::Done)
    }
}

fn print(known: &FunctionReport) {
    let field = |name: &str, value: &str| output::line(format!("{name:<11}{}", Shown::inline(value)));
    let FunctionReport { summary, settings, used_by, used_by_count } = known;
    field("file", &summary.file);
    field("state", json!(summary.state).as_str().unwrap_or_default());
    if let Some(version) = summary.version {
        field("version", &version.to_string());
    }
    if let Some(route) = &summary.route {
        field("route", &route.path);
    }
    if !settings.is_empty() {
        output::line("");
        output::table(["SETTING", "VALUE", "FROM", "CEILING"], &settings.iter().map(row).collect::<Vec<_>>());
    }
    if *used_by_count > 0 {
        output::line("");
        field("used by", &output::count(*used_by_count, "function"));
        used_by.iter().for_each(|name| field("", name.as_str()));
    }
}

fn row(setting: &Setting) -> [String; 4] {
    let value = match &setting.value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let place = match (&setting.file, setting.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.to_string(),
        _ => json!(setting.origin).as_str().unwrap_or_default().into(),
    };
    [setting.key.clone(), value, place, setting.ceiling.clone().unwrap_or_default()]
}
