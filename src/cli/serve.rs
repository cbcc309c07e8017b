//! `picloud serve`: the node itself.

use anyhow::bail;
use clap::Args;

use super::{config_args::ConfigArgs, exit::Exit};
use crate::{
    backup,
    config::{Config, ListenAddress, Overrides},
    node,
};

/// `picloud serve`
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    configured: ConfigArgs,
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

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        node::serve(self.config(false)?)?;
        Ok(Exit::Done)
    }

    /// Reads the configuration; it is an author's if this says so, or an option does.
    pub(super) fn config(&self, dev: bool) -> anyhow::Result<Config> {
        let overrides = Overrides {
            listen: self.listen.as_ref().map(|address| address.0),
            admin_listen: self.admin_listen.as_ref().map(|address| address.0),
            dev: self.dev || dev,
            ..self.configured.overrides()
        };
        let config = Config::load(self.configured.config.as_deref(), overrides)?;
        must_be_restored(&config)?;
        Ok(config)
    }
}

/// Refuses to serve from a data folder that a restore has not filled: the node would begin anew, without functions, history and tokens.
fn must_be_restored(config: &Config) -> anyhow::Result<()> {
    if backup::is_unfinished(&config.data) {
        bail!(
            "a restore into `{0}` has not ended\n  hint: run the same `picloud restore` again; to begin anew, delete `{0}/restoring`",
            config.data.display()
        );
    }
    Ok(())
}
