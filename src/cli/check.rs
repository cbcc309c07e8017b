//! `picloud check`: the check that every deployment goes through, without a node.

use std::{path::PathBuf, sync::Arc};

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::{Configured, Exit, output};
use crate::{
    config::{Config, Source as SourceConfig},
    engine::Engine,
    function::Tree,
    source::{
        Source,
        directory::{self, DirectorySource},
    },
    sync::{
        check::Checker,
        settle::{Settled, settle},
    },
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
        let CheckedSource { settled, .. } = read_and_check(&config)?;
        let errors = settled.diagnostics.iter().filter(|found| found.is_error()).count();
        let warnings = settled.diagnostics.len() - errors;
        let functions = settled.report.functions.len();
        if self.json {
            output::json(&json!({ "ok": errors == 0, "functions": functions, "diagnostics": settled.diagnostics }))?;
        } else {
            for diagnostic in &settled.diagnostics {
                output::line(format!("{}\n", Configured::finding(&config, diagnostic)));
            }
            let warnings = if warnings == 0 { String::new() } else { format!(", {}", output::count(warnings, "warning")) };
            output::line(match errors {
                0 => format!("{}, no errors{warnings}", output::count(functions, "function")),
                _ => format!("{}{warnings}", output::count(errors, "error")),
            });
        }
        Ok(if errors == 0 { Exit::Done } else { Exit::FunctionsWrong })
    }
}

/// What a command finds in the configured folder.
pub(super) struct CheckedSource {
    /// The functions that are right, the files that are not, and why.
    pub settled: Settled,
    /// Has compiled them.
    pub engine: Arc<Engine>,
}

/// Reads the configured folder once and checks it, on a thread with the stack that scripts need.
pub(super) fn read_and_check(config: &Config) -> anyhow::Result<CheckedSource> {
    let SourceConfig::Directory { path } = config.source.clone();
    if !path.is_dir() {
        let hint = "name another with `--functions`, or make a project with `picloud init`";
        return Err(anyhow!("there is no functions folder `{}`\n  hint: {hint}", path.display()));
    }
    let settings = directory::Settings { max_file_bytes: config.limits.file.0, ..directory::Settings::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut snapshot = runtime.block_on(DirectorySource::new(path, settings).snapshot())?;
    // Whoever runs a command means what is saved now.
    snapshot.unsettled.clear();
    let engine = Arc::new(Engine::new(config.limits.clone()));
    let checker = Checker::new(engine.clone());
    let settled = on_script_stack(config, move || {
        let mut checker = checker;
        let settled = settle(&mut checker, snapshot, &Tree::new());
        (settled, checker)
    })?;
    // The checker holds what is compiled until the command is done with it.
    let (settled, checker) = settled;
    std::mem::forget(checker);
    Ok(CheckedSource { settled, engine })
}

/// Runs this on a thread with the stack that scripts need.
pub(super) fn on_script_stack<T: Send + 'static>(config: &Config, work: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
    let thread = std::thread::Builder::new().stack_size(config.executor.stack_bytes).spawn(work)?;
    thread.join().map_err(|_| anyhow!("the engine failed on these files; please report it"))
}
