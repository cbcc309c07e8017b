//! Joins a function with the modules that it imports.

mod calls;
mod load;
mod needs;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use self::calls::ByAlias;
use super::{
    Engine,
    emission::PlainEmission,
    host::Kind,
    module,
    program::{Imports, LinkedModule, Program, closure, version},
    script::{LimitsOf, Script, SourceFiles},
    statement::PlainStatement,
    template::Templates,
};
use crate::function::{Diagnostic, FilePath, SharedFunction};

/// Joins a function with its modules. The errors are about any of its files.
pub fn link(engine: &Engine, function: &SharedFunction, limits: &LimitsOf<'_>) -> Result<Program, Vec<Diagnostic>> {
    let file: FilePath = function.name.file().into();
    let tree = function.tree();
    let mut linker = Linker {
        engine,
        files: SourceFiles { tree: &tree, limits },
        imports: Imports::default(),
        modules: HashMap::new(),
        found: BTreeSet::new(),
        warnings: BTreeSet::new(),
        statements: Vec::new(),
        emissions: Vec::new(),
    };
    let guards: Vec<_> = function.guards.iter().filter_map(|guard| linker.root(guard)).collect();
    let script = linker.root(&file);
    guards.iter().chain(&script).for_each(|root| linker.check_needs(root));
    let can_reach = guards.iter().chain(&script).any(|script| script.grants.is_some());
    let class = engine.class(&function.manifest.limits).map_err(|why| linker.found.insert(why.in_file(&file)));
    match (script, class) {
        (Some(script), Ok(class)) if linker.found.is_empty() => Ok(Program {
            function: function.clone(),
            copies_body: linker.changes_in_place(guards.iter().chain([&script])),
            waits: linker.waits(guards.iter().chain([&script])),
            capabilities: can_reach.then(|| engine.capabilities.clone()),
            guards,
            script,
            class,
            templates: Templates::of(&tree, &function.manifest.limits).map(Arc::new),
            imports: (!linker.imports.0.is_empty()).then(|| Arc::new(linker.imports)),
            warnings: linker.warnings.into_iter().collect(),
            statements: linker.statements.into(),
            emissions: linker.emissions.into(),
            modules: linker.modules.into_values().flatten().collect(),
        }),
        _ => Err(linker.found.into_iter().collect()),
    }
}

struct Linker<'a, 'l> {
    engine: &'a Engine,
    files: SourceFiles<'a, 'l>,
    imports: Imports,
    /// `None` while a module is being linked, or after it failed: what imports it then is not linked again.
    modules: HashMap<FilePath, Option<Arc<LinkedModule>>>,
    found: BTreeSet<Diagnostic>,
    warnings: BTreeSet<Diagnostic>,
    statements: Vec<PlainStatement>,
    emissions: Vec<PlainEmission>,
}

impl Linker<'_, '_> {
    /// Returns whether one of these, or of the modules that they import, can wait for something outside.
    fn waits<'a>(&'a self, roots: impl Iterator<Item = &'a Arc<Script>>) -> bool {
        let modules = self.modules.values().flatten().map(|module| &module.script);
        roots.chain(modules).any(|script| script.references.host_calls.iter().any(|call| call.function.kind == Kind::Waits))
    }

    /// Returns whether one of these, or of the modules that they import, changes values where they are.
    fn changes_in_place<'a>(&'a self, mut roots: impl Iterator<Item = &'a Arc<Script>>) -> bool {
        let mut modules = self.modules.values().flatten().map(|module| &module.script);
        roots.any(|script| script.references.changes_in_place) || modules.any(|script| script.references.changes_in_place)
    }

    fn script(&mut self, file: &FilePath) -> Option<Arc<Script>> {
        match self.files.script(self.engine, file)?.as_ref() {
            Ok(script) => Some(script.clone()),
            Err(diagnostics) => {
                self.found.extend(diagnostics.iter().cloned());
                None
            }
        }
    }

    /// Links a file that is run, not imported.
    fn root(&mut self, file: &FilePath) -> Option<Arc<Script>> {
        let script = self.script(file)?;
        self.link_imports(&script, &mut vec![file.clone()]);
        Some(script)
    }

    /// Links what a script imports, depth first, and checks its calls into them. `path` is the chain of imports that led here.
    fn link_imports(&mut self, script: &Arc<Script>, path: &mut Vec<FilePath>) {
        let mut by_alias = ByAlias::new();
        for import in &script.references.imports {
            let report = |message: String| script.at(import.position, message);
            let file: FilePath = match module::resolve(&script.file, &import.path, |path| self.files.tree.contains_key(path)) {
                Ok(file) => file.into(),
                Err(error) => {
                    by_alias.insert(import.alias.as_deref().unwrap_or_default(), None);
                    self.found.insert(report(error.to_string()));
                    continue;
                }
            };
            if let Some(start) = path.iter().position(|step| *step == file) {
                let cycle = path[start..].iter().chain([&file]).map(|step| format!("`{step}`")).collect::<Vec<_>>().join(" imports ");
                self.found.insert(
                    report(format!("modules import each other in a circle: {cycle}")).hint("move what both need into a third module"),
                );
                continue;
            }
            let module = self.module(&file, path);
            if let Some(module) = &module {
                self.imports.0.entry(script.file.clone()).or_default().insert(import.path.clone(), module.clone());
            }
            if let Some(alias) = &import.alias {
                by_alias.insert(alias, module);
            }
        }
        self.check_calls(script, &by_alias);
        self.check_constants(script, &by_alias);
        let (errors, warnings): (Vec<_>, Vec<_>) =
            self.engine.check_calls(script, self.files.tree).into_iter().partition(Diagnostic::is_error);
        self.found.extend(errors);
        self.warnings.extend(warnings);
    }

    fn module(&mut self, file: &FilePath, path: &mut Vec<FilePath>) -> Option<Arc<LinkedModule>> {
        if let Some(done) = self.modules.get(file) {
            return done.clone();
        }
        self.modules.insert(file.clone(), None);
        let script = self.script(file)?;
        path.push(file.clone());
        let before = self.found.len();
        self.link_imports(&script, path);
        path.pop();
        if self.found.len() > before {
            return None;
        }
        let key = version(file, &closure(self.engine, self.files, [file.clone()]));
        let module = match self.engine.cached_module(key) {
            Some(module) => module,
            None => {
                let module = self.evaluate(script)?;
                self.engine.cache_module(key, &module);
                module
            }
        };
        self.modules.insert(file.clone(), Some(module.clone()));
        Some(module)
    }
}
