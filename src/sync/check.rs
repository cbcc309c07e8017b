//! The one check that every entry uses: a tree in; its functions, or everything that is wrong with it, out.
//!
//! It remembers what it found for the tree before, so that one changed file among ten thousand costs one compilation.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use crate::{
    engine::{Engine, Program, module, module::ImportError, program},
    function::{
        Content, Diagnostic, FilePath, Function, FunctionName, Route, ScriptId, SharedFunction, Tree,
        diagnostic::near_miss,
        route::{
            conflicts::conflicts,
            file::{Role, classify, guard_paths},
            methods::combine,
        },
    },
};

/// What is in a tree.
#[derive(Debug, Default)]
pub struct Report {
    /// The functions without errors of their own, by file. Conflicts between them are among the diagnostics.
    pub functions: BTreeMap<FilePath, SharedFunction>,
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
    tree: Tree,
    files: HashMap<FilePath, Checked>,
}

/// What one file came to.
#[derive(Default)]
struct Checked {
    function: Option<SharedFunction>,
    /// Keeps the compiled function while it may be asked for again.
    _program: Option<Arc<Program>>,
    diagnostics: Vec<Diagnostic>,
}

impl Checker {
    /// Makes a checker that has seen nothing.
    pub fn new(engine: Arc<Engine>) -> Self {
        Self { engine, tree: Tree::new(), files: HashMap::new() }
    }

    /// Checks a tree. Scripts are compiled and modules run here: call it where 256 MiB of stack are.
    pub fn check(&mut self, tree: &Tree) -> Report {
        let changed = differences(&self.tree, tree);
        // A module or a guard may matter to any file, by being there or by being gone.
        let all = changed.iter().any(|path| !matches!(classify(path).role, Role::Function { .. } | Role::Ignored | Role::Test));
        if all {
            self.files.retain(|path, _| tree.contains_key(path));
            for (path, content) in tree {
                let before = self.files.get(path).and_then(|checked| checked.function.clone());
                self.files.insert(path.clone(), check_file(&self.engine, tree, path, content, before.as_ref()));
            }
        } else {
            for path in &changed {
                match tree.get(path) {
                    Some(content) => {
                        let checked = check_file(&self.engine, tree, path, content, None);
                        self.files.insert(path.clone(), checked);
                    }
                    None => drop(self.files.remove(path)),
                }
            }
        }
        self.tree = tree.clone();
        self.report()
    }

    fn report(&self) -> Report {
        let mut found: BTreeSet<Diagnostic> = self.files.values().flat_map(|file| file.diagnostics.iter().cloned()).collect();
        let functions: BTreeMap<FilePath, SharedFunction> =
            self.files.iter().filter_map(|(path, file)| Some((path.clone(), file.function.clone()?))).collect();
        found.extend(conflicts(functions.iter().map(|(path, function)| (path, &function.route))));
        let mut diagnostics: Vec<Diagnostic> = found.into_iter().collect();
        // What an importer and the file itself both tell is told once, with the hint, which sorts last.
        diagnostics.reverse();
        diagnostics.dedup_by(|again, kept| (&again.file, again.position, &again.message) == (&kept.file, kept.position, &kept.message));
        diagnostics.reverse();
        Report { functions, diagnostics }
    }

    /// Forgets what neither the last tree nor this one needs.
    pub fn forget_all_but(&self, tree: &Tree) {
        self.engine.forget_all_but(&[&self.tree, tree]);
    }
}

/// Returns the paths whose content differs between two trees.
pub fn differences(before: &Tree, after: &Tree) -> Vec<FilePath> {
    let mut changed: Vec<FilePath> = before.keys().filter(|path| !after.contains_key(*path)).cloned().collect();
    changed.extend(after.iter().filter(|(path, content)| before.get(*path) != Some(content)).map(|(path, _)| path.clone()));
    changed
}

fn check_file(engine: &Engine, tree: &Tree, path: &FilePath, content: &Content, before: Option<&SharedFunction>) -> Checked {
    let classified = classify(path);
    let mut checked = Checked { diagnostics: classified.diagnostics, ..Checked::default() };
    if matches!(classified.role, Role::Ignored | Role::Misnamed) {
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
    for import in &script.references.imports {
        if let Err(error) = module::resolve(path, &import.path, |path| tree.contains_key(path)) {
            let hint = import_hint(&error, tree);
            checked.diagnostics.push(script.at(import.position, error.to_string()).maybe_hint(hint));
        }
    }
    let Role::Function { segments, method } = classified.role else { return checked };
    let methods = match combine(method, script.manifest.methods.as_deref()) {
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
            Arc::new(Function {
                name,
                script_id,
                version,
                manifest: script.manifest.clone(),
                route,
                guards,
                files: files.into_iter().collect(),
            })
        }
    };
    match engine.program(&function) {
        Ok(program) => {
            checked._program = Some(program);
            checked.function = Some(function);
        }
        Err(found) => {
            // Its own imports that lead nowhere are told above, with a hint.
            checked.diagnostics.extend(found);
        }
    }
    checked
}

fn import_hint(error: &ImportError, tree: &Tree) -> Option<String> {
    match error {
        ImportError::Missing { path, tried } => {
            let modules = tree.keys().filter(|file| matches!(classify(file).role, Role::Module));
            let names = modules.filter_map(|file| file.rsplit('/').next()?.strip_suffix(".rhai"));
            let wanted = path.rsplit('/').next().unwrap_or(path);
            let looked = tried.iter().map(|file| format!("`{file}`")).collect::<Vec<_>>().join(", then ");
            Some(match near_miss(wanted.trim_end_matches(".rhai"), names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("looked for {looked}"),
            })
        }
        ImportError::Escapes { .. } => Some("a module is named from the functions folder: `import \"_lib/x\" as x;`".into()),
        ImportError::NotAModule { file } => Some(format!("move what is shared from `{file}` to a file below `_lib/`")),
    }
}
