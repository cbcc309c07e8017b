//! Says why a request meets what it meets: the winner, who else could have taken the path, and why each lost.
//!
//! For people, so it tries every route; the answer itself comes from the router.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    Entry, Table,
    router::{Match, Router, between, path::RequestPath},
};
use crate::{
    execution::{Param, Params},
    function::reserved::is_reserved,
    function::route::{
        Matcher, Method, Methods, Route, Segment,
        methods::join,
        precedence::{self, Absence, Kind, Narrow, Variant},
    },
    shown::Shown,
};

/// What a request meets, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// As asked.
    pub method: String,
    /// As asked.
    pub path: String,
    /// What it meets.
    pub outcome: Outcome,
    /// Who else could have taken the path, in order of precedence; then those that a matcher kept out.
    pub others: Vec<Other>,
}

/// What a request meets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A function.
    Found {
        /// Its label.
        function: String,
        /// Its path.
        route: String,
        /// From the path.
        params: Params,
        /// A `HEAD` request that it answers as a `GET`.
        head_from_get: bool,
    },
    /// The path is served, the method is not: 405.
    MethodNotAllowed {
        /// The methods that are.
        allow: Vec<Method>,
    },
    /// `OPTIONS` that no function answers itself: 204.
    Options {
        /// The methods that are served.
        allow: Vec<Method>,
    },
    /// PiCloud answers such a path itself, whatever files there are.
    Reserved,
    /// Nothing serves the path: 404.
    NotFound,
    /// No function could serve such a path: 400.
    BadPath {
        /// Why not.
        problem: String,
    },
}

/// A function that lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Other {
    /// Its label.
    pub function: String,
    /// Its path.
    pub route: String,
    /// Why it lost.
    pub reason: Reason,
}

/// Why a function lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It has the winner's path, and does not serve the method.
    MethodNotServed {
        /// What it serves.
        serves: Methods,
    },
    /// It has the winner's path and serves the method; the winner's claim is stronger.
    WeakerClaim {
        /// What it serves.
        serves: Methods,
        /// What the winner serves.
        winner: Methods,
    },
    /// A segment is less specific than that of the path that was chosen.
    LessSpecific {
        /// Which segment of the request's path, from 1.
        segment: usize,
        /// How it takes that segment: ``the parameter `[id]` ``.
        has: String,
        /// How the path that was chosen takes it.
        chosen: String,
    },
    /// It took the same segments, and left out more of its route than the path that was chosen.
    LeftOutMore,
    /// Its path would match, were it not for a matcher.
    Unmatched {
        /// Which segment of the request's path, from 1.
        segment: usize,
        /// The text there.
        text: String,
        /// What it must look like.
        matcher: Matcher,
    },
}

/// A route that could take the path, in the way that goes first.
struct Runner<'r> {
    entry: usize,
    variant: Variant<'r>,
    /// The matcher that keeps it out after all.
    refusal: Option<Reason>,
}

impl<'r> Runner<'r> {
    /// Smaller goes first; what a matcher keeps out goes last.
    fn rank(&self) -> (bool, Vec<Kind<'r>>, Absence) {
        (self.refusal.is_some(), self.variant.kinds().collect(), self.variant.absence)
    }
}

/// Explains what a request with this method and path meets; `label` names a function.
pub fn explain<T>(router: &Router<T>, method: &str, path: &str, label: impl Fn(&T) -> String) -> Explanation {
    if is_reserved(path) {
        return Explanation { method: method.into(), path: path.into(), outcome: Outcome::Reserved, others: Vec::new() };
    }
    let entries: Vec<(&Route, &T)> = router.entries().collect();
    let found = router.find(method, path);
    let winner = match &found {
        Match::Found { value, .. } => entries.iter().position(|(_, other)| std::ptr::eq(*value, *other)),
        _ => None,
    };
    let runners = runners(&entries, path);
    let chosen = runners.first().filter(|runner| runner.refusal.is_none());
    let losers = runners.iter().filter(|runner| Some(runner.entry) != winner);
    let others = losers.map(|runner| {
        let (route, value) = entries[runner.entry];
        let reason = reason(runner, chosen, &route.methods, winner.map(|winner| &entries[winner].0.methods), Method::parse(method));
        Other { function: label(value), route: route.to_string(), reason }
    });
    let others = others.collect();
    let outcome = match found {
        Match::Found { value, params, head_from_get } => {
            let route = winner.map(|winner| entries[winner].0.to_string()).unwrap_or_default();
            Outcome::Found { function: label(value), route, params, head_from_get }
        }
        Match::MethodNotAllowed { allow } => Outcome::MethodNotAllowed { allow },
        Match::Options { allow } => Outcome::Options { allow },
        Match::NotFound => Outcome::NotFound,
        Match::BadPath(problem) => Outcome::BadPath { problem: problem.to_string() },
    };
    Explanation { method: method.into(), path: path.into(), outcome, others }
}

