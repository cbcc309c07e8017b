//! Checks what a file uses of its modules: their functions, methods and constants.

use std::{collections::HashMap, sync::Arc};

use super::Linker;
use crate::{
    engine::{
        host::{
            self,
            check::{CheckedCall, Mistake},
        },
        lint::{
            self,
            findings::{Import, OpenMethod},
        },
        meter::limits::cpu_time,
        program::LinkedModule,
        script::Script,
        words,
    },
    function::{Diagnostic, diagnostic::near_miss},
};

/// The check has no time left; it is reported.
struct OutOfTime;

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

    /// Reports what host functions find wrong with calls of them.
    pub(super) fn check_host_calls(&mut self, script: &Script) {
        for call in &script.references.host_calls {
            let Some(look) = call.function.check else { continue };
            let of_call = CheckedCall { arguments: &call.arguments, tree: self.files.tree };
            let Ok(mistake) = self.within_check(script, || look(&of_call)) else { return };
            let Some(Mistake { argument, message, hint, is_warning }) = mistake else { continue };
            let position = argument.and_then(|number| call.arguments.get(number)).map_or(call.position, |argument| argument.position);
            match is_warning {
                false => self.found.insert(script.at(position, message).maybe_hint(hint)),
                true => self.warnings.insert(script.warn_at(position, message).maybe_hint(hint)),
            };
        }
    }

    /// Does work in the time that the check has left for modules.
    fn within_check<T>(&mut self, script: &Script, work: impl FnOnce() -> T) -> Result<T, OutOfTime> {
        let Some(check) = self.engine.check.as_deref() else { return Ok(work()) };
        let used_up = match check.time() {
            Ok((left, _)) if left.is_zero() => Some(check.end(&script.file)),
            left => left.err(),
        };
        if let Some(used_up) = used_up {
            self.found.insert(used_up);
            return Err(OutOfTime);
        }
        let began = cpu_time();
        let result = work();
        check.take_time(cpu_time().saturating_sub(began));
        Ok(result)
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
