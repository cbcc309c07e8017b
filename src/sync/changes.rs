//! Compares the functions of two deployments.

use std::collections::BTreeMap;

use super::{Sync, check::Functions, fallback::GoodTree};
use crate::{
    deployment::FunctionChange,
    function::{FilePath, FunctionName, SharedFunction, Version},
    store::FunctionVersion,
};

impl Sync {
    /// Returns what is different from the functions that are live.
    pub(super) fn changes(&self, good: &GoodTree) -> Vec<FunctionChange> {
        let after = &good.report.functions;
        let removed = self.functions.iter().filter(|(path, _)| !after.contains_key(*path)).map(|(_, function)| FunctionChange {
            function: function.name.clone(),
            from: Some(function.version),
            to: None,
        });
        let others = after.iter().filter_map(|(path, function)| {
            let from = self.functions.get(path).map(|before| before.version);
            (from != Some(function.version)).then(|| FunctionChange { function: function.name.clone(), from, to: Some(function.version) })
        });
        removed.chain(others).collect()
    }

    /// Returns the functions whose version is not live.
    pub(super) fn new_functions(&self, good: &GoodTree) -> Vec<SharedFunction> {
        let is_new =
            |path: &FilePath, function: &SharedFunction| self.functions.get(path).is_none_or(|before| before.version != function.version);
        good.report.functions.iter().filter(|(path, function)| is_new(path, function)).map(|(_, function)| function.clone()).collect()
    }
}

/// Compares functions with those that the store remembers.
pub(super) fn changes_since(before: &[FunctionVersion], after: &Functions) -> Vec<FunctionChange> {
    let mut before: BTreeMap<&FunctionName, Version> = before.iter().map(|known| (&known.function, known.version)).collect();
    let mut changes = Vec::new();
    for function in after.values() {
        let from = before.remove(&function.name);
        if from != Some(function.version) {
            changes.push(FunctionChange { function: function.name.clone(), from, to: Some(function.version) });
        }
    }
    changes.extend(before.into_iter().map(|(name, version)| FunctionChange { function: name.clone(), from: Some(version), to: None }));
    changes
}