impl Table {
    /// Explains what a request with this method and path meets here. A function is named by its file.
    pub fn explain(&self, method: &str, path: &str) -> Explanation {
        explain(&self.router, method, path, |entry| match entry {
            Entry::Ready(live) => live.function.name.file(),
            Entry::Broken(broken) => broken_label(&broken.file),
        })
    }
}

/// Returns the name of a file that is broken and never was good.
pub fn broken_label(file: &str) -> String {
    format!("{file} (broken)")
}

/// Returns the routes that take the path, or would but for a matcher, in order of precedence.
fn runners<'r, T>(entries: &[(&'r Route, &T)], path: &str) -> Vec<Runner<'r>> {
    let Ok(path) = RequestPath::parse(path) else { return Vec::new() };
    let path = path.composed();
    let texts: Vec<&str> = path.segments().collect();
    let mut runners: Vec<_> = entries
        .iter()
        .enumerate()
        .filter_map(|(entry, (route, _))| {
            let ways = precedence::variants(&route.segments).into_iter();
            let ways = ways.filter_map(|variant| Some(Runner { entry, refusal: take(&variant, &texts)?, variant }));
            ways.min_by_key(Runner::rank)
        })
        .collect();
    runners.sort_by_cached_key(Runner::rank);
    runners
}

/// Tries a variant on a path: `None` if it has another shape, else what a matcher says against it.
fn take(variant: &Variant<'_>, texts: &[&str]) -> Option<Option<Reason>> {
    let segments = &variant.segments;
    let is_open = segments.last().is_some_and(|segment| segment.is_catch_all());
    if texts.len() < segments.len() || (texts.len() > segments.len() && !is_open) {
        return None;
    }
    let mut refusal = None;
    for (at, (segment, text)) in segments.iter().zip(texts).enumerate() {
        let (value, matcher) = match segment {
            Segment::Static(literal) => (text.eq(literal).then_some(*text)?, None),
            Segment::Param { prefix, suffix, matcher, .. } => (between(text, prefix, suffix)?, *matcher),
            Segment::Optional { matcher, .. } => (*text, *matcher),
            Segment::CatchAll { .. } | Segment::OptionalCatchAll { .. } => (*text, None),
        };
        if let Some(matcher) = matcher.filter(|matcher| !matcher.accepts(value)) {
            refusal.get_or_insert(Reason::Unmatched { segment: at + 1, text: value.into(), matcher });
        }
    }
    Some(refusal)
}

fn reason(loser: &Runner<'_>, chosen: Option<&Runner<'_>>, serves: &Methods, winner: Option<&Methods>, method: Option<Method>) -> Reason {
    let chosen = match (&loser.refusal, chosen) {
        (Some(refusal), _) => return refusal.clone(),
        (None, Some(chosen)) => chosen,
        // Not refused, so it is in the running, and the first of those is the one chosen.
        (None, None) => loser,
    };
    let differs = loser.variant.kinds().zip(chosen.variant.kinds()).position(|(one, other)| one != other);
    if let Some(at) = differs {
        return Reason::LessSpecific {
            segment: at + 1,
            has: describe(loser.variant.segments[at]),
            chosen: describe(chosen.variant.segments[at]),
        };
    }
    match winner {
        _ if loser.variant.absence != chosen.variant.absence => Reason::LeftOutMore,
        Some(winner) if serves.claim(method).is_some() => Reason::WeakerClaim { serves: serves.clone(), winner: winner.clone() },
        _ => Reason::MethodNotServed { serves: serves.clone() },
    }
}

