//! Files that are probably meant as something that they are not: a guard under a wrong name, a function that does not end in `.rhai`.
//! Every reader asks this about every name, also about those that it does not read.

use super::file::copied_from;
use crate::{
    function::{
        Diagnostic, FilePath, Role,
        diagnostic::near_miss,
        role::{ENDING, GUARD, GUARD_STEM, holds_modules},
    },
    shown,
};

/// The name of a guard without its ending, as somebody writes it who does not know the rule. It may be a function's name, too.
const PLAIN: &str = "middleware";

/// How the name of a file resembles that of a guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Likeness {
    /// It can be meant as nothing else, or is a slip.
    Slip,
    /// It is named like a test of a guard.
    Test,
    /// It is a good name for a function, too.
    Function,
}

/// Returns what a file was probably meant as, if that is not what it is. `exists` says which files are read beside it.
pub fn stray(path: &str, exists: impl Fn(&str) -> bool) -> Option<Diagnostic> {
    match guard_like(path) {
        Some((guard, likeness)) if !exists(&guard) => Some(unguarded(path, likeness)),
        // The guard is there, so this is a copy or a helper of it; a slip may be an older attempt.
        Some((_, Likeness::Slip)) if path.ends_with(ENDING) && !is_hidden(path) && !is_inside_guard(path) => {
            let message = format!("`{}` looks like a guard and is none: it runs only when imported", file_name(path));
            Some(Diagnostic::warning(path, message).hint(format!("a guard's file is named `{GUARD}`")))
        }
        Some((_, Likeness::Test | Likeness::Function)) => None,
        _ => misspelt_ending(path),
    }
}

/// Returns the guard that a file was certainly meant as, if it is none: without it its folder is not to be opened.
pub fn guard_meant_by(path: &str) -> Option<FilePath> {
    guard_like(path).filter(|(_, likeness)| *likeness != Likeness::Function).map(|(guard, _)| guard.into())
}

/// Returns the guard that a file is, or was certainly meant as.
pub fn guard_of(path: &str) -> Option<FilePath> {
    let own = || (Role::of(path) == Some(Role::Guard)).then(|| path.into());
    guard_meant_by(path).or_else(own)
}

fn unguarded(path: &str, likeness: Likeness) -> Diagnostic {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| file_name(folder));
    let name = if is_inside_guard(path) { join(folder, file_name(path)) } else { file_name(path).into() };
    let message = format!("`{name}` looks like a guard and is none: it guards nothing, and there is no `{GUARD}`");
    let hint = format!("a guard's file is named `{GUARD}` and lies in the folder that it guards; give a file that is none another name");
    match likeness {
        Likeness::Function => Diagnostic::warning(path, message).hint(hint),
        Likeness::Slip | Likeness::Test => Diagnostic::error(path, message).hint(hint),
    }
}

/// Returns the guard that a path resembles, and how. A guard itself resembles none.
fn guard_like(path: &str) -> Option<(String, Likeness)> {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let (above, last) = folder.rsplit_once('/').unwrap_or(("", folder));
    if is_inside_guard(path) && !holds_modules(above) {
        let likeness = match last.to_lowercase().as_str() {
            GUARD_STEM | GUARD => Some(Likeness::Slip),
            PLAIN => Some(Likeness::Function),
            _ => None,
        };
        if let Some(likeness) = likeness {
            return Some((join(above, GUARD), likeness));
        }
    }
    if file == GUARD || holds_modules(folder) {
        return None;
    }
    Some((join(folder, GUARD), likeness(file)?))
}

