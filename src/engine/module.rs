//! Imports: which file a path means, and the modules that a run may use. Nothing is read or compiled at run time.

use rhai::{Engine, EvalAltResult, Module, ModuleResolver, Position, Shared};

use super::code;
use crate::function::{Role, role::ENDING};

/// Why an import's path names no file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// There is no such file.
    #[error("no module `{path}`")]
    Missing {
        /// As written.
        path: String,
        /// The files that would have been taken.
        tried: Vec<String>,
    },
    /// The path climbs above the root, or begins at the file system's.
    #[error("the import `{path}` leaves the functions folder")]
    Escapes {
        /// As written.
        path: String,
    },
    /// The file is for something else.
    #[error("`{file}` is a {role}, not a module")]
    NotAModule {
        /// What the path means.
        file: String,
        /// What that is for.
        role: Role,
    },
}

/// Finds the file of an import. `./x` and `../x` start from the importing file's folder. Any other path starts from the root, then from the
/// `_lib` folder of the importing file's folder and of each folder above it. `exists` says whether the revision has a file.
///
/// The first module is meant. A file that is for something else answers no import, so it cannot stand before a module of its name.
pub fn resolve(importer: &str, path: &str, exists: impl Fn(&str) -> bool) -> Result<String, ImportError> {
    let written = path;
    let path = path.strip_suffix(ENDING).unwrap_or(path);
    let folder = importer.rsplit_once('/').map_or("", |(folder, _)| folder);
    let escapes = || ImportError::Escapes { path: written.into() };
    if path.starts_with('/') || path.contains('\\') || path.contains(':') {
        return Err(escapes());
    }
    let mut candidates = Vec::new();
    if path.starts_with("./") || path.starts_with("../") {
        candidates.push(normalise(&format!("{folder}/{path}")).ok_or_else(escapes)?);
    } else {
        candidates.push(normalise(path).ok_or_else(escapes)?);
        let mut folders: Vec<&str> = folder.match_indices('/').map(|(at, _)| &folder[..at]).chain([folder]).rev().collect();
        folders.push("");
        for folder in folders {
            candidates.extend(normalise(&format!("{folder}/_lib/{path}")));
        }
    }
    candidates.dedup();
    let tried: Vec<String> = candidates.into_iter().map(|candidate| candidate + ENDING).collect();
    // What is ignored is as if it were not there.
    let found: Vec<(&String, Role)> = tried.iter().filter(|file| exists(file)).filter_map(|file| Some((file, Role::of(file)?))).collect();
    match found.iter().find(|(_, role)| *role == Role::Module).or(found.first()) {
        None => Err(ImportError::Missing { path: written.into(), tried }),
        Some((file, Role::Module)) => Ok((*file).clone()),
        Some((file, role)) => Err(ImportError::NotAModule { file: (*file).clone(), role: *role }),
    }
}

/// Takes `.`, `..` and empty parts out of a path; `None` if it climbs above the root.
fn normalise(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Answers `import` with the modules that were linked before the run.
pub struct ImportResolver;

impl ModuleResolver for ImportResolver {
    fn resolve(&self, _: &Engine, source: Option<&str>, path: &str, position: Position) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let module = source.and_then(|importer| code::module_file(importer, path)).map(|file| file.module().clone());
        module.ok_or_else(|| EvalAltResult::ErrorModuleNotFound(path.into(), position).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_means_one_file() {
        let files = ["_lib/x.rhai", "a/_lib/x.rhai", "a/_lib/y.rhai", "a/_near.rhai", "a/f.rhai", "_top.rhai"];
        let cases = [
            ("a/b/f.rhai", "x", Some("a/_lib/x.rhai")),
            ("f.rhai", "x", Some("_lib/x.rhai")),
            ("a/b/f.rhai", "_lib/x", Some("_lib/x.rhai")),
            ("a/b/f.rhai", "_lib/x.rhai", Some("_lib/x.rhai")),
            ("a/b/f.rhai", "../_near", Some("a/_near.rhai")),
            ("a/g.rhai", "./_near", Some("a/_near.rhai")),
            ("a/g.rhai", "_top", Some("_top.rhai")),
            ("a/g.rhai", "y", Some("a/_lib/y.rhai")),
            ("g.rhai", "y", None),
            ("g.rhai", "a/f", None),
            ("g.rhai", "../x", None),
            ("g.rhai", "/etc/passwd", None),
            ("g.rhai", "_lib/../../x", None),
            ("g.rhai", "c:\\x", None),
        ];
        for (importer, path, file) in cases {
            assert_eq!(resolve(importer, path, |file| files.contains(&file)).ok().as_deref(), file, "{importer} imports {path}");
        }
    }

    #[test]
    fn a_file_that_is_no_module_stands_before_none() {
        let files = ["x.rhai", "a/_lib/x.rhai", "_lib/y.test.rhai", "_lib/x.rhai", "_middleware.rhai", "_lib/_middleware.rhai"];
        for (importer, path, file) in [
            ("a/b/f.rhai", "x", "a/_lib/x.rhai"),
            ("f.rhai", "x", "_lib/x.rhai"),
            ("x.rhai", "x.rhai", "_lib/x.rhai"),
            ("f.rhai", "_middleware", "_lib/_middleware.rhai"),
        ] {
            assert_eq!(resolve(importer, path, |file| files.contains(&file)).as_deref(), Ok(file), "{importer} imports {path}");
        }
        let refuse = |path| resolve("a/f.rhai", path, |file| files.contains(&file)).unwrap_err().to_string();
        assert_eq!(refuse("../x"), "`x.rhai` is a function, not a module");
        assert_eq!(refuse("y.test"), "`_lib/y.test.rhai` is a test, not a module");
    }

    #[test]
    fn each_refusal_has_its_reason() {
        let refuse = |path| resolve("a/g.rhai", path, |file| file == "a/f.rhai").unwrap_err().to_string();
        assert_eq!(refuse("../../x"), "the import `../../x` leaves the functions folder");
        assert_eq!(refuse("a/f"), "`a/f.rhai` is a function, not a module");
        assert_eq!(refuse("nothing"), "no module `nothing`");
    }

    #[test]
    fn what_can_be_imported_is_what_the_contract_calls_a_module() {
        let import = |path: &str| {
            let found = resolve("a/g.rhai", path, |file| file == format!("{path}.rhai"));
            found.map_err(|error| error.to_string())
        };
        for path in ["_lib/auth_middleware", "_auth_middleware", "a/_middleware_tools", "_lib/_middleware"] {
            assert_eq!(import(path), Ok(format!("{path}.rhai")));
        }
        for (path, refusal) in [
            ("auth_middleware", "`auth_middleware.rhai` is a function, not a module"),
            ("a/_middleware", "`a/_middleware.rhai` is a guard, not a module"),
            ("_lib/x.test", "`_lib/x.test.rhai` is a test, not a module"),
            ("a/.well-known/_x", "no module `a/.well-known/_x`"),
        ] {
            assert_eq!(import(path).unwrap_err(), refusal);
        }
    }
}
