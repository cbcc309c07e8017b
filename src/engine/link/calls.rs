//! Checks what a file uses of its modules: their functions, methods and constants.

use std::{collections::HashMap, sync::Arc};

use rhai::Ident;

use super::Linker;
use crate::{
    engine::{
        host,
        lint::{self, findings::OpenMethod},
        program::LinkedModule,
        script::Script,
        words,
    },
    function::{Diagnostic, FilePath, diagnostic::near_miss},
};

/// The modules that a file imports, by what it calls them; none: its own mistakes are reported.
pub(super) type ByAlias<'a> = HashMap<&'a str, Option<Arc<LinkedModule>>>;

impl Linker<'_, '_> {
    /// Reports constants that a module does not have. Where two imports have one alias, nobody knows here which of them is meant.
    pub(super) fn check_constants(&mut self, script: &Script, by_alias: &ByAlias<'_>) {
        for constant in &script.references.constants {
            if let [alias, inner @ ..] = &constant.path[..]
                && let Some(Some(module)) = by_alias.get(alias.name.as_str())
                && is_sole(script, alias)
                && let Some(module) = self.inner(script, alias, module, inner)
                && !module.module.contains_var(&constant.name)
            {
                let error =
                    script.at(constant.position, format!("the module `{}` has no constant `{}`", written(&constant.path), constant.name));
                let near = near_miss(&constant.name, module.module.iter_var().map(|(name, _)| name));
                let hint = near
                    .map_or("a module gives what it exports: `export const NAME = …;`".into(), |near| format!("did you mean `{near}`?"));
                self.found.insert(error.hint(hint));
            }
        }
    }

    pub(super) fn check_calls(&mut self, script: &Script, by_alias: &ByAlias<'_>) {
        for call in &script.references.calls {
            let report = |message: String| script.at(call.position, message);
            let [alias, inner @ ..] = &call.path[..] else { continue };
            let module;
            let exported: Vec<(&str, usize)> = match (by_alias.get(alias.name.as_str()), host::module(&alias.name)) {
                (Some(Some(_)), _) if !inner.is_empty() && !is_sole(script, alias) => continue,
                (Some(Some(outer)), _) => {
                    let Some(found) = self.inner(script, alias, outer, inner) else { continue };
                    module = found;
                    module.script.references.exported.iter().map(|(name, count)| (name.as_str(), *count)).collect()
                }
                // The module itself is reported.
                (Some(None), _) => continue,
                (None, Some(_)) if let [missing, ..] = inner => {
                    self.found.insert(no_module(script, alias, missing));
                    continue;
                }
                (None, Some(module)) => {
                    module.functions.iter().flat_map(|function| function.counts().map(|count| (function.name, count))).collect()
                }
                // The compiler knows the namespace; `global` is one.
                (None, None) => continue,
            };
            let counts: Vec<usize> = exported.iter().filter(|(name, _)| *name == call.name).map(|(_, count)| *count).collect();
            if counts.is_empty() {
                let near = near_miss(&call.name, exported.iter().map(|(name, _)| *name));
                let diagnostic = report(format!("the module `{}` has no function `{}`", written(&call.path), call.name));
                self.found.insert(diagnostic.maybe_hint(near.map(|near| format!("did you mean `{near}`?"))));
            } else if !counts.contains(&call.arguments) {
                self.found.insert(report(words::takes(&format!("{}::{}", written(&call.path), call.name), &counts, call.arguments)));
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

    /// Finds the module that names lead to from another: by what modules import outside of functions and blocks. Reports the first name
    /// that leads to none.
    fn inner(&mut self, script: &Script, alias: &Ident, module: &Arc<LinkedModule>, path: &[Ident]) -> Option<Arc<LinkedModule>> {
        let mut module = module.clone();
        let mut outer = alias;
        for name in path {
            let Some(found) = module.module.get_sub_module(&name.name) else {
                let hint = "only what a module imports outside of functions and blocks is found behind its name";
                self.found.insert(no_module(script, outer, name).hint(hint));
                return None;
            };
            module = self.modules.get(&FilePath::from(found.id()?))?.clone()?;
            outer = name;
        }
        Some(module)
    }
}

fn no_module(script: &Script, outer: &Ident, missing: &Ident) -> Diagnostic {
    script.at(missing.pos, format!("the module `{}` has no module `{}`", outer.name, missing.name))
}

/// Returns whether one import alone has this alias.
fn is_sole(script: &Script, alias: &Ident) -> bool {
    script.references.imports.iter().filter(|import| import.alias.as_deref() == Some(alias.name.as_str())).count() == 1
}

fn written(path: &[Ident]) -> String {
    path.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join("::")
}
