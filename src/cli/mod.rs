//! The command line: what people type, and what they read. With `main.rs` the only place that prints.

mod audit;
mod backup;
mod check;
mod client;
mod confirm;
mod credentials;
mod database;
mod deploy;
mod diff;
mod events;
mod executions;
mod follow;
mod health;
mod history;
mod hook;
mod init;
mod invoke;
mod login;
mod logs;
mod output;
mod project;
mod remote;
mod replay;
mod routes;
mod status;
mod token;
mod usage;

use std::{path::PathBuf, process::ExitCode};

use anyhow::anyhow;
use clap::{Args, CommandFactory, Parser, Subcommand};
use rustix::fs::Mode;

use crate::{
    config::{Config, ConfigError, ListenAddress, Overrides},
    function::Diagnostic,
    node,
    secret::Secret,
    store::{Store, StoreError},
};

/// Turns a folder of .rhai files into live HTTP endpoints.
#[derive(Debug, Parser)]
#[command(name = "picloud", version, propagate_version = true, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the functions of a folder, and follow its changes
    Serve(Serve),
    /// Check every file, and show all that is wrong
    Check(check::Check),
    /// List every route, or say which function answers a URL and why: of the files here, or with `--url` of a node
    Routes(routes::Routes),
    /// Run a function of the files here without a server, or with `--url` on a node
    Invoke(invoke::Invoke),
    /// Show what is live, and what is wrong
    Status(status::Status),
    /// Say whether a node serves; needs no token
    Health(health::Health),
    /// List deployments, the newest first
    Deployments(history::Deployments),
    /// Show what differs between two deployments
    Diff(diff::Diff),
    /// List the versions of a function, the newest first
    Versions(history::Versions),
    /// List executions, the newest first
    Executions(executions::Executions),
    /// Run the request of an execution again
    Replay(replay::Replay),
    /// Show the log lines and failures of executions
    Logs(logs::Logs),
    /// Make, list and revoke tokens
    #[command(subcommand)]
    Token(token::Token),
    /// Put database, hosted repository and settings into one file, while the node runs
    Backup(backup::Backup),
    /// Put a backup back into an empty data folder and database
    Restore(backup::Restore),
    /// Move what a node remembers to another database
    #[command(subcommand)]
    Db(database::Database),
    /// Show who changed what, the newest first
    Audit(audit::Audit),
    /// Keep a node's token for the commands to come; the token is asked for, or read from stdin
    Login(login::Login),
    /// Forget a node's token
    Logout(login::Logout),
    /// Make a small working project
    Init(init::Init),
    /// Look at the source now, and wait until that is decided
    Sync(follow::Sync),
    /// Stop or go on following the source
    Source(follow::Source),
    /// Make a folder the functions of a node, and no others
    Deploy(deploy::Deploy),
    /// Make an earlier deployment live again
    Rollback(follow::Rollback),
    /// Follow the source again after a rollback
    Unpin(follow::Unpin),
    /// Ask the node about a push; git calls this
    #[command(hide = true)]
    Hook(hook::Hook),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print this, or the help of a command
    Help {
        /// Which: `token create`
        command: Vec<String>,
    },
}

/// The heading of what most commands take.
const NODE_OPTIONS: &str = "Node options";

/// Where the configuration comes from.
#[derive(Debug, Args)]
struct Configured {
    /// Configuration file [default: picloud.toml, if there is one]
    #[arg(long, env = "PICLOUD_CONFIG", value_name = "FILE", help_heading = NODE_OPTIONS)]
    config: Option<PathBuf>,
    /// Folder of functions
    #[arg(long, env = "PICLOUD_FUNCTIONS", value_name = "DIR", help_heading = NODE_OPTIONS)]
    functions: Option<PathBuf>,
    /// Folder for the node's own files
    #[arg(long, alias = "data-dir", env = "PICLOUD_DATA", value_name = "DIR", help_heading = NODE_OPTIONS)]
    data: Option<PathBuf>,
    /// Database: `sqlite`, `sqlite:PATH` or `postgres://…`; a URL with a password belongs into the environment
    #[arg(long, env = "PICLOUD_DATABASE_URL", value_name = "URL", hide_env_values = true, help_heading = NODE_OPTIONS)]
    database: Option<String>,
}

impl Configured {
    fn overrides(&self) -> Overrides {
        Overrides {
            functions: self.functions.clone(),
            data: self.data.clone(),
            database_url: self.database.clone(),
            git_token: secret("PICLOUD_GIT_TOKEN"),
            webhook_secret: secret("PICLOUD_WEBHOOK_SECRET"),
            ..Overrides::default()
        }
    }

    /// Returns whether it says where a node keeps what it knows.
    fn names_a_place(&self) -> bool {
        self.config.is_some() || self.data.is_some() || self.database.is_some()
    }

    /// Returns whether a configuration file was named.
    fn names_settings(&self) -> bool {
        self.config.is_some()
    }

    /// Returns the options with which another command means the same node, for hints to be pasted.
    fn again(&self) -> String {
        let options = [("--config", &self.config), ("--data", &self.data)].into_iter();
        options.filter_map(|(name, path)| Some(format!(" {name} {}", output::shell(&path.as_ref()?.display().to_string())))).collect()
    }

    fn load(&self) -> anyhow::Result<Config> {
        Ok(Config::load(self.config.as_deref(), self.overrides())?)
    }

    /// Writes a finding with the path of its file as seen from here, for people and editors to follow.
    fn finding(config: &Config, diagnostic: &Diagnostic) -> String {
        let file = config.source.path_of(&diagnostic.file).display().to_string();
        Diagnostic { file: file.into(), ..diagnostic.clone() }.to_string()
    }

