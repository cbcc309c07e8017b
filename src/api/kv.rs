//! The key-value store: its namespaces, and what they hold.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    capability::kv::{Entry, EntryPage, Key, KeyedEntry},
    clock::rfc3339,
    store::kv::NamespaceSize,
};

/// Every namespace that holds something.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct KvNamespaceList {
    /// By name.
    pub namespaces: Vec<KvNamespace>,
}

/// A namespace, and how much it holds. Keys whose time is over count for some minutes more.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct KvNamespace {
    /// Its name.
    pub name: String,
    /// How many keys.
    pub keys: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
}

impl From<NamespaceSize> for KvNamespace {
    fn from(NamespaceSize { namespace, keys, bytes }: NamespaceSize) -> Self {
        Self { name: namespace.to_string(), keys, bytes }
    }
}

/// A page of a namespace, in the order of the bytes of the keys.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct KvPage {
    /// What is kept.
    pub entries: Vec<KvEntry>,
    /// The cursor of the next page; none: this is the last one.
    pub next: Option<String>,
}

impl From<EntryPage> for KvPage {
    fn from(page: EntryPage) -> Self {
        let entries = page.entries.into_iter().map(|KeyedEntry { key, entry }| KvEntry::of(&key, entry)).collect();
        Self { entries, next: page.next.map(|key| key.to_string()) }
    }
}

/// What is kept under a key.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct KvEntry {
    /// Its key.
    pub key: String,
    /// The value: any JSON.
    pub value: Value,
    /// Rises with each write to the key, also after it was deleted.
    pub version: u64,
    /// From when on it is not there; none: it has no end.
    pub expires: Option<String>,
}

impl KvEntry {
    /// Says what there is to know of an entry.
    pub fn of(key: &Key, entry: Entry) -> Self {
        Self { key: key.to_string(), value: entry.value.value(), version: entry.version, expires: entry.expires_us.map(rfc3339) }
    }
}

/// A value that was kept just now.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct KvStored {
    /// The version that its key has now.
    pub version: u64,
}
