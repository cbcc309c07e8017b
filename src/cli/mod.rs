//! The command line: what people type, and what they read. With `main.rs` the only place that prints.

mod check;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};

use crate::{
    config::{Config, Overrides},
    node,
};

/// Turns a folder of .rhai files into live HTTP endpoints.
#[derive(Debug, Parser)]
#[command(name = "picloud", version, propagate_version = true)]
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
}

/// Where the configuration comes from.
#[derive(Debug, Args)]
struct Configured {
    /// Configuration file [default: picloud.toml, if there is one]
    #[arg(long, env = "PICLOUD_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of functions
    #[arg(long, env = "PICLOUD_FUNCTIONS", value_name = "DIR")]
    functions: Option<PathBuf>,
    /// Folder for the node's own files
    #[arg(long, env = "PICLOUD_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Database: `sqlite`, `sqlite:PATH` or `postgres://…`; a URL with a password belongs into the environment
    #[arg(long, env = "PICLOUD_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database: Option<String>,
}

impl Configured {
    fn overrides(&self) -> Overrides {
        Overrides {
            functions: self.functions.clone(),
            data: self.data.clone(),
            database_url: self.database.clone(),
            ..Overrides::default()
        }
    }

    fn load(&self) -> anyhow::Result<Config> {
        Ok(Config::load(self.config.as_deref(), self.overrides())?)
    }
}

#[derive(Debug, Args)]
struct Serve {
    #[command(flatten)]
    configured: Configured,
    /// Address to listen on
    #[arg(long, env = "PICLOUD_LISTEN", value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
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
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Serve(serve) => {
            let overrides = Overrides { listen: serve.listen, dev: serve.dev, ..serve.configured.overrides() };
            Config::load(serve.configured.config.as_deref(), overrides)
                .map_err(anyhow::Error::new)
                .and_then(node::serve)
                .map(|()| Exit::Done)
        }
        Command::Check(check) => check.run(),
    };
    match done {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::FunctionsWrong) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(COULD_NOT)
        }
    }
}

/// Returns a path as its owner would write it.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
