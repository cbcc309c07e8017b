//! `picloud secret list`: names, times and users, and no values.

use std::{collections::BTreeMap, sync::Arc};

use clap::Args;

use crate::{
    api::secrets::{SecretList, SecretSummary, Setters, WantedSecret},
    cli::{exit::Exit, output, records::ListForm, target::NodeArgs},
    clock::SystemClock,
    config::Config,
    function::{FunctionName, Role, grants::secret::SecretName, tree_settings::TreeSettings},
    store::Store,
    vault::{ListedSecret, Vault},
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
        let SecretList { secrets, wanted, problem } = match self.node.find()? {
            Some(client) => client.read("/api/admin/secrets")?,
            None => {
                let configured = &self.node.configured;
                let config = configured.load()?;
                configured.with_store(&config, async |store| read(&store, &config).await)?
            }
        };
        problem.into_iter().for_each(output::tell);
        for WantedSecret { name, wanted_by } in wanted {
            output::tell(format!("`{name}` is not set, and wanted by {}\n  hint: `picloud secret set {name}`", names(&wanted_by)));
        }
        self.form.list(&secrets, |secret| secret, ["NAME", "SET", "BY", "PREVIOUS UNTIL", "USED BY", ""], row)
    }
}

fn row(secret: &SecretSummary) -> [String; 6] {
    [
        secret.name.to_string(),
        secret.set.clone(),
        secret.set_by.clone().unwrap_or_default(),
        secret.previous_until.clone().unwrap_or_default(),
        names(&secret.used_by),
        if secret.is_readable { String::new() } else { "cannot be opened".into() },
    ]
}

fn names(functions: &[FunctionName]) -> String {
    functions.iter().map(FunctionName::as_str).collect::<Vec<_>>().join(", ")
}

/// Reads the secrets of a database.
async fn read(store: &Store, config: &Config) -> anyhow::Result<SecretList> {
    let vault = Vault::new(config.secret_key.clone(), config.data.clone(), None, Arc::new(SystemClock))?;
    vault.load(store).await?;
    let mut users = users_in(store, config).await?;
    let setters = store.audit(&Setters::filter()).await?.into_iter().collect();
    let summary = |secret: ListedSecret| {
        let users = users.remove(&secret.name).unwrap_or_default();
        SecretSummary::of(secret, users, &setters)
    };
    let secrets = vault.list().into_iter().map(summary).collect();
    // Whoever is left uses what is not there.
    Ok(SecretList { secrets, wanted: users.into_iter().map(Into::into).collect(), problem: vault.problem() })
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
