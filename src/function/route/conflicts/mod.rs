//! Finds files that would answer the same requests, and names that some file systems cannot tell apart.

use std::collections::{HashMap, HashSet};

use super::{
    Method, Methods, Route,
    precedence::{Absence, Kind, variants},
};
use crate::function::{Diagnostic, FilePath, unicode::composed};

/// Returns what is wrong between these files, reported on every file involved.
pub fn conflicts<'a>(routes: impl Iterator<Item = (&'a FilePath, &'a Route)>) -> Vec<Diagnostic> {
    let files: Vec<(&FilePath, &Route)> = routes.collect();
    let mut found = same_requests(&files);
    found.extend(same_but_for_case(&files));
    found.sort();
    found
}

/// The files that go first on one path, of which the method must choose one.
struct Meeting {
    absence: Absence,
    files: Vec<usize>,
}

fn same_requests(files: &[(&FilePath, &Route)]) -> Vec<Diagnostic> {
    let mut meetings: HashMap<Vec<Kind<'_>>, Meeting> = HashMap::with_capacity(files.len());
    for (at, (_, route)) in files.iter().enumerate() {
        for variant in variants(&route.segments) {
            let meeting = meetings.entry(variant.kinds().collect()).or_insert(Meeting { absence: Absence::CatchAll, files: Vec::new() });
            if variant.absence < meeting.absence {
                *meeting = Meeting { absence: variant.absence, files: Vec::new() };
            }
            // `[[a]]/[[b]]` meets itself on paths of one segment.
            if variant.absence == meeting.absence && meeting.files.last() != Some(&at) {
                meeting.files.push(at);
            }
        }
    }
    let mut told = HashSet::new();
    let mut found = Vec::new();
    for Meeting { files: meeting, .. } in meetings.values().filter(|meeting| meeting.files.len() > 1) {
        for &at in meeting {
            // One other file is enough to act on, and keeps a thousand equal files from telling a million pairs.
            // Files of one name are told apart by their names.
            let is_other = |other: usize| other != at && composed(files[at].0) != composed(files[other].0);
            let other = meeting.iter().find(|other| is_other(**other) && files[at].1.methods.overlap(&files[**other].1.methods));
            if let Some(&other) = other
                && told.insert((at, other))
            {
                found.push(same_request(files[at], files[other]));
            }
        }
    }
    found
}

fn same_request((file, route): (&FilePath, &Route), (other_file, other): (&FilePath, &Route)) -> Diagnostic {
    let methods = shared_methods(&route.methods, &other.methods);
    let (path, other_path) = (route.to_string(), other.to_string());
    let (message, hint): (_, String) = if path == other_path {
        let is_index = |file: &str| file.rsplit('/').next().is_some_and(|name| name.starts_with("index."));
        let hint = match is_index(file) == is_index(other_file) {
            true => "remove one of them, or give each a method of its own, as a suffix such as `.get`".into(),
            false => format!("an `index` stands for its folder, so `{file}` and `{other_file}` are the same route: keep one of them"),
        };
        (format!("`{other_file}` serves {methods} on `{path}` as well"), hint)
    } else if without_names(route).eq(without_names(other)) {
        let message = format!("`{other_file}` serves {methods} on `{other_path}`, which is the same path as `{path}`");
        (message, "the names of parameters do not tell paths apart: keep one of the files, or give each a method of its own".into())
    } else {
        let message = format!("`{other_file}` serves {methods} on `{other_path}`, which meets `{path}` when optional parts are left out");
        (message, "make one of the optional parts a plain `[parameter]`, or add a file for the path that they share".into())
    };
    Diagnostic::error(file.clone(), message).hint(hint)
}

fn without_names(route: &Route) -> impl Iterator<Item = Kind<'_>> {
    route.segments.iter().map(Kind::of)
}

/// Says which methods both claim.
fn shared_methods(one: &Methods, other: &Methods) -> String {
    let listed = |methods: &Methods| match methods {
        Methods::Any => Vec::new(),
        Methods::Only(listed) => listed.clone(),
        Methods::Suffix(method) => vec![*method],
    };
    let (one, other) = (listed(one), listed(other));
    let shared: Vec<Method> = Method::ALL
        .into_iter()
        .filter(|method| (one.is_empty() || one.contains(method)) && (other.is_empty() || other.contains(method)))
        .collect();
    if one.is_empty() && other.is_empty() { "any method".into() } else { super::methods::join(&shared) }
}

/// Returns what is the same for all spellings of a path that some file system cannot tell apart.
fn folded(path: &str) -> String {
    composed(&composed(path).to_lowercase()).into_owned()
}

/// Finds paths, of files or of the folders that they lie in, that differ only in upper and lower case, or in the form of their characters.
fn same_but_for_case(files: &[(&FilePath, &Route)]) -> Vec<Diagnostic> {
    let mut spellings: HashMap<String, Vec<&str>> = HashMap::with_capacity(files.len());
    let mut seen = HashSet::new();
    for path in files.iter().flat_map(|(file, _)| paths_to(file)) {
        if seen.insert(path) {
            spellings.entry(folded(path)).or_default().push(path);
        }
    }
    spellings.retain(|_, spellings| spellings.len() > 1);
    if spellings.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (file, _) in files {
        let other = |path: &&str| spellings.get(&folded(path))?.iter().find(|other| *other != path);
        if let Some((path, other)) = paths_to(file).find_map(|path| Some((path, other(&path)?))) {
            let message = match composed(path) == composed(other) {
                true => {
                    format!("`{}` and `{}` are one name: the same letters, written with other characters", spelled(path), spelled(other))
                }
                false => format!("`{path}` and `{other}` differ only in upper and lower case"),
            };
            found.push(Diagnostic::error((*file).clone(), message).hint("rename one of them: some file systems cannot hold both"));
        }
    }
    found
}

/// Writes a path so that one sees in which form it is: what is not composed is spelled out.
fn spelled(path: &str) -> String {
    let is_composed = composed(path) == path;
    path.chars().map(|c| if is_composed || c.is_ascii() { c.to_string() } else { c.escape_unicode().to_string() }).collect()
}

/// Returns the folders of a file, outermost first, and the file itself.
fn paths_to(file: &str) -> impl Iterator<Item = &str> {
    file.match_indices('/').map(|(at, _)| &file[..at]).chain(std::iter::once(file))
}

#[cfg(test)]
mod tests;
