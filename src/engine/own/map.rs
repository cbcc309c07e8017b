//! Object maps.

use std::collections::BTreeMap;

use super::{Cache, Value};
use crate::engine::value::sizes::Sizes;

/// The entries of an object map, with their sizes.
#[derive(Clone, Default)]
pub struct Map {
    entries: BTreeMap<String, Value>,
    /// Of the map with all that is in it.
    sizes: Sizes,
}

impl Map {
    /// Returns how many entries it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the sizes of the map with all that is in it.
    #[inline(always)]
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Returns the value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.get(key)
    }

    /// Returns the value of a key. The cache belongs to the place in the script that asks, always for the same key.
    pub fn get_cached(&self, key: &str, _cache: &Cache) -> Option<&Value> {
        self.entries.get(key)
    }

    /// Changes the value of a key.
    pub fn change<T>(&mut self, key: &str, change: impl FnOnce(&mut Value) -> T) -> Option<T> {
        let value = self.entries.get_mut(key)?;
        let before = value.sizes();
        let result = change(value);
        self.sizes = self.sizes.plus(value.sizes()).minus(before);
        Some(result)
    }

    /// Sets the value of a key, and returns the one before.
    pub fn insert(&mut self, key: &str, value: Value) -> Option<Value> {
        self.sizes = self.sizes.plus(value.sizes());
        let before = self.entries.insert(key.into(), value);
        match &before {
            Some(before) => self.sizes = self.sizes.minus(before.sizes()),
            None => self.sizes.map += 1,
        }
        before
    }

    /// Removes an entry.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let value = self.entries.remove(key)?;
        self.sizes.map -= 1;
        self.sizes = self.sizes.minus(value.sizes());
        Some(value)
    }

    /// Goes through the entries in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Goes through the keys in their order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(key, _)| key)
    }

    /// Goes through the values in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.iter().map(|(_, value)| value)
    }
}

impl FromIterator<(String, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(entries: I) -> Self {
        let mut map = Self::default();
        for (key, value) in entries {
            map.insert(&key, value);
        }
        map
    }
}
