//! Says why a request meets what it meets: the winner, who else could have taken the path, and why each lost.
//!
//! For people, so it tries every route; the answer itself comes from the router.

mod explanation;

pub use explanation::{Alternative, Explanation, LossReason, RouteOutcome};

use super::{
    Destination, Table,
    router::{Match, Router, between, path::RequestPath},
};
use crate::function::{
    reserved::is_reserved,
    route::{
        Method, Methods, Route, Segment,
        precedence::{self, Absence, Kind, Narrow, Variant},
    },
};

/// A route that could take the path, in the way that goes first.
struct Contender<'r> {
    entry: usize,
    variant: Variant<'r>,
    /// The matcher that keeps it out after all.
    refusal: Option<LossReason>,
}

impl<'r> Contender<'r> {
    /// Smaller goes first; what a matcher keeps out goes last.
    fn rank(&self) -> (bool, Vec<Kind<'r>>, Absence) {
        (self.refusal.is_some(), self.variant.kinds().collect(), self.variant.absence)
    }
}

/// Explains what a request with this method and path meets; `label` names a function.
pub fn explain<T>(router: &Router<T>, method: &str, path: &str, label: impl Fn(&T) -> String) -> Explanation {
    if is_reserved(path) {
        return Explanation { method: method.into(), path: path.into(), outcome: RouteOutcome::Reserved, others: Vec::new() };
    }
    let entries: Vec<(&Route, &T)> = router.entries().collect();
    let found = router.find(method, path);
    let winner = match &found {
        Match::Found { value, .. } => entries.iter().position(|(_, other)| std::ptr::eq(*value, *other)),
        _ => None,
    };
    let contenders = contenders(&entries, path);
    let chosen = contenders.first().filter(|contender| contender.refusal.is_none());
    let losers = contenders.iter().filter(|contender| Some(contender.entry) != winner);
    let others = losers.map(|contender| {
        let (route, value) = entries[contender.entry];
        let reason = reason(contender, chosen, &route.methods, winner.map(|winner| &entries[winner].0.methods), Method::parse(method));
        Alternative { function: label(value), route: route.to_string(), reason }
    });
    let others = others.collect();
    let outcome = match found {
        Match::Found { value, params, head_from_get } => {
            let route = winner.map(|winner| entries[winner].0.to_string()).unwrap_or_default();
            RouteOutcome::Found { function: label(value), route, params, head_from_get }
        }
        Match::MethodNotAllowed { allow } => RouteOutcome::MethodNotAllowed { allow },
        Match::Options { allow } => RouteOutcome::Options { allow },
        Match::NotFound => RouteOutcome::NotFound,
        Match::BadPath(problem) => RouteOutcome::BadPath { problem: problem.to_string() },
    };
    Explanation { method: method.into(), path: path.into(), outcome, others }
}

impl Table {
    /// Explains what a request with this method and path meets here. A function is named by its file.
    pub fn explain(&self, method: &str, path: &str) -> Explanation {
        explain(&self.router, method, path, |entry| match entry {
            Destination::Ready(live) => live.function.name.file(),
            Destination::Broken(broken) => broken_label(&broken.file),
        })
    }
}

/// Returns the name of a file that is broken and never was good.
pub fn broken_label(file: &str) -> String {
    format!("{file} (broken)")
}

/// Returns the routes that take the path, or would but for a matcher, in order of precedence.
fn contenders<'r, T>(entries: &[(&'r Route, &T)], path: &str) -> Vec<Contender<'r>> {
    let Ok(path) = RequestPath::parse(path) else { return Vec::new() };
    let path = path.composed();
    let texts: Vec<&str> = path.segments().collect();
    let mut contenders: Vec<_> = entries
        .iter()
        .enumerate()
        .filter_map(|(entry, (route, _))| {
            let ways = precedence::variants(&route.segments).into_iter();
            let ways = ways.filter_map(|variant| Some(Contender { entry, refusal: take(&variant, &texts)?, variant }));
            ways.min_by_key(Contender::rank)
        })
        .collect();
    contenders.sort_by_cached_key(Contender::rank);
    contenders
}

/// Tries a variant on a path: `None` if it has another shape, else what a matcher says against it.
fn take(variant: &Variant<'_>, texts: &[&str]) -> Option<Option<LossReason>> {
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
            refusal.get_or_insert(LossReason::Unmatched { segment: at + 1, text: value.into(), matcher });
        }
    }
    Some(refusal)
}

fn reason(
    loser: &Contender<'_>,
    chosen: Option<&Contender<'_>>,
    serves: &Methods,
    winner: Option<&Methods>,
    method: Option<Method>,
) -> LossReason {
    let chosen = match (&loser.refusal, chosen) {
        (Some(refusal), _) => return refusal.clone(),
        (None, Some(chosen)) => chosen,
        // Not refused, so it is in the running, and the first of those is the one chosen.
        (None, None) => loser,
    };
    let differs = loser.variant.kinds().zip(chosen.variant.kinds()).position(|(one, other)| one != other);
    if let Some(at) = differs {
        return LossReason::LessSpecific {
            segment: at + 1,
            has: describe(loser.variant.segments[at]),
            chosen: describe(chosen.variant.segments[at]),
        };
    }
    match winner {
        _ if loser.variant.absence != chosen.variant.absence => LossReason::LeftOutMore,
        Some(winner) if serves.claim(method).is_some() => LossReason::WeakerClaim { serves: serves.clone(), winner: winner.clone() },
        _ => LossReason::MethodNotServed { serves: serves.clone() },
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
            let contenders = contenders(&entries, &path);
            let chosen = contenders.first().filter(|contender| contender.refusal.is_none());
            match router.find(&method, &path) {
                Match::Found { value, .. } => {
                    let winner = contenders.iter().find(|contender| contender.entry == *value).map(Contender::rank);
                    prop_assert_eq!(winner, chosen.map(Contender::rank));
                }
                found => prop_assert_eq!(found == Match::NotFound, chosen.is_none()),
            }
        }
    }
}
