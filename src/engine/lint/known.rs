//! The functions that every script can call, as check knows them.

use std::{
    any::TypeId,
    collections::{BTreeSet, HashMap},
};

use rhai::Engine;

use crate::engine::host::unavailable;

/// Names that the engine handles itself and does not list among its functions.
pub const KEYWORDS: [&str; 10] = ["Fn", "call", "curry", "is_shared", "type_of", "is_def_var", "is_def_fn", "range", "this", "tag"];

/// The functions that every script can call, and how many arguments each takes.
#[derive(Debug)]
pub struct KnownFunctions(HashMap<String, BTreeSet<usize>>);

impl KnownFunctions {
    /// Lists an engine's functions.
    pub fn of(engine: &Engine) -> Self {
        let own_names =
            |info: rhai::FuncInfo| info.namespace.is_empty().then(|| (info.metadata.name.to_string(), info.metadata.param_types.len()));
        let mut functions: HashMap<String, BTreeSet<usize>> = HashMap::new();
        for (name, arguments) in engine.collect_fn_metadata(None, own_names, true) {
            if unavailable::function(&name).is_none() {
                functions.entry(name).or_default().insert(arguments);
            }
        }
        Self(functions)
    }

    /// Returns whether there is a function of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name) || KEYWORDS.contains(&name)
    }

    /// Returns the names of all.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).chain(KEYWORDS)
    }

    /// Returns how many arguments a function takes; none: there is no such function, or only the engine knows.
    pub fn counts(&self, name: &str) -> impl Iterator<Item = usize> {
        self.0.get(name).filter(|_| !KEYWORDS.contains(&name)).into_iter().flatten().copied()
    }
}

/// Lists an engine's functions, as [`crate::engine::Engine::functions`] says.
pub fn functions(engine: &Engine) -> Vec<(String, Vec<TypeId>)> {
    let signature = |info: rhai::FuncInfo| {
        let module = if info.namespace.is_empty() { String::new() } else { format!("{}::", info.namespace) };
        Some((format!("{module}{}", info.metadata.name), info.metadata.param_types.to_vec()))
    };
    engine.collect_fn_metadata(None, signature, true)
}
