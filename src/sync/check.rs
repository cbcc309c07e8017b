//! The one check that every entry uses: a tree in; its functions, or everything that is wrong with it, out.
//!
//! It remembers what it found for the tree before, so that one changed file among ten thousand costs one compilation.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use crate::{
    engine::{CancelFlag, Engine, Program, check_budget::CheckBudget, module, module::ImportError, program},
    function::{
        Content, Diagnostic, FilePath, Function, FunctionName, Role, Route, ScriptId, SharedFunction, Tree, Version,
        diagnostic::near_miss,
        role::guard_paths,
        route::{FileRoute, conflicts::conflicts, file::check_path, methods::combine, stray::stray},
        settings,
        tree::differences,
    },
};

/// The functions of a tree, by file.
pub type Functions = BTreeMap<FilePath, SharedFunction>;

/// What is in a tree.
#[derive(Debug, Default)]
pub struct Report {
    /// The functions without errors of their own. Conflicts between them are among the diagnostics.
    pub functions: Arc<Functions>,
    /// Everything that is wrong, in order of file and place.
    pub diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// Returns whether nothing keeps the tree from going live whole.
    pub fn is_good(&self) -> bool {
        !self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Checks trees, each against the one before.
pub struct Checker {
    engine: Arc<Engine>,
    /// Set when nobody waits for the result any more.
    cancel: CancelFlag,
    tree: Arc<Tree>,
    functions: Arc<Functions>,
    /// What is wrong with single files; those with nothing wrong are not in it.
    found: BTreeMap<FilePath, Vec<Diagnostic>>,
    /// What is wrong between routes.
    conflicts: Vec<Diagnostic>,
    /// Files that the last check had no room for. The next may have.
    refused: BTreeSet<FilePath>,
    /// Keeps what is compiled while it may be asked for again.
    programs: HashMap<Version, Arc<Program>>,
}

/// What one file came to.
#[derive(Default)]
struct Checked {
    function: Option<(SharedFunction, Arc<Program>)>,
    diagnostics: Vec<Diagnostic>,
}

impl Checker {
    /// Makes a checker that has seen nothing.
    pub fn new(engine: Arc<Engine>) -> Self {
        Self {
            engine,
            cancel: CancelFlag::default(),
            tree: Arc::default(),
            functions: Arc::default(),
            found: BTreeMap::new(),
            conflicts: Vec::new(),
            refused: BTreeSet::new(),
            programs: HashMap::new(),
        }
    }

    /// Returns a checker that has seen the same, and stops when this flag is set. What it reports then is nothing.
    pub fn copy(&self, cancel: CancelFlag) -> Self {
        Self {
            engine: self.engine.clone(),
            cancel,
            tree: self.tree.clone(),
            functions: self.functions.clone(),
            found: self.found.clone(),
            conflicts: self.conflicts.clone(),
            refused: self.refused.clone(),
            programs: self.programs.clone(),
        }
    }

    /// Checks a tree. Scripts are compiled and modules run here: call it where 256 MiB of stack are.
    pub fn check(&mut self, tree: &Arc<Tree>) -> Report {
        let budget = Arc::new(CheckBudget::new(self.engine.policy(), self.cancel.clone()));
        let engine = self.engine.within(budget.clone());
        let mut changed = differences(&self.tree, tree);
        // A module or a guard may matter to any file, by being there or by being gone.
        if changed.iter().any(|path| matches!(Role::of(path), Some(Role::Guard | Role::Module))) {
            changed.retain(|path| !tree.contains_key(path));
            changed.extend(tree.keys().cloned());
        } else {
            changed.extend(self.refused.iter().filter(|path| tree.contains_key(*path)).cloned());
            changed.sort();
            changed.dedup();
            let is_unchanged = |path: &FilePath| changed.binary_search(path).is_err();
            engine.count_unchanged(self.functions.iter().filter(|(path, _)| is_unchanged(path)).map(|(_, function)| function));
        }
        let mut routes_changed = false;
        for path in &changed {
            if budget.is_cancelled() {
                return Report::default();
            }
            let (before, refusals) = (self.functions.get(path).cloned(), budget.refusals());
            let checked = match tree.get(path) {
                Some(content) => check_file(&engine, tree, path, content, before.as_ref()),
                None => Checked::default(),
            };
            match budget.refusals() > refusals {
                true => drop(self.refused.insert(path.clone())),
                false => drop(self.refused.remove(path)),
            }
            if checked.diagnostics.is_empty() {
                self.found.remove(path);
            } else {
                self.found.insert(path.clone(), checked.diagnostics);
            }
            let route = checked.function.as_ref().map(|(function, _)| &function.route);
            routes_changed |= route != before.as_ref().map(|function| &function.route);
            let functions = Arc::make_mut(&mut self.functions);
            match checked.function {
                Some((function, program)) => {
                    self.programs.insert(function.version, program);
                    functions.insert(path.clone(), function);
                }
                None => drop(functions.remove(path)),
            }
        }
        if routes_changed {
            self.conflicts = conflicts(self.functions.iter().map(|(path, function)| (path, &function.route)));
        }
        self.tree = tree.clone();
        self.report()
    }

    fn report(&self) -> Report {
        let found: BTreeSet<&Diagnostic> = self.found.values().flatten().chain(&self.conflicts).collect();
        let mut diagnostics: Vec<Diagnostic> = found.into_iter().cloned().collect();
        // What an importer and the file itself both tell is told once, with the hint, which sorts last.
        diagnostics.reverse();
        diagnostics.dedup_by(|again, kept| (&again.file, again.position, &again.message) == (&kept.file, kept.position, &kept.message));
        diagnostics.reverse();
        Report { functions: self.functions.clone(), diagnostics }
    }

    /// Forgets what the last tree does not need.
    pub fn forget_others(&mut self) {
        let kept: HashSet<Version> = self.functions.values().map(|function| function.version).collect();
        self.programs.retain(|version, _| kept.contains(version));
        self.engine.forget_all_but(&self.tree);
    }
}

fn check_file(engine: &Engine, tree: &Tree, path: &FilePath, content: &Content, before: Option<&SharedFunction>) -> Checked {
    let (role, (file_route, diagnostics)) = (Role::of(path), check_path(path));
    let mut checked = Checked { diagnostics, ..Checked::default() };
    checked.diagnostics.extend(stray(path, |other| tree.contains_key(other)));
    if role.is_none() || (role == Some(Role::Function) && file_route.is_none()) {
        return checked;
    }
    // Somebody has made it, and written nothing yet.
    if role == Some(Role::Function) && content.is_blank() {
        checked.diagnostics.push(Diagnostic::warning(path.clone(), "the file is empty, and is not served"));
        return checked;
    }
    let script = engine.script(path, content);
    let script = match script.as_ref() {
        Ok(script) => script,
        Err(found) => {
            checked.diagnostics.extend(found.iter().cloned());
            return checked;
        }
    };
    checked.diagnostics.extend(script.warnings.iter().cloned());
    for import in &script.references.imports {
        if let Err(error) = module::resolve(path, &import.path, |path| tree.contains_key(path)) {
            let hint = import_hint(&error, tree);
            checked.diagnostics.push(script.at(import.position, error.to_string()).maybe_hint(hint));
        }
    }
    if role == Some(Role::Guard) && script.does_nothing() {
        let problem = Diagnostic::error(path.clone(), "this guard is empty: it would let everybody in");
        checked.diagnostics.push(problem.hint("write what it is to hold back, or delete it to open the folder"));
    }
    let Some(FileRoute { segments, method }) = file_route else { return checked };
    let manifest = match settings::resolve(engine.policy(), &script.settings) {
        Ok(manifest) => manifest,
        Err(found) => {
            checked.diagnostics.extend(found);
            return checked;
        }
    };
    let methods = match combine(method, manifest.methods.as_deref()) {
        Ok(methods) => methods,
        Err(problem) => {
            checked.diagnostics.push(Diagnostic::error(path.clone(), problem.to_string()).hint(problem.hint()));
            return checked;
        }
    };
    if checked.diagnostics.iter().any(Diagnostic::is_error) {
        return checked;
    }
    let guards: Vec<FilePath> = guard_paths(path).filter_map(|guard| Some(tree.get_key_value(guard.as_str())?.0.clone())).collect();
    let files = program::closure(engine, tree, guards.iter().cloned().chain([path.clone()]));
    let version = program::version(path, &files);
    let function = match before {
        Some(before) if before.version == version => before.clone(),
        _ => {
            let name = FunctionName::of_file(path).unwrap_or_else(|| FunctionName::new(path.clone()));
            let route = Route { segments: segments.into(), methods };
            let script_id = ScriptId::of(&name);
            Arc::new(Function { name, script_id, version, manifest, route, guards, files: files.into_iter().collect() })
        }
    };
    match engine.program(&function) {
        // Not `function`: another table may hold the same version, and two tables share one function.
        Ok(program) => {
            checked.diagnostics.extend(program.warnings.iter().cloned());
            checked.function = Some((program.function.clone(), program));
        }
        Err(found) => checked.diagnostics.extend(found),
    }
    checked
}

fn import_hint(error: &ImportError, tree: &Tree) -> Option<String> {
    match error {
        ImportError::Missing { path, tried } => {
            let modules = tree.keys().filter(|file| Role::of(file) == Some(Role::Module));
            let names = modules.filter_map(|file| file.rsplit('/').next()?.strip_suffix(".rhai"));
            let wanted = path.rsplit('/').next().unwrap_or(path);
            let looked = tried.iter().map(|file| format!("`{file}`")).collect::<Vec<_>>().join(", then ");
            Some(match near_miss(wanted.trim_end_matches(".rhai"), names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("looked for {looked}"),
            })
        }
        ImportError::Escapes { .. } => Some("a module is named from the functions folder: `import \"_lib/x\" as x;`".into()),
        ImportError::NotAModule { file, .. } => Some(format!("move what is shared from `{file}` to a file below `_lib/`")),
    }
}
