//! From a file's path to its role: a function and its route, a module, a guard, a test, or nothing of ours.

use super::{MAX_OPTIONALS, MAX_SEGMENTS, Method, Segment, precedence, problem::NameProblem, segment};
use crate::function::{Diagnostic, FilePath, Severity, diagnostic::near_miss, reserved::RESERVED};

/// The name of a guard's file.
pub const GUARD: &str = "_middleware.rhai";

/// What a file is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Serves requests.
    Function {
        /// Its path in URLs.
        segments: Vec<Segment>,
        /// From the name's suffix.
        method: Option<Method>,
    },
    /// Was meant to serve requests, but its name is wrong; the diagnostics say how.
    Misnamed,
    /// Imported by others.
    Module,
    /// Runs before every function in a folder and below it.
    Guard {
        /// Below the root; empty for the root itself.
        folder: FilePath,
    },
    /// Tests other files.
    Test,
    /// Nothing of ours.
    Ignored,
}

/// A file's role, and what is wrong with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classified {
    /// What it is for.
    pub role: Role,
    /// Errors only beside [`Role::Misnamed`].
    pub diagnostics: Vec<Diagnostic>,
}

/// Returns the role of the file at this path below the root.
pub fn classify(path: &str) -> Classified {
    let (role, problems) = role_of(path);
    let diagnostics = problems
        .into_iter()
        .map(|problem| {
            let severity = if problem.is_warning() { Severity::Warning } else { Severity::Error };
            Diagnostic { severity, ..Diagnostic::error(path, problem.to_string()) }.hint(problem.hint())
        })
        .collect();
    Classified { role, diagnostics }
}

/// Returns where guards of this file would be, outermost folder first: `_middleware.rhai`, `users/_middleware.rhai`.
pub fn guard_paths(path: &str) -> impl Iterator<Item = String> {
    let folders = path.match_indices('/').map(|(at, _)| &path[..=at]);
    std::iter::once("").chain(folders).map(|folder| format!("{folder}{GUARD}"))
}

fn role_of(path: &str) -> (Role, Vec<NameProblem>) {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let folders: Vec<&str> = if path.contains('/') { folder.split('/').collect() } else { Vec::new() };
    let Some(stem) = file.strip_suffix(".rhai") else { return (Role::Ignored, Vec::new()) };
    if file.starts_with('.') || has_dot_folder(&folders) {
        return (Role::Ignored, Vec::new());
    }
    if stem.ends_with(".test") {
        return (Role::Test, Vec::new());
    }
    if folders.iter().any(|folder| folder.starts_with('_')) {
        return (Role::Module, if file == GUARD { vec![NameProblem::IdleGuard] } else { Vec::new() });
    }
    if file == GUARD {
        return (Role::Guard { folder: folder.into() }, Vec::new());
    }
    if file.starts_with('_') {
        return (Role::Module, Vec::new());
    }
    function(&folders, stem)
}

/// Returns whether a folder's name begins with a dot, `.well-known` at the top of the URL apart.
fn has_dot_folder(folders: &[&str]) -> bool {
    let top = folders.iter().position(|folder| !is_group(folder));
    folders.iter().enumerate().any(|(at, folder)| folder.starts_with('.') && !(*folder == ".well-known" && Some(at) == top))
}

fn is_group(folder: &str) -> bool {
    folder.starts_with('(') && folder.ends_with(')')
}

/// Returns which name a file had that was copied, perhaps by mistake, and got this name from a file manager or a browser.
pub(super) fn copied_from(stem: &str) -> Option<&str> {
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let counted = stem.rsplit_once(' ').filter(|(_, count)| is_number(count.trim_matches(['(', ')']))).map(|(rest, _)| rest);
    let of = |text| [" - Copy", " copy", " (copy)", " (Copy)"].into_iter().find_map(|ending| str::strip_suffix(text, ending));
    let downloaded = counted.filter(|_| stem.ends_with(')'));
    stem.strip_prefix("Copy of ").or_else(|| of(stem)).or_else(|| of(counted?)).or(downloaded)
}

