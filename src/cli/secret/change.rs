//! Changes of secrets: by a node, or on the database while no node uses it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::bail;

use super::{list::users_in, tell};
use crate::{
    api::secrets::{SecretOrder, SecretText},
    audit::{Actor, Origin},
    capability::redact::SHORTEST_REDACTED,
    cli::{
        client::{Client, path_segment, understood},
        config_args::ConfigArgs,
        exit::Exit,
        target::ChangeArgs,
    },
    clock::SystemClock,
    config::Config,
    function::grants::secret::SecretName,
    store::Store,
    user,
    vault::{NewSecret, Vault},
};

/// Where secrets are changed.
pub enum Keeper<'a> {
    /// By a node, which then knows them at once.
    Node(Client),
    /// In the database that the configuration names.
    Database(&'a ConfigArgs, Box<Config>),
}

impl<'a> Keeper<'a> {
    /// Finds it. What is to be done fits before `on URL?`.
    pub fn find(node: &'a ChangeArgs, change: &str) -> anyhow::Result<Self> {
        let configured = &node.node.configured;
        Ok(match node.find(change)? {
            Some(client) => Self::Node(client),
            None => Self::Database(configured, Box::new(configured.load()?)),
        })
    }

    /// Sets secrets, and tells what became of them.
    pub fn set(&self, new: Vec<NewSecret>, keep: Option<Duration>) -> anyhow::Result<Exit> {
        let is_short = |new: &&NewSecret| new.value.expose().trim().len() < SHORTEST_REDACTED;
        let short: Vec<SecretName> = new.iter().filter(is_short).map(|new| new.name.clone()).collect();
        let changes = match self {
            Self::Node(client) => {
                let values = new.into_iter().map(|new| (new.name, SecretText(new.value.expose().into()))).collect();
                let keep_previous = keep.map(|keep| humantime::format_duration(keep).to_string());
                let order = serde_json::to_vec(&SecretOrder { values, keep_previous })?;
                understood(client.put("/api/admin/secrets", "application/json", &order)?)?
            }
            Self::Database(configured, config) => {
                let names: Vec<SecretName> = new.iter().map(|new| new.name.clone()).collect();
                let set = async |store: &Store, vault: Vault| Ok(vault.set(store, new, keep, &actor()).await?);
                names.into_iter().zip(with_vault(configured, config, set)?).collect()
            }
        };
        tell(&changes, &short);
        Ok(Exit::Done)
    }

    /// Ends the rotation of a secret.
    pub fn end_rotation(&self, name: &SecretName) -> anyhow::Result<()> {
        match self {
            Self::Node(client) => client.delete(&format!("{}/previous", path(name))).map(drop),
            Self::Database(configured, config) => with_vault(configured, config, async |store: &Store, vault: Vault| {
                Ok(vault.end_rotation(store, name, &actor()).await.map(drop)?)
            }),
        }
    }

    /// Removes secrets; those that live functions use only with `force`.
    pub fn remove(&self, names: &[SecretName], force: bool) -> anyhow::Result<()> {
        match self {
            Self::Node(client) => names.iter().try_for_each(|name| client.delete(&format!("{}?force={force}", path(name))).map(drop)),
            Self::Database(configured, config) => with_vault(configured, config, async |store: &Store, vault: Vault| {
                must_be_unused(store, config, names, force).await?;
                Ok(vault.remove(store, names.to_vec(), &actor()).await?)
            }),
        }
    }
}

/// Opens the database alone, and what it has of secrets.
fn with_vault<T>(
    configured: &ConfigArgs,
    config: &Config,
    change: impl AsyncFnOnce(&Store, Vault) -> Result<T, anyhow::Error>,
) -> anyhow::Result<T> {
    configured.with_store_alone(config, async |store| {
        let vault = Vault::new(config.secret_key.clone(), config.data.clone(), None, Arc::new(SystemClock))?;
        change(store, vault).await
    })
}

async fn must_be_unused(store: &Store, config: &Config, names: &[SecretName], force: bool) -> anyhow::Result<()> {
    let used = if force { BTreeMap::new() } else { users_in(store, config).await? };
    if let Some((name, users)) = names.iter().find_map(|name| used.get_key_value(name)) {
        let users: Vec<String> = users.iter().map(|user| format!("`{user}`")).collect();
        bail!(
            "live functions use the secret `{name}`: {}\n  hint: change them first, or add `--force`: they then fail when they ask for it",
            users.join(", ")
        );
    }
    Ok(())
}

fn path(name: &SecretName) -> String {
    format!("/api/admin/secrets/{}", path_segment(name.as_str()))
}

/// Names whoever runs this command.
fn actor() -> Actor {
    Actor { who: user::name(), origin: Origin::Cli }
}
