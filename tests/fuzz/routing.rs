//! Routing: lines of an input are files, or methods and paths after a `>`. The router finds what the reference finds, however a path is
//! written.

use percent_encoding::percent_decode_str;
use picloud::{
    execution::Params,
    function::{
        FilePath, Route,
        route::{FileRoute, conflicts, methods::combine},
    },
    live::{Match, router::Router},
};

use crate::{harness::fuzz, reference};

/// The reference tries everything: more than this takes it too long.
const MAX_FILES: usize = 40;
const MAX_SEGMENTS: usize = 12;

#[test]
fn routing() {
    fuzz("routing", |input| {
        let text = String::from_utf8_lossy(input);
        let (requests, files): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with('>'));
        let routes = routes(&files);
        let router = Router::new(routes.iter().cloned());
        let answers: Vec<String> = requests.iter().map(|request| ask(&routes, &router, request)).collect();
        format!("{} {}", routes.len(), answers.join(" "))
    });
}

/// Makes the routes of these files, leaving out those that are in conflict with others.
fn routes(files: &[&str]) -> Vec<(Route, usize)> {
    let mut kept: Vec<(FilePath, Route)> = Vec::new();
    for file in files.iter().take(MAX_FILES) {
        let Some(FileRoute { segments, method }) = FileRoute::of(file) else { continue };
        let Ok(methods) = combine(method, None) else { continue };
        let route = Route { segments: segments.into(), methods };
        // What it shows is a file's name that leads to the same.
        let name = format!("{route}/index.rhai").trim_start_matches('/').to_owned();
        let again = FileRoute::of(&name).unwrap_or_else(|| panic!("`{name}` of `{file}` is no route"));
        assert_eq!(route.segments[..], again.segments[..], "`{route}` of `{file}`");
        kept.push(((*file).into(), route));
        if !conflicts(kept.iter().map(|(file, route)| (file, route))).is_empty() {
            kept.pop();
        }
    }
    kept.into_iter().enumerate().map(|(at, (_, route))| (route, at)).collect()
}

fn ask(routes: &[(Route, usize)], router: &Router<usize>, request: &str) -> String {
    let (method, path) = request[1..].trim().split_once(' ').unwrap_or(("GET", &request[1..]));
    let found = router.find(method, path);
    if matches!(found, Match::BadPath(_)) {
        return format!("{found:?}");
    }
    let inner = path.strip_prefix('/').expect("others are bad");
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let segments: Vec<String> = inner.split('/').filter(|_| !inner.is_empty()).map(decoded).collect();
    if segments.len() <= MAX_SEGMENTS {
        assert_eq!(found, reference::find(routes, method, &segments), "{method} {path}");
    }
    match found {
        Match::Found { params, .. } => format!("found {}", Params::len(&params)),
        Match::MethodNotAllowed { allow } | Match::Options { allow } => format!("{}", allow.len()),
        other => format!("{other:?}"),
    }
}

fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8().expect("others are bad").into_owned()
}