fn likeness(file: &str) -> Option<Likeness> {
    let seen = seen(file);
    // What systems add and hide.
    let bare = original(strip_ending(&seen, ".txt").unwrap_or(&seen));
    let (dot, visible) = bare.strip_prefix('.').map_or(("", bare), |rest| (".", rest));
    let (name, endings) = visible.split_once('.').unwrap_or((visible, ""));
    let (name, endings) = (original(name).trim().to_lowercase(), endings.to_lowercase());
    let last = endings.split('.').next_back().unwrap_or_default();
    let is_slip = || name == GUARD_STEM && near_miss(last, ["rhai"]).is_some();
    if !(last.is_empty() || last == "rhai" || is_slip()) {
        return None;
    }
    let is_test = endings.split('.').any(|ending| ending == "test");
    let is_function_file = file.ends_with(ENDING);
    match (dot, &*name) {
        // Not `._middleware.rhai`, which macOS writes beside every file.
        (".", PLAIN) => Some(Likeness::Slip),
        (".", _) => None,
        (_, GUARD_STEM) if is_test => Some(Likeness::Test),
        (_, GUARD_STEM) => Some(Likeness::Slip),
        _ if !is_function_file || is_test => None,
        (_, PLAIN) => Some(Likeness::Function),
        (_, name) => (name.starts_with('_') && near_miss(name, [GUARD_STEM]).is_some()).then_some(Likeness::Slip),
    }
}

/// Returns what of a name can be seen.
fn seen(name: &str) -> String {
    let seen: String = name.chars().filter(|c| !shown::is_hidden(*c)).collect();
    seen.trim().into()
}

/// Returns the name that was copied, perhaps more than once.
fn original(name: &str) -> &str {
    copied_from(name).map_or(name, original)
}

/// Returns what stands before an ending in upper or lower case.
fn strip_ending<'a>(name: &'a str, ending: &str) -> Option<&'a str> {
    let (stem, last) = name.split_at_checked(name.len().checked_sub(ending.len())?)?;
    last.eq_ignore_ascii_case(ending).then_some(stem)
}

/// Tells of a function file whose name does not end as it must: systems add `.txt`, or hide the case of an ending.
fn misspelt_ending(path: &str) -> Option<Diagnostic> {
    let name = file_name(path);
    if name.ends_with(ENDING) || is_hidden(path) {
        return None;
    }
    let seen = seen(name);
    let bare = strip_ending(&seen, ".txt").unwrap_or(&seen);
    let wanted = strip_ending(bare, ENDING).filter(|stem| !stem.is_empty())?;
    let message = format!("`{name}` is not read: the name of a function's file ends in `.rhai`, in lower case");
    Some(Diagnostic::warning(path, message).hint(format!("name it `{wanted}.rhai`")))
}

fn is_index(file: &str) -> bool {
    let lower = file.to_lowercase();
    lower.ends_with(ENDING) && lower.split('.').next() == Some("index")
}

/// Returns whether the folder of a file is named as a guard, or as one without its ending and the file is what answers for the folder.
fn is_inside_guard(path: &str) -> bool {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    match file_name(folder).to_lowercase().as_str() {
        GUARD => true,
        GUARD_STEM | PLAIN => is_index(file_name(path)),
        _ => false,
    }
}

