//! A function with everything that it imports, ready to run.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use rhai::{Module, Scope, Shared};

use super::{
    Class, Engine,
    check_budget::CheckBudget,
    failure, host,
    lint::{
        self,
        findings::{Import, OpenMethod},
    },
    meter::{self, Stop},
    module::{self, Imports},
    script::{Refused, Script},
    words,
};
use crate::function::{Content, Diagnostic, Digest, FilePath, SharedFunction, Tree, Version, diagnostic::near_miss};

/// A function compiled, with its guards and modules.
pub struct Program {
    /// What it was compiled from.
    pub function: SharedFunction,
    /// Run in order before the function; the first that returns something but `()` answers the request.
    pub(super) guards: Vec<Arc<Script>>,
    pub(super) script: Arc<Script>,
    pub(super) imports: Option<Arc<Imports>>,
    /// Whether one of its files could change a body that it only reads.
    pub(super) copies_body: bool,
    pub(super) class: Arc<Class>,
    /// What is probably not meant in the files, and keeps nothing from going live.
    pub warnings: Vec<Diagnostic>,
    /// Kept here, they stay in the engine's cache as long as a program uses them.
    modules: Vec<Arc<LinkedModule>>,
}

impl Program {
    /// Returns one of its files, compiled.
    pub(super) fn script_of(&self, file: &FilePath) -> Option<&Script> {
        let modules = self.modules.iter().map(|module| &module.script);
        self.guards.iter().chain([&self.script]).chain(modules).map(|script| &**script).find(|script| script.file == *file)
    }
}

/// A module that ran once, to be called from many programs.
#[derive(Debug)]
pub struct LinkedModule {
    module: Shared<Module>,
    script: Arc<Script>,
}

/// Returns the files that a file needs, itself included: imports of imports too. Files that do not compile are in it and end their branch.
pub fn closure(engine: &Engine, tree: &Tree, roots: impl IntoIterator<Item = FilePath>) -> Tree {
    let mut files = Tree::new();
    let mut open: Vec<FilePath> = roots.into_iter().collect();
    while let Some(file) = open.pop() {
        let Some((file, content)) = tree.get_key_value(&file) else { continue };
        if files.insert(file.clone(), content.clone()).is_some() {
            continue;
        }
        if let Ok(script) = engine.script(file, content).as_ref() {
            for import in &script.references.imports {
                if let Ok(path) = module::resolve(file, &import.path, |path| tree.contains_key(path)) {
                    open.push(path.into());
                }
            }
        }
    }
    files
}

/// Returns the name of a function's content: its own path first, then every file that it needs.
pub fn version(name: &FilePath, files: &Tree) -> Version {
    let parts = files.iter().flat_map(|(path, content)| [path.as_bytes(), &content.digest.as_bytes()[..]]);
    Digest::of_parts([name.as_bytes()].into_iter().chain(parts)).into()
}

/// Joins a function with its modules. The errors are about any of its files.
pub fn link(engine: &Engine, function: &SharedFunction) -> Result<Program, Vec<Diagnostic>> {
    let file: FilePath = function.name.file().into();
    let tree = function.tree();
    let mut linker = Linker {
        engine,
        tree: &tree,
        imports: Imports::default(),
        modules: HashMap::new(),
        found: BTreeSet::new(),
        warnings: BTreeSet::new(),
    };
    let guards: Vec<_> = function.guards.iter().filter_map(|guard| linker.root(guard)).collect();
    let script = linker.root(&file);
    let class = engine.class(&function.manifest.limits).map_err(|why| linker.found.insert(why.in_file(&file)));
    match (script, class) {
        (Some(script), Ok(class)) if linker.found.is_empty() => Ok(Program {
            function: function.clone(),
            copies_body: linker.changes_in_place(guards.iter().chain([&script])),
            guards,
            script,
            class,
            imports: (!linker.imports.0.is_empty()).then(|| Arc::new(linker.imports)),
            warnings: linker.warnings.into_iter().collect(),
            modules: linker.modules.into_values().flatten().collect(),
        }),
        _ => Err(linker.found.into_iter().collect()),
    }
}

struct Linker<'a> {
    engine: &'a Engine,
    tree: &'a Tree,
    imports: Imports,
    /// `None` while a module is being linked, or after it failed: what imports it then is not linked again.
    modules: HashMap<FilePath, Option<Arc<LinkedModule>>>,
    found: BTreeSet<Diagnostic>,
    warnings: BTreeSet<Diagnostic>,
}

