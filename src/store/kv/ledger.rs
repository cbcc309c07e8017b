//! What the writes of one transaction make of one namespace: every rule, and no database.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    KvLimits,
    write::{KvChange, KvWrite, WriteOutcome},
};
use crate::{
    capability::kv::{Add, Json, Key, KvError, MAX_VERSION, Set},
    function::grants::kv::Namespace,
    store::executions::signed,
};

/// What a namespace holds, rows whose time is over among it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// How many keys.
    pub keys: i64,
    /// Bytes of keys and values.
    pub bytes: i64,
}

/// The row of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Bytes of the value.
    pub bytes: i64,
    /// The value, if it is a whole number.
    pub number: Option<i64>,
    pub version: i64,
    pub expires_us: Option<i64>,
    /// The value, if it was written here.
    pub value: Option<Json>,
}

/// A namespace, and those of its rows that are written to.
pub struct Ledger {
    namespace: Namespace,
    before: Size,
    size: Size,
    last_version: i64,
    rows: BTreeMap<Key, KeyRow>,
    /// Keys whose rows may be in the database, and are no longer here.
    removed: BTreeSet<Key>,
}

impl Ledger {
    /// Takes a namespace as the database has it. Versions go on from `last_version`.
    pub fn new(namespace: Namespace, size: Size, last_version: i64, rows: BTreeMap<Key, KeyRow>) -> Self {
        Self { namespace, before: size, size, last_version, rows, removed: BTreeSet::new() }
    }

    /// Returns whose rows these are.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Does what is asked, or says why not.
    pub fn apply(&mut self, write: &KvWrite) -> Result<WriteOutcome, KvError> {
        // What is over is not there, though it takes its room.
        let kept = self.rows.get(&write.key).filter(|kept| kept.expires_us.is_none_or(|end| end > write.now_us)).cloned();
        match &write.change {
            KvChange::Set(set) => self.set(write, set, kept.map_or(0, |kept| kept.version)),
            KvChange::Add(add) => self.add(write, add, kept),
            KvChange::Delete => {
                self.remove(&write.key);
                Ok(WriteOutcome { is_done: kept.is_some(), ..WriteOutcome::default() })
            }
        }
    }

    fn set(&mut self, write: &KvWrite, set: &Set, version: i64) -> Result<WriteOutcome, KvError> {
        if let Some(wanted) = set.if_version.filter(|wanted| *wanted > MAX_VERSION) {
            return Err(KvError::Version(wanted));
        }
        if set.if_version.is_some_and(|wanted| wanted != version.unsigned_abs()) {
            return Ok(WriteOutcome { version: version.unsigned_abs(), ..WriteOutcome::default() });
        }
        self.put(write, set.value.clone(), set.ttl.map(|ttl| ttl.end_us(write.now_us)))
    }

    fn add(&mut self, write: &KvWrite, add: &Add, kept: Option<KeyRow>) -> Result<WriteOutcome, KvError> {
        let (number, expires_us) = match kept {
            None => (0, add.ttl.map(|ttl| ttl.end_us(write.now_us))),
            Some(kept) => (kept.number.ok_or_else(|| KvError::NotInteger(write.key.clone()))?, kept.expires_us),
        };
        let sum = number.checked_add(add.delta).ok_or_else(|| KvError::SumTooLarge(write.key.clone()))?;
        let outcome = self.put(write, sum.to_string().parse()?, expires_us)?;
        Ok(WriteOutcome { sum, ..outcome })
    }

    fn put(&mut self, write: &KvWrite, value: Json, expires_us: Option<i64>) -> Result<WriteOutcome, KvError> {
        let bytes = value.as_str().len() as i64;
        let before = self.rows.get(&write.key).map_or(Size::default(), |kept| size_of(&write.key, kept.bytes));
        let after = size_of(&write.key, bytes);
        let size = Size { keys: self.size.keys + after.keys - before.keys, bytes: self.size.bytes + after.bytes - before.bytes };
        self.must_fit(size, write.limits)?;
        self.size = size;
        self.last_version += 1;
        let kept = KeyRow { bytes, number: value.as_str().parse().ok(), version: self.last_version, expires_us, value: Some(value) };
        self.rows.insert(write.key.clone(), kept);
        self.removed.remove(&write.key);
        Ok(WriteOutcome { is_done: true, version: self.last_version.unsigned_abs(), sum: 0 })
    }

    /// Refuses what makes a full namespace larger. What makes it smaller is always allowed.
    fn must_fit(&self, size: Size, limits: KvLimits) -> Result<(), KvError> {
        let namespace = || self.namespace.clone();
        if size.keys > self.size.keys && size.keys > signed(limits.max_keys) {
            return Err(KvError::TooManyKeys { namespace: namespace(), limit: limits.max_keys });
        }
        if size.bytes > self.size.bytes && size.bytes > signed(limits.max_bytes) {
            return Err(KvError::TooManyBytes { namespace: namespace(), limit: limits.max_bytes });
        }
        Ok(())
    }

    fn remove(&mut self, key: &Key) {
        if let Some(kept) = self.rows.remove(key) {
            let gone = size_of(key, kept.bytes);
            self.size = Size { keys: self.size.keys - gone.keys, bytes: self.size.bytes - gone.bytes };
            self.removed.insert(key.clone());
        }
    }

    /// Returns the rows to write: key, value, version and end.
    pub fn written(&self) -> Vec<(&str, &str, i64, Option<i64>)> {
        let rows = self.rows.iter().filter_map(|(key, kept)| Some((key, kept, kept.value.as_ref()?)));
        rows.map(|(key, kept, value)| (key.as_str(), value.as_str(), kept.version, kept.expires_us)).collect()
    }

    /// Returns the keys whose rows go.
    pub fn removed(&self) -> Vec<&str> {
        self.removed.iter().map(Key::as_str).collect()
    }

    /// Returns what the namespace holds after it, if that is another size than before.
    pub fn new_size(&self) -> Option<Size> {
        (self.size != self.before).then_some(self.size)
    }
}

/// Returns what a row counts for.
pub fn size_of(key: &Key, value_bytes: i64) -> Size {
    Size { keys: 1, bytes: key.as_str().len() as i64 + value_bytes }
}