    /// Tells on stderr what is wrong with a file.
    fn tell(config: &Config, diagnostics: &[Diagnostic]) {
        for diagnostic in diagnostics {
            output::tell(format!("{}\n", Self::finding(config, diagnostic)));
        }
    }

    /// Reads executions from the node that was named, else from the database.
    fn with_runs<T>(node: &client::Node, read: impl AsyncFnOnce(executions::Runs) -> anyhow::Result<T>) -> anyhow::Result<T> {
        if let Some(client) = node.named()? {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            return runtime.block_on(read(executions::Runs::Node(client)));
        }
        let config = node.configured.load()?;
        node.configured.with_store(&config, async |store| read(executions::Runs::Store(store)).await)
    }

    /// Reads from the database that the configuration names.
    fn with_store<T>(&self, config: &Config, read: impl AsyncFnOnce(Store) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let store = Store::open_read_only(&config.database_url, &config.data).await.map_err(or_elsewhere)?;
            read(store).await
        })
    }

    /// Changes the database that the configuration names, whether a node uses it or not.
    fn with_writable_store<T>(&self, config: &Config, change: impl AsyncFnOnce(&Store) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let store = Store::open_existing(&config.database_url, &config.data).await.map_err(or_elsewhere)?;
            let changed = change(&store).await;
            store.close().await;
            changed
        })
    }
}

/// Adds to a database that is not there what names the node that was perhaps meant.
fn or_elsewhere(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::NoDatabase { .. } => {
            anyhow!("{error}; `--config FILE` names the settings of a node elsewhere, `--url URL` the node itself")
        }
        error => error.into(),
    }
}

/// Runs a command that writes what is for its user alone, as what a node keeps is.
fn for_its_user<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Returns a secret of the environment; an empty one is none.
fn secret(variable: &str) -> Option<Secret> {
    std::env::var(variable).ok().filter(|text| !text.is_empty()).map(Secret::new)
}

#[derive(Debug, Args)]
struct Serve {
    #[command(flatten)]
    configured: Configured,
    /// Address to listen on: `127.0.0.1:8080`, `localhost:8080` or `8080`; `0.0.0.0:8080` is every network [default: 127.0.0.1:8080]
    #[arg(long, env = "PICLOUD_LISTEN", value_name = "ADDRESS")]
    listen: Option<ListenAddress>,
    /// Address of the control plane, git and metrics [default: the one that functions are served at]
    #[arg(long, env = "PICLOUD_ADMIN_LISTEN", value_name = "ADDRESS")]
    admin_listen: Option<ListenAddress>,
    /// Show authors what went wrong in their script, in the response
    #[arg(long, env = "PICLOUD_DEV")]
    dev: bool,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// It did what it was asked.
    Done,
    /// The functions are wrong.
    FunctionsWrong,
}

/// We could not do it.
const COULD_NOT: u8 = 2;

/// Runs a command, and tells on stderr why it could not be done.
pub fn run() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| usage::explained(error).exit());
    let done = match cli.command {
        Command::Serve(serve) => {
            let overrides = Overrides {
                listen: serve.listen.map(|address| address.0),
                admin_listen: serve.admin_listen.map(|address| address.0),
                dev: serve.dev,
                ..serve.configured.overrides()
            };
            Config::load(serve.configured.config.as_deref(), overrides)
                .map_err(anyhow::Error::new)
                .and_then(backup::must_be_restored)
                .and_then(node::serve)
                .map(|()| Exit::Done)
        }
        Command::Check(check) => check.run(),
        Command::Routes(routes) => routes.run(),
        Command::Invoke(invoke) => invoke.run(),
        Command::Status(status) => status.run(),
        Command::Health(health) => health.run(),
        Command::Deployments(deployments) => deployments.run(),
        Command::Diff(diff) => diff.run(),
        Command::Versions(versions) => versions.run(),
        Command::Executions(executions) => executions.run(),
        Command::Replay(replay) => replay.run(),
        Command::Logs(logs) => logs.run(),
        Command::Token(token) => token.run(),
        Command::Backup(backup) => backup.run(),
        Command::Restore(restore) => restore.run(),
        Command::Db(database) => database.run(),
        Command::Audit(audit) => audit.run(),
        Command::Login(login) => login.run(),
        Command::Logout(logout) => logout.run(),
        Command::Init(init) => init.run(),
        Command::Sync(sync) => sync.run(),
        Command::Source(source) => source.run(),
        Command::Deploy(deploy) => deploy.run(),
        Command::Rollback(rollback) => rollback.run(),
        Command::Unpin(unpin) => unpin.run(),
        Command::Hook(hook) => return hook.run(),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "picloud", &mut script);
            output::raw(&script);
            Ok(Exit::Done)
        }
        Command::Help { command } => usage::help(&command),
    };
    match done {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::FunctionsWrong) => ExitCode::from(1),
        Err(error) => {
            match error.downcast_ref() {
                // It begins with its place, as compilers do.
                Some(ConfigError::Wrong(diagnostic)) => output::tell(diagnostic.to_string()),
                _ => output::error(format!("{error:#}")),
            }
            ExitCode::from(COULD_NOT)
        }
    }
}

/// Writes what was found wrong: `2 errors, 1 warning`, or nothing.
fn found(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|found| found.is_error()).count();
    counted(errors, diagnostics.len() - errors)
}

/// The same of what was counted elsewhere.
fn counted(errors: usize, warnings: usize) -> String {
    let counts = [(errors, "error"), (warnings, "warning")];
    let counts = counts.iter().filter(|(number, _)| *number > 0).map(|(number, thing)| output::count(*number, thing));
    counts.collect::<Vec<_>>().join(", ")
}