impl Linker<'_> {
    /// Returns whether one of these, or of the modules that they import, changes values where they are.
    fn changes_in_place<'a>(&'a self, mut roots: impl Iterator<Item = &'a Arc<Script>>) -> bool {
        let mut modules = self.modules.values().flatten().map(|module| &module.script);
        roots.any(|script| script.references.changes_in_place) || modules.any(|script| script.references.changes_in_place)
    }

    fn script(&mut self, file: &FilePath) -> Option<Arc<Script>> {
        let content = self.tree.get(file)?;
        match self.engine.script(file, content).as_ref() {
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
        let mut by_alias: HashMap<&str, Option<Arc<LinkedModule>>> = HashMap::new();
        for import in &script.references.imports {
            let report = |message: String| script.at(import.position, message);
            let file: FilePath = match module::resolve(&script.file, &import.path, |path| self.tree.contains_key(path)) {
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
                self.imports.0.entry(script.file.clone()).or_default().insert(import.path.clone(), module.module.clone());
            }
            if let Some(alias) = &import.alias {
                by_alias.insert(alias, module);
            }
        }
        self.check_calls(script, &by_alias);
        self.check_constants(script, &by_alias);
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
        let key = version(file, &closure(self.engine, self.tree, [file.clone()]));
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

    /// Runs a module's top level once, under the limits that hold by default and what is left to the check.
    fn evaluate(&mut self, script: Arc<Script>) -> Option<Arc<LinkedModule>> {
        let shared = &self.engine.shared;
        let (limits, rhai) = (&shared.policy.default, &shared.default_class.rhai);
        let check = self.engine.check.as_deref();
        let (cpu, time) = match check.map(CheckBudget::time).transpose() {
            Ok(left) => (left.map(|(cpu, _)| cpu), left.map_or(limits.timeout.0, |(_, time)| time)),
            Err(used_up) => {
                self.found.insert(used_up);
                return None;
            }
        };
        let imports = self.imports.0.get(&script.file).map(|own| Imports([(script.file.clone(), own.clone())].into()));
        module::enter(imports.map(Arc::new));
        let began = meter::cpu_time();
        meter::start(&meter::Allowance {
            time,
            operations: limits.operations,
            memory: limits.memory.bytes(),
            cpu: cpu.map(|limit| meter::CpuLimit { limit, since: Some(began) }),
            cancel: check.map(|check| check.cancel().clone()),
        });
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Module::eval_ast_as_new(Scope::new(), &script.ast, rhai)));
        module::enter(None);
        if let Some(check) = check {
            check.take_time(meter::cpu_time().saturating_sub(began));
        }
        let stop = meter::usage().stop;
        if let (Some(Stop::CpuTime | Stop::Deadline), Some(check)) = (stop, check) {
            self.found.insert(check.end(&script.file));
            return None;
        }
        let failed = match (stop, run) {
            (Some(stop), _) => (failure::stopped(stop, limits).1, None),
            (None, Ok(Ok(mut module))) => {
                module.build_index();
                let kept = usize::try_from(meter::leaked()).unwrap_or(0);
                if let Some(Err(too_much)) = check.map(|check| check.take_bytes(&script.file, kept)) {
                    self.found.insert(too_much);
                    return None;
                }
                return Some(Arc::new(LinkedModule { module: module.into(), script }));
            }
            (None, Ok(Err(mut error))) => {
                let failure = failure::explain(&mut error, &script.file, |file| (*file == script.file).then_some(&*script)).1;
                (failure.message, failure.position.filter(|_| failure.file == script.file))
            }
            (None, Err(_)) => ("the engine failed".into(), None),
        };
        let diagnostic = Diagnostic::error(script.file.clone(), format!("the module fails while it is loaded: {}", failed.0));
        self.found.insert(match failed.1 {
            Some(position) => diagnostic.at(script.text(), position),
            None => diagnostic,
        });
        None
    }

    /// Reports constants that a module does not have. Where two imports have one alias, nobody knows here which of them is meant.
    fn check_constants(&mut self, script: &Script, by_alias: &HashMap<&str, Option<Arc<LinkedModule>>>) {
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

    fn check_calls(&mut self, script: &Script, by_alias: &HashMap<&str, Option<Arc<LinkedModule>>>) {
        for call in &script.references.calls {
            let report = |message: String| script.at(call.position, message);
            let exported: Vec<(&str, usize)> = match (by_alias.get(call.alias.as_str()), host::module(&call.alias)) {
                (Some(Some(module)), _) => module.script.references.exported.iter().map(|(name, count)| (name.as_str(), *count)).collect(),
                // The module itself is reported.
                (Some(None), _) => continue,
                (None, Some(module)) => module.functions.iter().map(|function| (function.name, function.parameters.len())).collect(),
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

impl Engine {
    /// Compiles one file by itself, or returns what that gave the last time.
    pub fn script(&self, file: &FilePath, content: &Content) -> Arc<Result<Arc<Script>, Vec<Diagnostic>>> {
        if self.check.as_ref().is_some_and(|check| check.is_cancelled()) {
            return Arc::new(Err(vec![Diagnostic::error(file.clone(), "the check was cancelled")]));
        }
        let key = (file.clone(), content.digest);
        if let Some(compiled) = self.scripts().get(&key) {
            return compiled.clone();
        }
        let compiled = match super::script::compile(self, file, content) {
            Ok(script) => Ok(Arc::new(script)),
            Err(Refused::Wrong(found)) => Err(found),
            Err(Refused::NoRoom(error)) => return Arc::new(Err(vec![*error])),
        };
        let compiled = Arc::new(compiled);
        self.scripts().insert(key, compiled.clone());
        compiled
    }
}
