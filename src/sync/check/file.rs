//! Checks one file: its name, its script, what it imports, and the function that it makes.

use std::sync::Arc;

use crate::{
    engine::{
        Engine, Program, module,
        module::ImportError,
        program,
        script::{Script, SourceFiles},
        template,
    },
    function::{
        Content, Diagnostic, FilePath, Function, FunctionName, Manifest, Role, Route, ScriptId, SharedFunction, Tree, TreeSettings,
        diagnostic::near_miss,
        misplaced,
        role::{ENDING, guard_paths},
        route::{
            FileRoute,
            file::check_path,
            methods::{MethodsProblem, combine},
            stray::stray,
        },
    },
};

/// The result of checking one file.
#[derive(Default)]
pub(super) struct FileReport {
    /// The function that it is, if it is one without errors.
    pub function: Option<(SharedFunction, Arc<Program>)>,
    /// Mistakes in it.
    pub diagnostics: Vec<Diagnostic>,
}

/// Checks one file of a tree. `before` is the function that it was in the last one.
pub(super) fn check_file(
    engine: &Engine,
    tree: &Tree,
    settings: &TreeSettings,
    path: &FilePath,
    content: &Content,
    before: Option<&SharedFunction>,
) -> FileReport {
    let (role, (file_route, diagnostics)) = (Role::of(path), check_path(path));
    let mut report = FileReport { diagnostics, ..FileReport::default() };
    report.diagnostics.extend(stray(path, |other| tree.contains_key(other)));
    // Migrations are checked together, by their databases.
    if matches!(role, None | Some(Role::Migration)) || (role == Some(Role::Function) && file_route.is_none()) {
        return report;
    }
    if role == Some(Role::Template) {
        report.diagnostics.extend(template::check(tree, path, content));
        return report;
    }
    // Somebody has made it, and written nothing yet.
    if role.is_some_and(Role::is_function) && content.is_blank() {
        report.diagnostics.push(Diagnostic::warning(path.clone(), "the file is empty, and is not served"));
        return report;
    }
    let manifest = match settings.manifest(path) {
        Ok(manifest) => manifest,
        Err(found) => {
            report.diagnostics.extend(found.iter().cloned());
            return report;
        }
    };
    let script = engine.script(path, content, &manifest.limits);
    let script = match script.as_ref() {
        Ok(script) => script,
        Err(found) => {
            report.diagnostics.extend(found.iter().cloned());
            return report;
        }
    };
    report.diagnostics.extend(misplaced::warning(path));
    report.diagnostics.extend(settings.warnings(path).iter().cloned());
    report.diagnostics.extend(check_script(script, tree, path, role));
    report.diagnostics.extend(engine.check_calls(script, tree));
    if !role.is_some_and(Role::is_function) {
        return report;
    }
    let route = match file_route.map(|file_route| route(file_route, manifest)).transpose() {
        Ok(route) => route,
        Err(problem) => {
            report.diagnostics.push(Diagnostic::error(path.clone(), problem.to_string()).hint(problem.hint()));
            return report;
        }
    };
    if report.diagnostics.iter().any(Diagnostic::is_error) {
        return report;
    }
    let limits = |file: &str| settings.limits(file);
    let function = function(engine, tree, settings, path, manifest, route, before);
    match engine.program_of(&function, &limits) {
        // Not `function`: another table may hold the same version, and two tables share one function.
        Ok(program) => {
            report.diagnostics.extend(program.warnings.iter().cloned());
            report.function = Some((program.function.clone(), program));
        }
        Err(found) => report.diagnostics.extend(found),
    }
    report
}

/// Returns the route of a function: the path of its file, and the methods of both its name and its front-matter.
fn route(FileRoute { segments, method }: FileRoute, manifest: &Manifest) -> Result<Route, MethodsProblem> {
    Ok(Route { segments: segments.into(), methods: combine(method, manifest.methods.as_deref())? })
}

/// Finds what is wrong with a script that compiles: its warnings, its imports, and a guard that holds nobody back.
fn check_script(script: &Script, tree: &Tree, path: &FilePath, role: Option<Role>) -> Vec<Diagnostic> {
    let mut found = script.warnings.clone();
    for import in &script.references.imports {
        if let Err(error) = module::resolve(path, &import.path, |path| tree.contains_key(path)) {
            let hint = import_hint(&error, tree);
            found.push(script.at(import.position, error.to_string()).maybe_hint(hint));
        }
    }
    if role == Some(Role::Guard) && script.does_nothing {
        let problem = Diagnostic::error(path.clone(), "this guard is empty: it would let everybody in");
        found.push(problem.hint("write what it is to hold back, or delete it to open the folder"));
    }
    found
}

/// Makes the function of a file, or takes the one from before if nothing of it has changed.
fn function(
    engine: &Engine,
    tree: &Tree,
    settings: &TreeSettings,
    path: &FilePath,
    manifest: &Arc<Manifest>,
    route: Option<Route>,
    before: Option<&SharedFunction>,
) -> SharedFunction {
    // Guards hold callers back, and nobody calls what has no URL.
    let guards: Vec<FilePath> =
        route.iter().flat_map(|_| guard_paths(path)).filter_map(|guard| Some(tree.get_key_value(guard.as_str())?.0.clone())).collect();
    let limits = |file: &str| settings.limits(file);
    let files = program::closure(engine, SourceFiles { tree, limits: &limits }, guards.iter().cloned().chain([path.clone()]));
    let version = program::version(path, &files);
    match before {
        Some(before) if before.version == version => before.clone(),
        _ => {
            let name = FunctionName::of_file(path).unwrap_or_else(|| FunctionName::new(path.clone()));
            let script_id = ScriptId::of(&name);
            let limits = settings.own_limits(files.keys().filter(|file| *file != path));
            let (manifest, files) = (manifest.clone(), files.into_iter().collect());
            Arc::new(Function { name, script_id, version, manifest, route, guards, files, limits })
        }
    }
}

fn import_hint(error: &ImportError, tree: &Tree) -> Option<String> {
    match error {
        ImportError::Missing { path, tried } => {
            let modules = tree.keys().filter(|file| Role::of(file) == Some(Role::Module));
            let names = modules.filter_map(|file| file.rsplit('/').next()?.strip_suffix(ENDING));
            let wanted = path.rsplit('/').next().unwrap_or(path);
            let looked = tried.iter().map(|file| format!("`{file}`")).collect::<Vec<_>>().join(", then ");
            Some(match near_miss(wanted.trim_end_matches(ENDING), names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("looked for {looked}"),
            })
        }
        ImportError::Escapes { .. } => Some("a module is named from the functions folder: `import \"_lib/x\" as x;`".into()),
        ImportError::NotAModule { file, .. } => Some(format!("move what is shared from `{file}` to a file below `_lib/`")),
    }
}