fn function(folders: &[&str], stem: &str) -> (Role, Vec<NameProblem>) {
    let mut problems = Vec::new();
    let (name, method) = match stem.rsplit_once('.') {
        Some((name, suffix)) => match Method::of_suffix(suffix) {
            Some(method) => (name, Some(method)),
            None => {
                problems.extend(method_look_alike(suffix));
                (stem, None)
            }
        },
        None => (stem, None),
    };
    let mut segments = Vec::with_capacity(folders.len() + 1);
    let folders = folders.iter().filter_map(|folder| parse_folder(folder));
    let mut file =
        (name != "index").then(|| if is_group(name) { Err(NameProblem::GroupIsFile { text: name.into() }) } else { segment::parse(name) });
    if copied_from(stem).is_some() || copied_from(name).is_some() {
        match file {
            Some(Err(NameProblem::Reserved { character: '(', .. })) => file = Some(Err(NameProblem::UnservedCopy { name: stem.into() })),
            _ => problems.push(NameProblem::LooksLikeCopy { name: stem.into() }),
        }
    }
    for parsed in folders.chain(file) {
        match parsed {
            Ok(segment) => segments.push(segment),
            Err(problem) => problems.push(problem),
        }
    }
    // A path with a segment missing would be blamed for what it does not say.
    if problems.iter().all(NameProblem::is_warning) {
        problems.extend(path_problems(&segments));
    }
    let is_good = problems.iter().all(NameProblem::is_warning);
    (if is_good { Role::Function { segments, method } } else { Role::Misnamed }, problems)
}

/// Parses a folder's name; `None` for a group.
fn parse_folder(folder: &str) -> Option<Result<Segment, NameProblem>> {
    if !is_group(folder) {
        return Some(segment::parse(folder));
    }
    let inner = &folder[1..folder.len() - 1];
    (inner.is_empty() || inner.contains(['(', ')', '[', ']'])).then(|| Err(NameProblem::BadGroup { text: folder.into() }))
}

fn method_look_alike(suffix: &str) -> Option<NameProblem> {
    let lower = suffix.to_lowercase();
    let near = Method::of_suffix(&lower).or_else(|| near_miss(&lower, Method::ALL.map(Method::suffix)).and_then(Method::of_suffix));
    let is_method = near.is_some() || matches!(lower.as_str(), "trace" | "connect");
    is_method.then(|| NameProblem::LooksLikeMethod { suffix: suffix.into(), nearest: near })
}

/// Returns what is wrong with segments that are right one by one.
fn path_problems(segments: &[Segment]) -> Vec<NameProblem> {
    let mut problems = Vec::new();
    if segments.len() > MAX_SEGMENTS {
        problems.push(NameProblem::TooManySegments { count: segments.len() });
    }
    let optionals = segments.iter().filter(|segment| matches!(segment, Segment::Optional { .. })).count();
    if optionals > MAX_OPTIONALS {
        problems.push(NameProblem::TooManyOptionals { count: optionals });
    }
    if let Some(at) = segments.iter().position(Segment::is_catch_all)
        && at + 1 < segments.len()
    {
        let optional =
            segments[at + 1..].iter().find(|segment| matches!(segment, Segment::Optional { .. } | Segment::OptionalCatchAll { .. }));
        problems.push(match optional {
            Some(optional) => NameProblem::OptionalAfterCatchAll { segment: optional.to_string(), catch_all: segments[at].to_string() },
            None => NameProblem::CatchAllNotLast { segment: segments[at].to_string() },
        });
    }
    let names: Vec<_> = segments.iter().filter_map(Segment::name).collect();
    if let Some((_, twice)) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        problems.push(NameProblem::DuplicateParameter { name: twice.to_string() });
    }
    if problems.is_empty() {
        problems.extend(reserved_prefix(segments));
    }
    problems
}

/// Returns the reserved prefix that this path lies below, with or without its optional parts.
fn reserved_prefix(segments: &[Segment]) -> Option<NameProblem> {
    let variants = precedence::variants(segments);
    let lies_below = |prefix: &&str| {
        variants.iter().any(|variant| {
            let mut texts = variant.segments.iter().map(|segment| match segment {
                Segment::Static(text) => Some(text.as_str()),
                _ => None,
            });
            prefix.split('/').skip(1).all(|wanted| texts.next().flatten() == Some(wanted))
        })
    };
    RESERVED.into_iter().find(lies_below).map(|prefix| NameProblem::ReservedPrefix { prefix })
}

#[cfg(test)]
mod tests;
