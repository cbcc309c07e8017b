//! The key-value store, in the node's own database. Concurrent callers are answered together: reads by one statement, writes by one transaction.

mod expiry;
mod group;
mod ledger;
mod lookup;
mod read;
mod transaction;
mod write;

use async_trait::async_trait;
use tokio::sync::{Notify, watch};

pub use read::NamespaceSize;
pub use write::{KvChange, KvFailure, KvWrite, WriteOutcome};

use self::lookup::Lookup;
use super::{Store, gather::Gathering};
use crate::{
    blocking::as_task,
    capability::kv::{Add, Entry, EntryPage, Key, KeyValue, KvError, Range, Set, SetResult},
    clock::SharedClock,
    function::grants::kv::Namespace,
};

/// What the callers of a store share.
#[derive(Debug, Default)]
pub(super) struct KvShared {
    reads: Gathering<Lookup, Result<Option<Entry>, KvFailure>>,
    writes: Gathering<KvWrite, Result<WriteOutcome, KvFailure>>,
    /// Something that has an end was written.
    pub has_ends: Notify,
}

/// What each namespace may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvLimits {
    /// Keys.
    pub max_keys: u64,
    /// Bytes of keys and values.
    pub max_bytes: u64,
}

impl Default for KvLimits {
    fn default() -> Self {
        Self { max_keys: 1_000_000, max_bytes: 256 << 20 }
    }
}

/// Key-value in the database of the node, once that has been reached.
pub struct StoredKeyValue {
    store: watch::Receiver<Option<Store>>,
    clock: SharedClock,
    limits: KvLimits,
}

impl StoredKeyValue {
    /// Keeps values in this database.
    pub fn new(store: watch::Receiver<Option<Store>>, clock: SharedClock, limits: KvLimits) -> Self {
        Self { store, clock, limits }
    }

    fn store(&self) -> Result<Store, KvError> {
        self.store.borrow().clone().ok_or(KvError::Away)
    }

    async fn write(&self, namespace: &Namespace, key: &Key, change: KvChange) -> Result<WriteOutcome, KvError> {
        let (namespace, key) = (namespace.clone(), key.clone());
        let write = KvWrite { namespace, key, change, now_us: self.clock.now_us(), limits: self.limits, record: None };
        self.store()?.kv_write(write).await.map_err(refusal)
    }
}

#[async_trait]
impl KeyValue for StoredKeyValue {
    async fn get(&self, namespace: &Namespace, key: &Key) -> Result<Option<Entry>, KvError> {
        let (store, now_us) = (self.store()?, self.clock.now_us());
        match store.kv_get_here(namespace, key, now_us) {
            Some(found) => found.map_err(refusal),
            None => store.kv_get(namespace, key, now_us).await.map_err(refusal),
        }
    }

    async fn set(&self, namespace: &Namespace, key: &Key, set: Set) -> Result<SetResult, KvError> {
        let WriteOutcome { is_done, version, .. } = self.write(namespace, key, KvChange::Set(set)).await?;
        Ok(if is_done { SetResult::Done(version) } else { SetResult::Conflict(version) })
    }

    async fn add(&self, namespace: &Namespace, key: &Key, add: Add) -> Result<i64, KvError> {
        Ok(self.write(namespace, key, KvChange::Add(add)).await?.sum)
    }

    async fn delete(&self, namespace: &Namespace, key: &Key) -> Result<bool, KvError> {
        Ok(self.write(namespace, key, KvChange::Delete).await?.is_done)
    }

    async fn list(&self, namespace: &Namespace, range: &Range) -> Result<EntryPage, KvError> {
        let (store, namespace, range, now_us) = (self.store()?, namespace.clone(), range.clone(), self.clock.now_us());
        as_task(async move { store.kv_list(&namespace, &range, now_us).await }).await.map_err(refusal)
    }
}

/// Returns what a script is told. What the database says is for the log.
fn refusal(failure: KvFailure) -> KvError {
    match failure {
        KvFailure::Refused(error) => error,
        KvFailure::Store(error) => {
            tracing::warn!("a function cannot use the key-value store: {}", error.explained());
            KvError::Away
        }
    }
}
