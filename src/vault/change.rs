//! Changes of secrets: in the database and the audit log first, then in memory.

use std::{sync::Arc, time::Duration};

use serde_json::json;

use super::{
    Inner, KEEP_PREVIOUS, MAX_SECRETS, MAX_VALUE_BYTES, Vault, VaultError,
    key::Key,
    memory::{Contents, HeldSecret},
};
use crate::{
    audit::{Action, Actor, Record},
    clock::rfc3339,
    function::grants::secret::SecretName,
    secret::Secret,
    store::{PreviousValue, SealedSecret, Store},
};

/// A value that a secret is to have.
#[derive(Debug, Clone)]
pub struct NewSecret {
    /// Whose.
    pub name: SecretName,
    /// Which.
    pub value: Secret,
}

/// What became of the value of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetOutcome {
    /// There was no such secret.
    Created,
    /// It has another value than before.
    Changed,
    /// It had this value.
    Unchanged,
}

impl Vault {
    /// Sets secrets: all, or none. Values that they had are accepted for `keep` longer (none: a day), and not at all if that is zero.
    ///
    /// Returns what became of each, in the same order.
    pub async fn set(&self, store: &Store, new: Vec<NewSecret>, keep: Option<Duration>, by: &Actor) -> Result<Vec<SetOutcome>, VaultError> {
        new.iter().try_for_each(check)?;
        let (store, by) = (store.clone(), by.clone());
        self.to_the_end(async move |vault| {
            let contents = vault.known(&store).await?;
            let key = vault.key(&contents)?;
            let change = Change { key: &key, now_us: vault.0.clock.now_us(), keep: keep.unwrap_or(KEEP_PREVIOUS) };
            let (outcomes, sealed): (Vec<_>, Vec<_>) = new.iter().map(|new| change.seal(new, contents.secrets.get(&new.name))).unzip();
            let sealed: Vec<SealedSecret> = sealed.into_iter().flatten().collect();
            if sealed.is_empty() {
                return Ok(outcomes);
            }
            let created = outcomes.iter().filter(|outcome| **outcome == SetOutcome::Created).count();
            if contents.secrets.len() + created > MAX_SECRETS {
                return Err(VaultError::TooMany);
            }
            vault.put(&store, sealed, &change.record(&outcomes, &new, &by)).await?;
            Ok(outcomes)
        })
        .await
    }

    /// Ends the rotation of a secret: the value before is not accepted any more. Returns whether one was.
    pub async fn end_rotation(&self, store: &Store, name: &SecretName, by: &Actor) -> Result<bool, VaultError> {
        let (store, name, by) = (store.clone(), name.clone(), by.clone());
        self.to_the_end(async move |vault| {
            let contents = vault.known(&store).await?;
            let held = contents.secrets.get(&name).ok_or_else(|| VaultError::Unknown(name.clone()))?;
            let now_us = vault.0.clock.now_us();
            if held.sealed.previous.as_ref().is_none_or(|previous| previous.until_us <= now_us) {
                return Ok(false);
            }
            let record = by.does(Action::SecretFinal, now_us, json!({ "name": name }));
            vault.put(&store, vec![SealedSecret { previous: None, ..held.sealed.clone() }], &record).await?;
            Ok(true)
        })
        .await
    }

    /// Removes secrets: all, or none if one of them is not there. Needs no key.
    pub async fn remove(&self, store: &Store, names: Vec<SecretName>, by: &Actor) -> Result<(), VaultError> {
        let (store, by) = (store.clone(), by.clone());
        self.to_the_end(async move |vault| {
            let contents = vault.known(&store).await?;
            if let Some(unknown) = names.iter().find(|name| !contents.secrets.contains_key(name)) {
                return Err(VaultError::Unknown(unknown.clone()));
            }
            let record = by.does(Action::SecretRemove, vault.0.clock.now_us(), json!({ "names": names }));
            let removed = store.remove_secrets(&names, &record).await;
            let reloaded = vault.reload(&store).await;
            removed?;
            Ok(reloaded?)
        })
        .await
    }