fn describe(segment: &Segment) -> String {
    let kind = match Kind::of(segment) {
        Kind::Static(_) => "the text",
        Kind::Affix { .. } => "the text and parameter",
        Kind::Param(Narrow::To(_)) => "the parameter with a matcher",
        Kind::Param(Narrow::Not) => "the parameter",
        Kind::Optional(Narrow::To(_)) => "the optional parameter with a matcher",
        Kind::Optional(Narrow::Not) => "the optional parameter",
        Kind::CatchAll => "the catch-all",
        Kind::OptionalCatchAll => "the optional catch-all",
    };
    format!("{kind} `{segment}`")
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, path, outcome, others } = self;
        write!(f, "{} {}: {outcome}", Shown::inline(method), Shown::inline(path))?;
        if !others.is_empty() {
            write!(f, "\nothers:")?;
        }
        others.iter().try_for_each(|Other { function, route, reason }| {
            write!(f, "\n  `{}` on {}: {}", Shown::inline(function), Shown::inline(route), Shown::inline(&reason.to_string()))
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found { function, route, params, head_from_get } => {
                let how = if *head_from_get { ", as a GET without the body" } else { "" };
                write!(f, "`{}` on {}{how}", Shown::inline(function), Shown::inline(route))?;
                params.iter().try_for_each(|(name, value)| match value {
                    Param::Absent => write!(f, "\n  {name} = ()"),
                    Param::One(text) => write!(f, "\n  {name} = {text:?}"),
                    Param::Many(texts) => write!(f, "\n  {name} = {texts:?}"),
                })
            }
            Self::MethodNotAllowed { allow } => write!(f, "405, the path is served, but only for {}", join(allow)),
            Self::Options { allow } => write!(f, "204, with `Allow: {}`", join(allow)),
            Self::Reserved => f.write_str("PiCloud answers this itself; no function does"),
            Self::NotFound => f.write_str("404, no function has this path"),
            Self::BadPath { problem } => write!(f, "400, {}", Shown::inline(problem)),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MethodNotServed { serves: Methods::Any } => f.write_str("serves any method but `OPTIONS`, which PiCloud answers"),
            Self::MethodNotServed { serves } => write!(f, "serves {serves} only"),
            Self::WeakerClaim { serves, winner } if serves == winner => {
                f.write_str("wants the same requests; only one file may serve them")
            }
            Self::WeakerClaim { serves, winner } => write!(f, "serves {serves}, and {winner} goes first"),
            Self::LessSpecific { segment, has, chosen } => write!(f, "at segment {segment}, {has} is less specific than {chosen}"),
            Self::LeftOutMore => f.write_str("takes the path only by leaving out an optional part"),
            Self::Unmatched { segment, text, matcher } => write!(f, "does not match: `{text}` at segment {segment} is no `{matcher}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::live::router::tests::{
        generated::{request, routes},
        router,
    };

    fn explained(files: &[&str], requests: &[&str]) -> String {
        let router = router(files);
        let explained = requests.iter().map(|request| {
            let (method, path) = request.split_once(' ').unwrap();
            explain(&router, method, path, ToString::to_string).to_string()
        });
        explained.collect::<Vec<_>>().join("\n\n")
    }

    #[test]
    fn the_winner_and_every_loser_have_a_reason() {
        let users = [
            "users/me.get.rhai",
            "users/me.rhai",
            "users/[id].rhai",
            "users/[id=int].get.rhai",
            "users/m[x].rhai",
            "users/[[o]].rhai",
            "[...all].rhai",
        ];
        let docs = ["docs.rhai POST", "docs/[[...path]].rhai", "docs/[[page]].rhai"];
        let told = [
            explained(
                &users,
                &[
                    "GET /users/me",
                    "HEAD /users/me",
                    "POST /users/7",
                    "GET /users",
                    "OPTIONS /users/7",
                    "GET /a%20b/c",
                    "OPTIONS /a/b",
                    "GET /../x",
                    "GET /_picloud/health",
                    "POST /%61pi/execute/x",
                ],
            ),
            explained(&docs, &["POST /docs", "GET /docs", "GET /docs/a/b", "GET /none"]),
        ];
        insta::assert_snapshot!(told.join("\n\n"));
    }

    #[test]
    fn an_explanation_is_data_too() {
        let router = router(&["[id=int].rhai", "[...all].rhai"]);
        let explanation = explain(&router, "GET", "/x", ToString::to_string);
        insta::assert_snapshot!(serde_json::to_string_pretty(&explanation).unwrap());
    }

    proptest! {
        #[test]
        fn the_path_that_is_explained_is_the_one_that_the_router_takes(routes in routes(), (method, path) in request()) {
            let router = Router::new(routes);
            let entries: Vec<_> = router.entries().collect();
            let path = format!("/{}", path.join("/"));
            let runners = runners(&entries, &path);
            let chosen = runners.first().filter(|runner| runner.refusal.is_none());
            match router.find(&method, &path) {
                Match::Found { value, .. } => {
                    let winner = runners.iter().find(|runner| runner.entry == *value).map(Runner::rank);
                    prop_assert_eq!(winner, chosen.map(Runner::rank));
                }
                found => prop_assert_eq!(found == Match::NotFound, chosen.is_none()),
            }
        }
    }
}
