//! A write to the key-value store, and what it came to.

use std::sync::Arc;

use serde_json::json;

use super::KvLimits;
use crate::{
    audit::{Action, Actor, Record},
    capability::kv::{Add, Key, KvError, Set},
    function::grants::kv::Namespace,
    store::StoreError,
};

/// A write, and within which bounds.
#[derive(Debug, Clone)]
pub struct KvWrite {
    /// Where the key is.
    pub namespace: Namespace,
    /// What is written to.
    pub key: Key,
    /// What is done.
    pub change: KvChange,
    /// The time, in microseconds since 1970.
    pub now_us: i64,
    /// What the namespace may hold.
    pub limits: KvLimits,
    /// Written to the audit log in the same transaction, if something is changed.
    pub record: Option<Record>,
}

/// What a write does.
#[derive(Debug, Clone)]
pub enum KvChange {
    /// Keeps a value.
    Set(Set),
    /// Adds to a number.
    Add(Add),
    /// Removes the key.
    Delete,
}

impl KvChange {
    /// Returns the word for it in the audit log.
    fn action(&self) -> Action {
        match self {
            Self::Set(_) | Self::Add(_) => Action::KvSet,
            Self::Delete => Action::KvDelete,
        }
    }
}

impl KvWrite {
    /// Returns a write that the audit log has an entry of: where, and not what.
    pub fn of_operator(actor: &Actor, namespace: &Namespace, key: &Key, change: KvChange, now_us: i64, limits: KvLimits) -> Self {
        let record = actor.does(change.action(), now_us, json!({ "namespace": namespace, "key": key }));
        Self { namespace: namespace.clone(), key: key.clone(), change, now_us, limits, record: Some(record) }
    }

    /// Returns bytes that it may add to its namespace.
    pub(super) fn most_bytes(&self) -> i64 {
        let value = match &self.change {
            KvChange::Set(set) => set.value.as_str().len(),
            KvChange::Add(_) => LONGEST_NUMBER,
            KvChange::Delete => return 0,
        };
        (self.key.as_str().len() + value) as i64
    }

    /// Returns when what it writes ends, if it does.
    pub(super) fn has_end(&self) -> bool {
        match &self.change {
            KvChange::Set(set) => set.ttl.is_some(),
            KvChange::Add(add) => add.ttl.is_some(),
            KvChange::Delete => false,
        }
    }
}

/// Characters of a number of 64 bits, with its sign.
pub(super) const LONGEST_NUMBER: usize = 20;

/// What a write came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriteOutcome {
    /// Whether something was changed: not where the key has another version than was wanted, or is not there to be removed.
    pub is_done: bool,
    /// The version that the key has now; 0: it is not there.
    pub version: u64,
    /// The sum, if something was added.
    pub sum: i64,
}

/// Why something was not done, or perhaps not.
#[derive(Debug, Clone, thiserror::Error)]
pub enum KvFailure {
    /// It cannot be done.
    #[error(transparent)]
    Refused(#[from] KvError),
    /// The database failed. A write may have been done all the same, if only the answer was lost.
    #[error("{}", .0.explained())]
    Store(Arc<StoreError>),
}

impl From<StoreError> for KvFailure {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}
