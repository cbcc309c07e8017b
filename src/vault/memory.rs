//! The secrets as they are in memory: opened, and swapped as a whole when one changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use arc_swap::ArcSwap;

use super::{
    dot_env::{DotEnv, Values},
    key::Key,
};
use crate::{
    capability::{
        redact::Redactor,
        secret::{NoSecret, SecretValues, Secrets},
    },
    clock::SharedClock,
    function::grants::secret::SecretName,
    secret::Secret,
    store::SealedSecret,
};

/// What functions ask.
pub struct Memory {
    contents: ArcSwap<Contents>,
    dot_env: Option<DotEnv>,
    clock: SharedClock,
    redactor: Redactor,
}

/// Every secret of the database.
#[derive(Default)]
pub struct Contents {
    /// Whether the database has been read.
    pub is_known: bool,
    /// By name.
    pub secrets: BTreeMap<SecretName, HeldSecret>,
    /// Why some of them cannot be opened.
    pub problem: Option<String>,
}

/// A secret of the database.
#[derive(Clone)]
pub struct HeldSecret {
    /// As it is kept.
    pub sealed: SealedSecret,
    /// Its values; none if they cannot be opened.
    pub opened: Option<OpenedSecret>,
}

/// The values of a secret.
#[derive(Clone)]
pub struct OpenedSecret {
    pub current: Arc<Secret>,
    /// The value before, and until when it is accepted.
    pub previous: Option<(Arc<Secret>, i64)>,
}

impl HeldSecret {
    /// Opens a secret as far as this key can.
    pub fn open(sealed: SealedSecret, key: Option<&Key>) -> Self {
        let key = key.filter(|key| key.fingerprint().as_str() == sealed.sealed_by);
        let open = |value: &[u8]| key?.open(&sealed.name, value).map(Arc::new);
        let opened = open(&sealed.value).map(|current| {
            let previous = sealed.previous.as_ref().and_then(|previous| Some((open(&previous.value)?, previous.until_us)));
            OpenedSecret { current, previous }
        });
        Self { sealed, opened }
    }
}

impl OpenedSecret {
    fn at(&self, now_us: i64) -> SecretValues {
        let previous = self.previous.as_ref().filter(|(_, until_us)| now_us < *until_us);
        SecretValues { current: self.current.clone(), previous: previous.map(|(value, _)| value.clone()) }
    }
}

impl Memory {
    /// Knows nothing of the database yet.
    pub fn new(dot_env: Option<DotEnv>, clock: SharedClock) -> Self {
        let memory = Self { contents: ArcSwap::default(), dot_env, clock, redactor: Redactor::default() };
        memory.dot_env_values();
        memory
    }

    /// Returns what is known now.
    pub fn contents(&self) -> Arc<Contents> {
        self.contents.load_full()
    }

    /// Replaces all that is known.
    pub fn swap(&self, contents: Contents) {
        let contents = Arc::new(contents);
        // First what is to be taken out of logs: nobody can log a value before that.
        self.tell_redactor(&contents, &self.dot_env_values());
        self.contents.store(contents);
    }

    /// Keeps what is known, which may have changed in the database.
    pub fn forget_certainty(&self) {
        let Contents { secrets, problem, .. } = &*self.contents();
        self.swap(Contents { is_known: false, secrets: secrets.clone(), problem: problem.clone() });
    }

    /// Returns what takes the values out of texts.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    fn dot_env_values(&self) -> Arc<Values> {
        let Some(dot_env) = &self.dot_env else { return Arc::default() };
        let (values, has_changed) = dot_env.values();
        if has_changed {
            self.tell_redactor(&self.contents.load(), &values);
        }
        values
    }

    fn tell_redactor(&self, contents: &Contents, values: &Values) {
        let opened = contents.secrets.iter().filter_map(|(name, held)| Some((name, held.opened.as_ref()?)));
        let kept = opened.flat_map(|(name, opened)| {
            let previous = opened.previous.iter().map(|(value, _)| value);
            previous.chain([&opened.current]).map(move |value| (name, value))
        });
        self.redactor.know(kept.chain(values));
    }
}

impl Secrets for Memory {
    fn get(&self, name: &SecretName) -> Result<SecretValues, NoSecret> {
        let contents = self.contents.load();
        if let Some(held) = contents.secrets.get(name) {
            let opened = held.opened.as_ref().ok_or_else(|| NoSecret::Locked(name.clone()))?;
            return Ok(opened.at(self.clock.now_us()));
        }
        match self.dot_env_values().get(name) {
            Some(value) => Ok(SecretValues { current: value.clone(), previous: None }),
            None if contents.is_known => Err(NoSecret::NotSet(name.clone())),
            None => Err(NoSecret::NotKnown(name.clone())),
        }
    }

    fn names(&self) -> BTreeSet<SecretName> {
        self.contents.load().secrets.keys().chain(self.dot_env_values().keys()).cloned().collect()
    }
}
