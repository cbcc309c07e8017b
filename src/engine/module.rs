//! Imports: which file a path means, and the modules that a run may use. Nothing is read or compiled at run time.

use std::{cell::RefCell, collections::HashMap, fmt, sync::Arc};

use rhai::{Engine, EvalAltResult, Module, ModuleResolver, Position, Shared};

use crate::function::FilePath;

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
    /// The file serves requests itself.
    #[error("`{file}` is a function, not a module")]
    NotAModule {
        /// What the path means.
        file: String,
    },
}

/// Finds the file that an import means: `./x` and `../x` from the importing file's folder; anything else from the root, then in the
/// `_lib` folder of the importing file's folder and of each folder above it. `exists` says whether the revision has a file.
pub fn resolve(importer: &str, path: &str, exists: impl Fn(&str) -> bool) -> Result<String, ImportError> {
    let written = path;
    let path = path.strip_suffix(".rhai").unwrap_or(path);
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
    let tried: Vec<String> = candidates.into_iter().map(|candidate| candidate + ".rhai").collect();
    match tried.iter().find(|file| exists(file)) {
        None => Err(ImportError::Missing { path: written.into(), tried }),
        Some(file) if is_module(file) => Ok(file.clone()),
        Some(file) => Err(ImportError::NotAModule { file: file.clone() }),
    }
}

/// Returns whether a file is there to be imported: it, or a folder above it, begins with `_`. Guards and tests are not.
pub fn is_module(file: &str) -> bool {
    file.split('/').any(|part| part.starts_with('_')) && !is_guard(file)
}

/// Returns whether a file runs before others.
pub fn is_guard(file: &str) -> bool {
    file.ends_with("_middleware.rhai")
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

/// The modules that one program's files import: by importing file, then by the path as written.
#[derive(Default)]
pub struct Imports(pub HashMap<FilePath, HashMap<String, Shared<Module>>>);

impl fmt::Debug for Imports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

thread_local! {
    static IMPORTS: RefCell<Option<Arc<Imports>>> = const { RefCell::new(None) };
}

/// Makes these the modules of the run on this thread.
pub fn enter(imports: Option<Arc<Imports>>) {
    IMPORTS.set(imports);
}

/// Answers `import` with what was checked before the run.
pub struct Checked;

impl ModuleResolver for Checked {
    fn resolve(&self, _: &Engine, source: Option<&str>, path: &str, position: Position) -> Result<Shared<Module>, Box<EvalAltResult>> {
        IMPORTS.with_borrow(|imports| {
            imports
                .as_ref()
                .and_then(|imports| imports.0.get(source?)?.get(path).cloned())
                .ok_or_else(|| EvalAltResult::ErrorModuleNotFound(path.into(), position).into())
        })
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
    fn each_refusal_has_its_reason() {
        let refuse = |path| resolve("a/g.rhai", path, |file| file == "a/f.rhai").unwrap_err().to_string();
        assert_eq!(refuse("../../x"), "the import `../../x` leaves the functions folder");
        assert_eq!(refuse("a/f"), "`a/f.rhai` is a function, not a module");
        assert_eq!(refuse("nothing"), "no module `nothing`");
    }
}
