//! `picloud check`: the check that every deployment goes through, without a node.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal},
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::{config_args::ConfigArgs, exit::Exit, findings, output, project::Project};
use crate::{
    config::{Config, SourceConfig},
    engine::Engine,
    function::{Diagnostic, Tree},
    node::source,
    source::git,
    sql,
    sync::{
        check::{Checker, needs::Excuse},
        fallback::{GoodTree, fall_back},
    },
};

/// `picloud check [DIR]`
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    configured: ConfigArgs,
    /// Folder of functions to check, or a project: a folder with a `picloud.toml` [default: the configured one]
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let config = self.config()?;
        let CheckedSource { mut settled, .. } = read_and_check(&config)?;
        if let SourceConfig::Directory { path } = &config.source {
            settled.diagnostics.extend(git::of_working_copy(path));
            settled.diagnostics.sort();
        }
        let is_good = !settled.diagnostics.iter().any(Diagnostic::is_error);
        let functions = settled.report.functions.len();
        if self.json {
            output::json(&json!({ "ok": is_good, "functions": functions, "diagnostics": settled.diagnostics }))?;
        } else {
            for diagnostic in &settled.diagnostics {
                output::line(format!("{}\n", findings::finding(&config, diagnostic)));
            }
            let functions = output::count(functions, "function");
            output::line(match (is_good, findings::summary(&settled.diagnostics).as_str()) {
                (true, "") => format!("{functions}, no errors"),
                (true, warnings) => format!("{functions}, no errors, {warnings}"),
                (false, errors) => format!("{errors}; {functions} without errors"),
            });
        }
        Ok(if is_good { Exit::Done } else { Exit::FunctionsWrong })
    }
}

impl Check {
    /// Returns the configuration; with a folder it is about the functions there, and a project's own settings hold.
    fn config(&self) -> anyhow::Result<Config> {
        let Some(dir) = &self.dir else { return self.configured.load() };
        let project = Project::of(dir)?;
        let mut config = match project.config.filter(|_| !self.configured.names_settings()) {
            Some(config) => config,
            None => self.configured.load()?,
        };
        config.source = SourceConfig::Directory { path: project.functions };
        Ok(config)
    }
}

/// What a command finds in the configured folder.
pub(super) struct CheckedSource {
    /// The functions that are right, the files that are not, and why.
    pub settled: GoodTree,
    /// Has compiled them.
    pub engine: Arc<Engine>,
    /// Holds what is compiled, until the command is done with it.
    _checker: Checker,
}

/// Reads the configured folder once and checks it, on a thread with the stack that scripts need.
pub(super) fn read_and_check(config: &Config) -> anyhow::Result<CheckedSource> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut snapshot = runtime.block_on(source::read(config))?;
    // Whoever runs a command means what is saved now.
    snapshot.unsettled.clear();
    snapshot.problems.extend(sql::check_files(&config.databases, &snapshot.tree));
    let engine = Arc::new(Engine::new(config.limits.clone()));
    let tables = runtime.block_on(async { sql::tables(&config.databases, &config.data) });
    let mut checker = Checker::new(engine.clone()).with_tables(tables);
    checker.excuse(Excuse::Known { live: Arc::default(), abandoned: BTreeMap::new() });
    let files = snapshot.tree.len();
    let check = move || {
        let settled = fall_back(&mut checker, snapshot, &Tree::new());
        (settled, checker)
    };
    let (settled, checker) =
        with_word_after(PATIENCE, &format!("checking {} …", output::count(files, "file")), || on_script_stack(config, check))?;
    Ok(CheckedSource { settled, engine, _checker: checker })
}

/// How long a terminal stays silent while people wait.
const PATIENCE: Duration = Duration::from_secs(1);

/// Does some work, and says on a terminal what it is when it takes longer than that.
fn with_word_after<T>(patience: Duration, word: &str, work: impl FnOnce() -> T) -> T {
    let (done, is_done) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if is_done.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) && io::stderr().is_terminal() {
                output::tell(word);
            }
        });
        let result = work();
        drop(done);
        result
    })
}

/// Runs this on a thread with the stack that scripts need.
pub(super) fn on_script_stack<T: Send + 'static>(config: &Config, work: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
    let thread = thread::Builder::new().stack_size(config.executor.stack_bytes).spawn(work)?;
    thread.join().map_err(|_| anyhow!("the engine failed on these files; please report it"))
}
