//! From the path of a function's file to where the function answers.

use super::{MAX_OPTIONALS, MAX_SEGMENTS, Method, Segment, precedence, problem::NameProblem, segment};
use crate::function::{
    Diagnostic, Role, Severity,
    diagnostic::near_miss,
    reserved::RESERVED,
    role::{ENDING, GUARD, is_group},
};

/// Where the function in a file answers, as the file's path says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRoute {
    /// Its path in URLs.
    pub segments: Vec<Segment>,
    /// From the name's suffix.
    pub method: Option<Method>,
}

impl FileRoute {
    /// Returns the route of the function at this path below the root. None: it is no function's path, or a wrong one.
    pub fn of(path: &str) -> Option<Self> {
        check_path(path).0
    }
}

/// Returns the route of the file at this path below the root, and what is wrong with its name. A function has no route if that is an error.
pub fn check_path(path: &str) -> (Option<FileRoute>, Vec<Diagnostic>) {
    let (route, problems) = match Role::of(path) {
        Some(Role::Function) => parse(path),
        Some(Role::Module) if is_named_as_guard(path) => (None, vec![NameProblem::IdleGuard]),
        _ => return (None, Vec::new()),
    };
    let diagnostics = problems.into_iter().map(|problem| {
        let severity = if problem.is_warning() { Severity::Warning } else { Severity::Error };
        Diagnostic { severity, ..Diagnostic::error(path, problem.to_string()) }.hint(problem.hint())
    });
    (route, diagnostics.collect())
}

fn is_named_as_guard(path: &str) -> bool {
    path.rsplit('/').next() == Some(GUARD)
}

/// Returns which name a file had that was copied, perhaps by mistake, and got this name from a file manager or a browser.
pub(super) fn copied_from(stem: &str) -> Option<&str> {
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let counted = stem.rsplit_once(' ').filter(|(_, count)| is_number(count.trim_matches(['(', ')']))).map(|(rest, _)| rest);
    let of = |text| [" - Copy", " copy", " (copy)", " (Copy)"].into_iter().find_map(|ending| str::strip_suffix(text, ending));
    let downloaded = counted.filter(|_| stem.ends_with(')'));
    stem.strip_prefix("Copy of ").or_else(|| of(stem)).or_else(|| of(counted?)).or(downloaded)
}

fn parse(path: &str) -> (Option<FileRoute>, Vec<NameProblem>) {
    let stem = path.strip_suffix(ENDING).unwrap_or(path);
    let (folders, stem) = stem.rsplit_once('/').map_or((None, stem), |(folders, stem)| (Some(folders), stem));
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
    let mut segments = Vec::new();
    let folders = folders.into_iter().flat_map(|folders| folders.split('/')).filter_map(parse_folder);
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
    (is_good.then_some(FileRoute { segments, method }), problems)
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
