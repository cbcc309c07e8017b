//! The command line: what people type, and what they read. With `main.rs` the only place that prints.

mod answer;
mod audit;
mod backup;
mod check;
mod client;
mod config_args;
mod confirm;
mod credentials;
mod database;
mod definitions;
mod deploy;
mod dev;
mod diff;
mod doctor;
mod event;
mod executions;
mod exit;
mod findings;
mod follow;
mod functions;
mod health;
mod hidden_input;
mod history;
mod hook;
mod init;
mod invoke;
mod kept_request;
mod kv;
mod login;
mod logs;
mod man;
mod nodes;
mod output;
mod project;
mod records;
mod remote;
mod replay;
mod request;
mod routes;
mod schedules;
mod secret;
mod serve;
mod show;
mod sse;
mod stats;
mod status;
mod target;
mod token;
mod top;
mod usage;
mod version;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use self::exit::{COULD_NOT, Exit};
use crate::config::ConfigError;

/// Turns a folder of .rhai files into live HTTP endpoints.
#[derive(Debug, Parser)]
#[command(name = "picloud", version = version::text(), propagate_version = true, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the functions of a folder, and follow its changes
    Serve(serve::Serve),
    /// Serve them to their author: tell what goes live, what is wrong and what is asked, as it comes
    Dev(dev::Dev),
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
    /// Look at what a node needs, and say what is wrong and what to do
    Doctor(doctor::Doctor),
    /// List the nodes on a database: who serves what, and how much each does
    Nodes(nodes::Nodes),
    /// List deployments, the newest first
    Deployments(history::Deployments),
    /// Show what differs between two deployments
    Diff(diff::Diff),
    /// List the versions of a function, the newest first
    Versions(history::Versions),
    /// List the files of a node, or show one with its settings and where they come from
    Functions(functions::Functions),
    /// List executions, the newest first, or show one
    Executions(executions::Executions),
    /// Run the request of an execution again, or of many; what a run got from outside is given back, and nothing there is asked
    Replay(replay::Replay),
    /// Show the log lines and failures of executions
    Logs(logs::Logs),
    /// Show how many requests there were, how many failed and how long they took, step by step
    Stats(stats::Stats),
    /// List the functions that need somebody first, or the places that fail
    Top(top::Top),
    /// List schedules: when functions run by themselves, and how the last run ended
    Schedules(schedules::Schedules),
    /// Run a schedule now, and wait for the outcome
    Run(schedules::Run),
    /// Stop a schedule until `picloud resume`
    Pause(schedules::Pause),
    /// Let a paused schedule run again, from now on
    Resume(schedules::Resume),
    /// Make, list and revoke tokens
    #[command(subcommand)]
    Token(token::Token),
    /// Set, list and remove the secrets that functions use
    #[command(subcommand)]
    Secret(secret::Secret),
    /// Put database, hosted repository and settings into one file, while the node runs
    Backup(backup::Backup),
    /// Put a backup back into an empty data folder and database
    Restore(backup::Restore),
    /// Move what a node remembers to another database
    #[command(subcommand)]
    Db(database::Database),
    /// Show who changed what, the newest first
    Audit(audit::Audit),
    /// Emit an event: its handlers run
    Emit(event::Emit),
    /// List topics and events, and deal with what waits or was given up
    #[command(subcommand)]
    Events(event::Events),
    /// Read and change what functions keep
    #[command(subcommand)]
    Kv(kv::Kv),
    /// Keep a node's token for the commands to come; the token is asked for, or read from stdin
    Login(login::Login),
    /// Forget a node's token
    Logout(login::Logout),
    /// Make a small working project
    Init(init::Init),
    /// Write what editors know of the functions of the host: a `.d.rhai` file for Rhai's language server
    Definitions(definitions::Definitions),
    /// Look at the source now, and wait until that is decided
    Sync(follow::Sync),
    /// Stop or go on following the source
    Source(follow::SourceCommand),
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
    /// Write pages for `man`, one for each command; packages do
    #[command(hide = true)]
    Man(man::Man),
    /// Print this, or the help of a command
    Help {
        /// Which: `token create`
        command: Vec<String>,
    },
}

impl Command {
    fn run(self) -> anyhow::Result<Exit> {
        match self {
            Self::Serve(serve) => serve.run(),
            Self::Dev(dev) => dev.run(),
            Self::Check(check) => check.run(),
            Self::Routes(routes) => routes.run(),
            Self::Invoke(invoke) => invoke.run(),
            Self::Status(status) => status.run(),
            Self::Health(health) => health.run(),
            Self::Doctor(doctor) => doctor.run(),
            Self::Nodes(nodes) => nodes.run(),
            Self::Deployments(deployments) => deployments.run(),
            Self::Diff(diff) => diff.run(),
            Self::Versions(versions) => versions.run(),
            Self::Functions(functions) => functions.run(),
            Self::Executions(executions) => executions.run(),
            Self::Replay(replay) => replay.run(),
            Self::Logs(logs) => logs.run(),
            Self::Stats(stats) => stats.run(),
            Self::Top(top) => top.run(),
            Self::Schedules(schedules) => schedules.run(),
            Self::Run(run) => run.run(),
            Self::Pause(pause) => pause.run(),
            Self::Resume(resume) => resume.run(),
            Self::Token(token) => token.run(),
            Self::Secret(secret) => secret.run(),
            Self::Backup(backup) => backup.run(),
            Self::Restore(restore) => restore.run(),
            Self::Db(database) => database.run(),
            Self::Audit(audit) => audit.run(),
            Self::Emit(emit) => emit.run(),
            Self::Events(events) => events.run(),
            Self::Kv(kv) => kv.run(),
            Self::Login(login) => login.run(),
            Self::Logout(logout) => logout.run(),
            Self::Init(init) => init.run(),
            Self::Definitions(definitions) => definitions.run(),
            Self::Sync(sync) => sync.run(),
            Self::Source(source) => source.run(),
            Self::Deploy(deploy) => deploy.run(),
            Self::Rollback(rollback) => rollback.run(),
            Self::Unpin(unpin) => unpin.run(),
            Self::Hook(hook) => Ok(hook.run()),
            Self::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Cli::command(), "picloud", &mut script);
                output::raw(&script);
                Ok(Exit::Done)
            }
            Self::Man(man) => man.run(Cli::command()),
            Self::Help { command } => usage::help(Cli::command(), &command),
        }
    }
}

/// Runs a command, and tells on stderr why it could not be done.
pub fn run() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| usage::explained(&Cli::command(), error).exit());
    match cli.command.run() {
        Ok(exit) => exit.into(),
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