fn is_hidden(path: &str) -> bool {
    file_name(path).starts_with('.')
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.into() } else { format!("{folder}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, others: &[&str]) -> Option<(bool, String)> {
        stray(path, |other| others.contains(&other)).map(|found| (found.is_error(), found.to_string()))
    }

    #[test]
    fn what_can_only_be_meant_as_a_guard_is_an_error_where_there_is_none() {
        for name in [
            "_middlware.rhai",
            "_middleware .rhai",
            "_Middleware.rhai",
            "_middleware_.rhai",
            "_middleware.get.rhai",
            "_middleware.RHAI",
            "_middleware.rhai.txt",
            "_MIDDLEWARE.Rhai.TXT",
            "_middleware",
            "_middleware/index.rhai",
            ".middleware.rhai",
            "_middleware.test.rhai",
            "_middleware.rhai ",
            "_middleware.rhai\n",
            "_middleware.RHAI.txt ",
            "\u{feff}_middleware.rhai",
            "_middle\u{202e}ware.rhai",
            "_middleware\u{200b}.rhai",
            "_middleware - Copy.rhai",
            "_middleware copy 2.rhai",
            "_Middleware (Copy).rhai",
            "_middleware.rhai (copy)",
            "_middleware.rahi",
            "_middleware.rhia",
            "_middleware.rha",
            "_middleware (1).rhai",
            "_middleware (1)",
            "Copy of _middleware.rhai",
            "Copy of _middleware - Copy (2).rhai.txt",
            "_middleware.rhai/guard.rhai",
            "_middleware.rhai/README.md",
        ] {
            for folder in ["", "adm/", "a/(b)/[c]/"] {
                let path = format!("{folder}{name}");
                assert!(told(&path, &[]).is_some_and(|(is_error, _)| is_error), "{path}");
                let guard = format!("{folder}{GUARD}");
                assert_eq!(guard_meant_by(&path).as_deref(), Some(guard.as_str()), "{path}");
                assert!(told(&path, &[&guard]).is_none_or(|(is_error, _)| !is_error), "{path}");
            }
        }
    }

    #[test]
    fn a_good_name_for_a_function_is_a_warning() {
        for name in ["middleware.rhai", "middleware.get.rhai", "adm/middleware/index.rhai", "Middleware.rhai"] {
            assert!(told(name, &[]).is_some_and(|(is_error, _)| !is_error), "{name}");
            assert_eq!(guard_meant_by(name), None);
        }
        assert_eq!(told("adm/middleware.rhai", &["adm/_middleware.rhai"]), None);
    }

    #[test]
    fn beside_a_guard_only_a_slip_in_a_function_file_is_told_of() {
        let beside = |name: &str| told(&format!("adm/{name}"), &["adm/_middleware.rhai"]);
        for name in ["_middlware.rhai", "_middleware.get.rhai", "_middleware - Copy.rhai", "_Middleware.rhai"] {
            assert!(beside(name).is_some_and(|(is_error, text)| !is_error && text.contains("looks like a guard")), "{name}");
        }
        // Functions, tests, helpers, and what editors and systems leave.
        for name in [
            "middleware.rhai",
            "middleware/index.rhai",
            "_middleware.test.rhai",
            ".middleware.rhai",
            "_middleware",
            "_middleware/index.rhai",
        ] {
            assert_eq!(beside(name), None, "{name}");
        }
    }

    #[test]
    fn other_names_mean_what_they_are() {
        for name in [
            "_middleware.rhai",
            "a/_middleware.rhai",
            "_lib/_middlware.rhai",
            "_lib/middleware.rhai",
            "_middleware_tools_for_all.rhai",
            "._middleware.rhai",
            "._middleware.rhai.swp",
            ".#_middleware.rhai",
            "#_middleware.rhai#",
            "_middleware.rhai.bak",
            "_middleware.rhai.orig",
            "_middleware.md",
            "_middleware.rs",
            "middleware.rahi",
            "middleware.js",
            "middleware",
            "_middleware/tools.rhai",
            "hello.rhai",
            "hello copy.rhai",
            "Copy of middleware.js",
            "notes.txt",
            "rhai",
            ".rhai",
            "x.rhai.swp",
            "x.rhai.tmp",
            "RHAI.md",
        ] {
            assert_eq!(told(name, &[]), None, "{name}");
        }
    }

    #[test]
    fn a_function_with_a_wrong_ending_is_told_of() {
        for (name, wanted) in [
            ("x.rhai.txt", "x.rhai"),
            ("a/BYE.RHAI", "BYE.rhai"),
            ("Ünï.get.Rhai", "Ünï.get.rhai"),
            ("_lib/m.rhai.TXT", "m.rhai"),
            ("y.rhai ", "y.rhai"),
            ("y.rhai\n", "y.rhai"),
        ] {
            let (is_error, text) = told(name, &[]).unwrap_or_else(|| panic!("{name}"));
            assert!(!is_error && text.ends_with(&format!("name it `{wanted}`")), "{text}");
        }
    }

    #[test]
    fn it_says_what_guards_nothing() {
        insta::assert_snapshot!(told("adm/_middleware/index.rhai", &[]).unwrap().1, @r"
        adm/_middleware/index.rhai: error: `_middleware/index.rhai` looks like a guard and is none: it guards nothing, and there is no `_middleware.rhai`
          hint: a guard's file is named `_middleware.rhai` and lies in the folder that it guards; give a file that is none another name
        ");
    }
}