    /// Makes a change in a task of its own: who asked may leave, and what is in the database is then in memory all the same.
    async fn to_the_end<T, F>(&self, change: impl FnOnce(Self) -> F + Send + 'static) -> Result<T, VaultError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, VaultError>> + Send,
    {
        let vault = self.clone();
        let changing = tokio::spawn(async move {
            let inner = vault.0.clone();
            let _changing = inner.changing.lock().await;
            change(vault).await
        });
        changing.await.expect("a change does not panic, and nobody ends it")
    }

    /// Returns what is known, and reads it first if nothing is.
    async fn known(&self, store: &Store) -> Result<Arc<Contents>, VaultError> {
        if !self.0.memory.contents().is_known {
            self.reload(store).await?;
        }
        Ok(self.0.memory.contents())
    }

    /// Returns the key to seal with. One is made only where there is nothing that another key has sealed.
    fn key(&self, contents: &Contents) -> Result<Key, VaultError> {
        let Inner { source, data, key, .. } = &*self.0;
        // A value that is damaged keeps nobody from changing others, or from setting it anew.
        let is_of_other_key =
            |held: &HeldSecret| held.opened.is_none() && key.get().is_none_or(|key| key.fingerprint().as_str() != held.sealed.sealed_by);
        if let Some(problem) = contents.problem.as_ref().filter(|_| contents.secrets.values().any(is_of_other_key)) {
            return Err(VaultError::Locked(problem.clone()));
        }
        let found = if contents.secrets.is_empty() { Some(source.load_or_make(data)?) } else { source.load(data)? };
        // What is sealed with a key whose file is lost is lost at the next start.
        let is_known = |found: &Key| key.get_or_init(|| found.clone()).fingerprint() == found.fingerprint();
        found.filter(is_known).ok_or_else(|| {
            VaultError::Locked(format!("{} is not the key any more that the node started with\n  hint: put it back", source.place(data)))
        })
    }

    /// Writes secrets. Then the memory is what the database is, also where it is not clear whether they were written.
    async fn put(&self, store: &Store, sealed: Vec<SealedSecret>, record: &Record) -> Result<(), VaultError> {
        let written = store.put_secrets(&sealed, record).await;
        let reloaded = self.reload(store).await;
        written?;
        Ok(reloaded?)
    }
}

/// Refuses a value that cannot be one.
fn check(NewSecret { name, value }: &NewSecret) -> Result<(), VaultError> {
    match value.expose().len() {
        0 => Err(VaultError::Empty(name.clone())),
        length if length > MAX_VALUE_BYTES => Err(VaultError::TooLong(name.clone())),
        _ => Ok(()),
    }
}

/// How values are changed.
struct Change<'a> {
    key: &'a Key,
    now_us: i64,
    keep: Duration,
}

impl Change<'_> {
    /// Returns what is to be kept of a new value; none if the secret has it.
    fn seal(&self, new: &NewSecret, held: Option<&HeldSecret>) -> (SetOutcome, Option<SealedSecret>) {
        let is_same = held.and_then(|held| held.opened.as_ref()).is_some_and(|opened| *opened.current == new.value);
        if is_same {
            return (SetOutcome::Unchanged, None);
        }
        let previous = held.filter(|held| self.keep > Duration::ZERO && held.opened.is_some());
        let sealed = SealedSecret {
            name: new.name.clone(),
            sealed_by: self.key.fingerprint().to_string(),
            value: self.key.seal(&new.name, &new.value),
            set_us: self.now_us,
            previous: previous.map(|held| PreviousValue { value: held.sealed.value.clone(), until_us: self.until_us() }),
        };
        (if held.is_some() { SetOutcome::Changed } else { SetOutcome::Created }, Some(sealed))
    }

    fn until_us(&self) -> i64 {
        self.now_us.saturating_add(i64::try_from(self.keep.as_micros()).unwrap_or(i64::MAX))
    }

    fn record(&self, outcomes: &[SetOutcome], new: &[NewSecret], by: &Actor) -> Record {
        let named = |wanted| -> Vec<&SecretName> {
            new.iter().zip(outcomes).filter(|(_, outcome)| **outcome == wanted).map(|(new, _)| &new.name).collect()
        };
        let (created, changed) = (named(SetOutcome::Created), named(SetOutcome::Changed));
        let until = (!changed.is_empty() && self.keep > Duration::ZERO).then(|| rfc3339(self.until_us()));
        by.does(Action::SecretSet, self.now_us, json!({ "created": created, "changed": changed, "previous_until": until }))
    }
}
