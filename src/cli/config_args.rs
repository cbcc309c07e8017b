//! The options that say where a node's configuration comes from, and the database that it names.

use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt as _, path::PathBuf, time::Duration};

use anyhow::{anyhow, bail};
use clap::Args;
use rustix::fs::Mode;

use super::output;
use crate::{
    clock::monotonic,
    config::{Config, Overrides},
    secret::Secret,
    store::{Lease, Store, StoreError},
    vault::KeySource,
};

/// The heading of what most commands take.
pub const NODE_OPTIONS: &str = "Node options";

/// Where the configuration comes from.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// Configuration file [default: picloud.toml, if there is one]
    #[arg(long, env = "PICLOUD_CONFIG", value_name = "FILE", help_heading = NODE_OPTIONS)]
    pub config: Option<PathBuf>,
    /// Folder of functions
    #[arg(long, env = "PICLOUD_FUNCTIONS", value_name = "DIR", help_heading = NODE_OPTIONS)]
    pub functions: Option<PathBuf>,
    /// Folder for the node's own files
    #[arg(long, alias = "data-dir", env = "PICLOUD_DATA", value_name = "DIR", help_heading = NODE_OPTIONS)]
    pub data: Option<PathBuf>,
    /// Database: `sqlite`, `sqlite:PATH` or `postgres://…`; a URL with a password belongs into the environment
    #[arg(long, env = "PICLOUD_DATABASE_URL", value_name = "URL", hide_env_values = true, help_heading = NODE_OPTIONS)]
    pub database: Option<String>,
}

impl ConfigArgs {
    /// Returns what wins over the configuration file.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            functions: self.functions.clone(),
            data: self.data.clone(),
            database_url: self.database.clone(),
            git_token: secret("PICLOUD_GIT_TOKEN"),
            webhook_secret: secret("PICLOUD_WEBHOOK_SECRET"),
            secret_key: secret_key(),
            ..Overrides::default()
        }
    }

    /// Returns whether it says where a node keeps what it knows.
    pub fn names_a_place(&self) -> bool {
        self.config.is_some() || self.data.is_some() || self.database.is_some()
    }

    /// Returns whether a configuration file was named.
    pub fn names_settings(&self) -> bool {
        self.config.is_some()
    }

    /// Returns the options with which another command means the same node, for hints to be pasted.
    pub fn again(&self) -> String {
        let options = [("--config", &self.config), ("--data", &self.data)].into_iter();
        options.filter_map(|(name, path)| Some(format!(" {name} {}", output::shell(&path.as_ref()?.display().to_string())))).collect()
    }

    /// Reads the configuration.
    pub fn load(&self) -> anyhow::Result<Config> {
        Ok(Config::load(self.config.as_deref(), self.overrides())?)
    }

    /// Reads from the database that the configuration names.
    pub fn with_store<T>(&self, config: &Config, read: impl AsyncFnOnce(Store) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let store = Store::open_read_only(&config.database_url, &config.data).await.map_err(or_elsewhere)?;
            read(store).await
        })
    }

    /// Changes the database that the configuration names, whether a node uses it or not.
    pub fn with_writable_store<T>(&self, config: &Config, change: impl AsyncFnOnce(&Store) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let store = Store::open_existing(&config.database_url, &config.data).await.map_err(or_elsewhere)?;
            let changed = change(&store).await;
            store.close().await;
            changed
        })
    }

    /// Changes the database that the configuration names while no node uses it. What is made on the way is its user's alone.
    pub fn with_store_alone<T>(&self, config: &Config, change: impl AsyncFnOnce(&Store) -> anyhow::Result<T>) -> anyhow::Result<T> {
        rustix::process::umask(Mode::RWXG | Mode::RWXO);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (store, lease) = take_alone(config).await?;
            let changed = change(&store).await;
            store.close().await;
            drop(lease);
            changed
        })
    }
}

/// How long a command waits until another one has left the database.
const IN_USE_PATIENCE: Duration = Duration::from_secs(3);
const IN_USE_PAUSE: Duration = Duration::from_millis(50);

/// Takes a database as a node does: alone, and made if it is not there.
async fn take_alone(config: &Config) -> anyhow::Result<(Store, Lease)> {
    DirBuilder::new().recursive(true).mode(0o700).create(&config.data)?;
    let began = monotonic();
    loop {
        match Store::open_as_node(&config.database_url, &config.data, &format!("command {}", std::process::id())).await {
            Err(StoreError::InUse { .. }) if began.elapsed() < IN_USE_PATIENCE => tokio::time::sleep(IN_USE_PAUSE).await,
            Err(error @ StoreError::InUse { .. }) => {
                let said = error.to_string();
                let said = said.split_once("\n  hint: ").map_or(&*said, |(said, _)| said);
                bail!("{said}\n  hint: name that node with `--url`: it has to know of the change")
            }
            opened => return Ok(opened?),
        }
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

/// Returns where the environment says that the key of the secrets is.
fn secret_key() -> Option<KeySource> {
    let file = || std::env::var_os("PICLOUD_SECRET_KEY_FILE").filter(|path| !path.is_empty());
    secret("PICLOUD_SECRET_KEY").map(KeySource::Given).or_else(|| file().map(|path| KeySource::File(path.into())))
}

/// Returns a secret of the environment; an empty one is none.
pub fn secret(variable: &str) -> Option<Secret> {
    std::env::var(variable).ok().filter(|text| !text.is_empty()).map(Secret::new)
}
