//! Counts on their way to the database, each of something else.

use std::collections::BTreeMap;

use super::{Run, RunCounts};

/// Counts, each with what it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunTally<K>(BTreeMap<K, RunCounts>);

impl<K> Default for RunTally<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> RunTally<K> {
    /// Counts an execution.
    pub fn add(&mut self, key: K, run: &Run) {
        self.0.entry(key).or_default().add(run);
    }

    /// Adds counts.
    pub fn merge(&mut self, key: K, counts: &RunCounts) {
        self.0.entry(key).or_default().merge(counts);
    }

    /// Returns whether there are counts of this.
    pub fn has(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    /// Returns how many things are told apart.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the counts, in the order of what they are of.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &RunCounts)> {
        self.0.iter()
    }
}
