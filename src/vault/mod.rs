//! Keeps secrets: sealed in the database, opened in memory.
//!
//! Each value is sealed with XChaCha20-Poly1305 for its name, so none can take the place of another. The key is never in the database. Beside
//! each value stands the fingerprint of its key, so that a wrong key is told and not guessed.
//!
//! Only the process that has the database changes secrets: the node, or a command while no node runs. So what is in memory is true.

mod change;
pub mod dot_env;
mod error;
mod key;
mod memory;
mod problem;

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

pub use self::{
    change::{NewSecret, SetOutcome},
    error::VaultError,
    key::{KEY_FILE, Key, KeyError, KeySource},
};
use self::{
    dot_env::DotEnv,
    memory::{Contents, HeldSecret, Memory},
    problem::problem,
};
use crate::{
    capability::{redact::Redactor, secret::Secrets},
    clock::SharedClock,
    function::grants::secret::SecretName,
    shown::count,
    store::{Store, StoreError},
};

/// Bytes of the largest value.
pub const MAX_VALUE_BYTES: usize = 64 << 10;
/// Secrets that a node keeps at most. All are in memory.
pub const MAX_SECRETS: usize = 1_000;
/// How long the value before is accepted where nobody says otherwise.
pub const KEEP_PREVIOUS: Duration = Duration::from_secs(24 * 3600);

/// The secrets of a node. A cheap handle to be cloned.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    memory: Arc<Memory>,
    source: KeySource,
    /// The key, once there is one. A node that has it goes on if its file is lost.
    key: OnceLock<Key>,
    /// The data folder.
    data: PathBuf,
    clock: SharedClock,
    /// One change at a time.
    changing: tokio::sync::Mutex<()>,
}

/// What is told of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSecret {
    /// Its name.
    pub name: SecretName,
    /// When its value was set, in microseconds since 1970.
    pub set_us: i64,
    /// Until when the value before is accepted; none: it is not.
    pub previous_until_us: Option<i64>,
    /// Whether this node can open it.
    pub is_readable: bool,
}

impl Vault {
    /// Makes the vault of a data folder, which knows nothing before [`load`](Self::load). With a `.env` file, secrets that the database does not
    /// have are taken from there. A key that is none is refused now.
    pub fn new(source: KeySource, data: PathBuf, dot_env: Option<DotEnv>, clock: SharedClock) -> Result<Self, KeyError> {
        let key = source.load(&data)?.map_or_else(OnceLock::new, OnceLock::from);
        let memory = Arc::new(Memory::new(dot_env, clock.clone()));
        Ok(Self(Arc::new(Inner { memory, source, key, data, clock, changing: tokio::sync::Mutex::default() })))
    }

    /// Returns what functions ask.
    pub fn secrets(&self) -> Arc<dyn Secrets> {
        self.0.memory.clone()
    }

    /// Returns what takes the values out of texts.
    pub fn redactor(&self) -> Redactor {
        self.0.memory.redactor().clone()
    }

    /// Reads every secret of the database. Secrets that cannot be opened are a [`problem`](Self::problem) and no error.
    pub async fn load(&self, store: &Store) -> Result<(), StoreError> {
        let _changing = self.0.changing.lock().await;
        self.reload(store).await
    }

    /// Returns why some secrets cannot be opened; none if all can.
    pub fn problem(&self) -> Option<String> {
        self.0.memory.contents().problem.clone()
    }

    /// Says the same in short, for anybody to read.
    pub fn degraded(&self) -> Option<String> {
        let locked = self.list().iter().filter(|secret| !secret.is_readable).count();
        (locked > 0).then(|| format!("{} cannot be opened; `picloud secret list` says why", count(locked, "secret")))
    }

    /// Lists the secrets of the database by name.
    pub fn list(&self) -> Vec<ListedSecret> {
        let now_us = self.0.clock.now_us();
        let summary = |(name, held): (&SecretName, &HeldSecret)| ListedSecret {
            name: name.clone(),
            set_us: held.sealed.set_us,
            previous_until_us: held.sealed.previous.as_ref().map(|previous| previous.until_us).filter(|until_us| now_us < *until_us),
            is_readable: held.opened.is_some(),
        };
        self.0.memory.contents().secrets.iter().map(summary).collect()
    }

    async fn reload(&self, store: &Store) -> Result<(), StoreError> {
        let Inner { memory, source, key, data, clock, .. } = &*self.0;
        if let Err(error) = store.forget_previous_secrets(clock.now_us()).await {
            tracing::debug!("previous values of secrets stay for now: {error}");
        }
        let sealed = store.secrets().await.inspect_err(|_| memory.forget_certainty())?;
        let secrets = sealed.into_iter().map(|sealed| (sealed.name.clone(), HeldSecret::open(sealed, key.get()))).collect();
        let problem = problem(&secrets, key.get(), &source.place(data));
        if let Some(problem) = &problem {
            tracing::error!("secrets cannot be opened: {problem}");
        }
        memory.swap(Contents { is_known: true, secrets, problem });
        Ok(())
    }
}
