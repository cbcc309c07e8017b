//! `picloud secret list`: names, times and users, and no values.

use std::{collections::BTreeMap, sync::Arc};

use clap::Args;

use crate::{
    api::secrets::{SecretList, SecretSummary},
    cli::{exit::Exit, output, records::ListForm, target::NodeArgs},
    clock::SystemClock,
    config::Config,
    function::{FunctionName, Role, grants::secret::SecretName, tree_settings::TreeSettings},
    store::Store,
    vault::Vault,
};

/// `picloud secret list`
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    form: ListForm,
}

impl List {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let SecretList { secrets, problem } = match self.node.find()? {
            Some(client) => client.read("/api/admin/secrets")?,
            None => {
                let configured = &self.node.configured;
                let config = configured.load()?;
                configured.with_store(&config, async |store| read(&store, &config).await)?
            }
        };
        problem.into_iter().for_each(output::tell);
        self.form.list(&secrets, |secret| secret, ["NAME", "SET", "PREVIOUS UNTIL", "USED BY", ""], row)
    }
}

fn row(secret: &SecretSummary) -> [String; 5] {
    let users: Vec<&str> = secret.used_by.iter().map(FunctionName::as_str).collect();
    [
        secret.name.to_string(),
        secret.set.clone(),
        secret.previous_until.clone().unwrap_or_default(),
        users.join(", "),
        if secret.is_readable { String::new() } else { "cannot be opened".into() },
    ]
}

/// Reads the secrets of a database.
async fn read(store: &Store, config: &Config) -> anyhow::Result<SecretList> {
    let vault = Vault::new(config.secret_key.clone(), config.data.clone(), None, Arc::new(SystemClock))?;
    vault.load(store).await?;
    let mut users = users_in(store, config).await?;
    let secrets = vault.list().into_iter().map(|secret| {
        let users = users.remove(&secret.name).unwrap_or_default();
        SecretSummary::of(secret, users)
    });
    Ok(SecretList { secrets: secrets.collect(), problem: vault.problem() })
}

/// Returns which live functions of a database name which secrets.
pub async fn users_in(store: &Store, config: &Config) -> anyhow::Result<BTreeMap<SecretName, Vec<FunctionName>>> {
    let mut users: BTreeMap<SecretName, Vec<FunctionName>> = BTreeMap::new();
    let Some((_, tree)) = store.live().await? else { return Ok(users) };
    let settings = TreeSettings::of(&config.limits, &tree);
    for file in tree.keys().filter(|file| Role::of(file).is_some_and(Role::is_function)) {
        for secret in settings.manifest(file).map(|manifest| &*manifest.grants.secrets).unwrap_or_default() {
            users.entry(secret.clone()).or_default().extend(FunctionName::of_file(file));
        }
    }
    Ok(users)
}
