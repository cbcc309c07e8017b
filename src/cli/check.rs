//! `picloud check`: the check that every deployment goes through, without a node.

use std::{path::PathBuf, sync::Arc};

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::{Configured, Exit, shown};
use crate::{
    config::{Config, Source as SourceConfig},
    deployment::Snapshot,
    engine::Engine,
    source::{
        Source,
        directory::{self, DirectorySource},
    },
    sync::check::{Checker, Report},
};

/// `picloud check [DIR]`
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    configured: Configured,
    /// Folder to check [default: the configured one]
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let mut config = self.configured.load()?;
        if let Some(path) = self.dir {
            config.source = SourceConfig::Directory { path };
        }
        let checked = read_and_check(&config)?;
        let errors = checked.report.diagnostics.iter().filter(|found| found.is_error()).count();
        let warnings = checked.report.diagnostics.len() - errors;
        let functions = checked.report.functions.len();
        if self.json {
            let body = json!({
                "ok": errors == 0,
                "functions": functions,
                "diagnostics": checked.report.diagnostics,
            });
            println!("{body}");
        } else {
            for diagnostic in &checked.report.diagnostics {
                println!("{diagnostic}\n");
            }
            match errors {
                0 => println!("{functions} functions are right ({warnings} warnings)"),
                _ => println!("{errors} errors, {warnings} warnings"),
            }
        }
        Ok(if errors == 0 { Exit::Done } else { Exit::FunctionsWrong })
    }
}

/// What a command finds in the configured folder.
pub(super) struct CheckedSource {
    pub snapshot: Snapshot,
    pub report: Report,
    pub engine: Arc<Engine>,
}

/// Reads the configured folder once and checks it, on a thread with the stack that scripts need.
pub(super) fn read_and_check(config: &Config) -> anyhow::Result<CheckedSource> {
    let SourceConfig::Directory { path } = config.source.clone();
    if !path.is_dir() {
        let hint = "name another with `--functions`, or make a project with `picloud init`";
        return Err(anyhow!("there is no functions folder `{}`\n  hint: {hint}", shown(&path)));
    }
    let settings = directory::Settings { max_file_bytes: config.limits.file.0, ..directory::Settings::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let snapshot = runtime.block_on(DirectorySource::new(path, settings).snapshot())?;
    let engine = Arc::new(Engine::new(config.limits.clone()));
    let check = {
        let (engine, tree) = (engine.clone(), Arc::new(snapshot.tree.clone()));
        move || Checker::new(engine).check(&tree)
    };
    let thread = std::thread::Builder::new().stack_size(config.executor.stack_bytes).spawn(check)?;
    let mut report = thread.join().map_err(|_| anyhow!("check failed on these files; please report it"))?;
    report.diagnostics.extend(snapshot.problems.iter().cloned());
    report.diagnostics.sort();
    Ok(CheckedSource { snapshot, report, engine })
}
