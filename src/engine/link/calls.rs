//! Checks what a file uses of its modules: their functions, methods and constants.

use std::{collections::HashMap, sync::Arc};

use super::Linker;
use crate::{
    engine::{
        host,
        lint::{
            self,
            findings::{Import, OpenMethod},
        },
        program::LinkedModule,
        script::Script,
        words,
    },
    function::{Diagnostic, diagnostic::near_miss},
};

impl Linker<'_, '_> {
    /// Reports constants that a module does not have. Where two imports have one alias, nobody knows here which of them is meant.
    pub(super) fn check_constants(&mut self, script: &Script, by_alias: &HashMap<&str, Option<Arc<LinkedModule>>>) {
        for constant in &script.references.constants {
            let is_alias = |import: &&Import| import.alias.as_ref() == Some(&constant.alias);
            if let Some(Some(module)) = by_alias.get(constant.alias.as_str())
                && script.references.imports.iter().filter(is_alias).count() == 1
                && !module.module.contains_var(&constant.name)
            {
                let error = script.at(constant.position, format!("the module `{}` has no constant `{}`", constant.alias, constant.name));
                let near = near_miss(&constant.name, module.module.iter_var().map(|(name, _)| name));
                let hint = near
                    .map_or("a module gives what it exports: `export const NAME = …;`".into(), |near| format!("did you mean `{near}`?"));
                self.found.insert(error.hint(hint));
            }
        }
    }

    pub(super) fn check_calls(&mut self, script: &Script, by_alias: &HashMap<&str, Option<Arc<LinkedModule>>>) {
        for call in &script.references.calls {
            let report = |message: String| script.at(call.position, message);
            let exported: Vec<(&str, usize)> = match (by_alias.get(call.alias.as_str()), host::module(&call.alias)) {
                (Some(Some(module)), _) => module.script.references.exported.iter().map(|(name, count)| (name.as_str(), *count)).collect(),
                // The module itself is reported.
                (Some(None), _) => continue,
                (None, Some(module)) => {
                    module.functions.iter().flat_map(|function| function.counts().map(|count| (function.name, count))).collect()
                }
                // The compiler knows the namespace; `global` is one.
                (None, None) => continue,
            };
            let counts: Vec<usize> = exported.iter().filter(|(name, _)| *name == call.name).map(|(_, count)| *count).collect();
            if counts.is_empty() {
                let near = near_miss(&call.name, exported.iter().map(|(name, _)| *name));
                let diagnostic = report(format!("the module `{}` has no function `{}`", call.alias, call.name));
                self.found.insert(diagnostic.maybe_hint(near.map(|near| format!("did you mean `{near}`?"))));
            } else if !counts.contains(&call.arguments) {
                self.found.insert(report(words::takes(&format!("{}::{}", call.alias, call.name), &counts, call.arguments)));
            }
        }
        let explained = |name: &str| {
            by_alias.values().flatten().any(|module| {
                let references = &module.script.references;
                references.properties.contains(name) || references.exported.iter().any(|(exported, _)| exported == name)
            })
        };
        let open: Vec<&OpenMethod> = script.methods.iter().filter(|method| !explained(&method.name)).collect();
        let mut references = by_alias.values().flatten().map(|module| &module.script.references).chain([&script.references]);
        let names_are_known = !references.any(|references| references.computes_names);
        let known = &self.engine.shared.default_class.known;
        let found = open.iter().map(|method| lint::unknown_method(known, &script.file, script.text(), method, names_are_known));
        let (errors, warnings): (Vec<_>, Vec<_>) = found.partition(Diagnostic::is_error);
        self.found.extend(errors);
        self.warnings.extend(warnings);
    }
}
