//! Finds the function that answers a request: the path first, then the method inside that path (`docs/routing.md`).
//!
//! Routes without parameters are one hash lookup. The others are a tree with one level for each segment. A walk visits a node of the tree
//! at most once, because only one way leads to it and every step takes one segment. So it cannot be exponential, however often it turns
//! back.

pub(super) mod path;
mod tree;

use std::collections::HashMap;

pub use path::PathProblem;
use path::{RequestPath, Segments};
use tree::Tree;

use crate::{
    execution::{Param, Params},
    function::{
        route::{
            Method, Route, Segment,
            methods::Claim,
            precedence::{self, Absence, Variant},
        },
        unicode::composed,
    },
};

/// Every route of one deployment. Immutable: a deployment builds a new one.
#[derive(Debug)]
pub struct Router<T> {
    entries: Vec<(Route, T)>,
    /// One for each path that routes share; `paths` and `tree` hold their indices.
    endpoints: Vec<Endpoint>,
    /// Paths without parameters, written by [`path::canonical`]. They go before whatever is in the tree.
    paths: HashMap<Box<str>, u32>,
    /// Paths with parameters.
    tree: Tree,
}

/// The functions of one path, of which the method chooses one.
#[derive(Debug)]
struct Endpoint {
    absence: Absence,
    candidates: Vec<Candidate>,
}

/// A function at an endpoint.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    entry: u32,
    /// Which of its route's segments the path leaves out, as in [`Variant`].
    absent: u32,
}

/// What a request meets.
#[derive(Debug, PartialEq)]
pub enum Match<'r, T> {
    /// A function.
    Found {
        /// What the route was built with.
        value: &'r T,
        /// From the path, decoded.
        params: Params,
        /// A `HEAD` request that the function answers as a `GET`.
        head_from_get: bool,
    },
    /// The path is served, the method is not: 405.
    MethodNotAllowed {
        /// For the `Allow` header.
        allow: Vec<Method>,
    },
    /// `OPTIONS` that no function answers itself: 204.
    Options {
        /// For the `Allow` header.
        allow: Vec<Method>,
    },
    /// Nothing serves the path: 404.
    NotFound,
    /// No function could serve such a path: 400.
    BadPath(PathProblem),
}

impl<T> Router<T> {
    /// Builds the table. Where routes are in conflict the earlier one wins; [`conflicts`](crate::function::route::conflicts()) finds those.
    pub fn new(routes: impl IntoIterator<Item = (Route, T)>) -> Self {
        let entries: Vec<(Route, T)> = routes.into_iter().collect();
        let mut endpoints = Vec::with_capacity(entries.len());
        let mut paths = HashMap::with_capacity(entries.len());
        let mut patterns = Vec::new();
        for (entry, (route, _)) in entries.iter().enumerate() {
            for variant in precedence::variants(&route.segments) {
                match static_path(&variant.segments) {
                    Some(path) => {
                        let endpoint = *paths.entry(path).or_insert_with(|| Endpoint::add_to(&mut endpoints));
                        endpoints[endpoint as usize].offer(entry, &variant);
                    }
                    None => patterns.push((entry, variant)),
                }
            }
        }
        patterns.sort_by(|(_, one), (_, other)| one.kinds().cmp(other.kinds()));
        let mut tree = Tree::default();
        for (entry, variant) in &patterns {
            let endpoint = *tree.place(&variant.segments).get_or_insert_with(|| Endpoint::add_to(&mut endpoints));
            endpoints[endpoint as usize].offer(*entry, variant);
        }
        Self { entries, endpoints, paths, tree }
    }

    /// Returns what a request with this method and path, as sent and without the query, meets.
    pub fn find(&self, method: &str, raw_path: &str) -> Match<'_, T> {
        let path = match RequestPath::parse(raw_path) {
            Ok(path) => path,
            Err(problem) => return Match::BadPath(problem),
        };
        let Some(endpoint) = self.endpoint(&path.composed()) else { return Match::NotFound };
        let method = Method::parse(method);
        match self.choose(endpoint, method) {
            Some((candidate, claim)) => {
                let (route, value) = &self.entries[candidate.entry as usize];
                Match::Found { value, params: params(route, candidate.absent, path.segments()), head_from_get: claim.is_head_from_get() }
            }
            None if method == Some(Method::Options) => Match::Options { allow: self.allow(endpoint) },
            None => Match::MethodNotAllowed { allow: self.allow(endpoint) },
        }
    }

    /// Returns every route with its value, in the order given.
    pub fn entries(&self) -> impl Iterator<Item = (&Route, &T)> {
        self.entries.iter().map(|(route, value)| (route, value))
    }

    fn endpoint(&self, path: &RequestPath<'_>) -> Option<&Endpoint> {
        let found = match self.paths.get(&*path.canonical()) {
            Some(endpoint) => *endpoint,
            None => self.tree.find(path.segments())?,
        };
        Some(&self.endpoints[found as usize])
    }

    fn choose(&self, endpoint: &Endpoint, method: Option<Method>) -> Option<(Candidate, Claim)> {
        let claims = endpoint.candidates.iter().filter_map(|candidate| Some((*candidate, self.claim(*candidate, method)?)));
        claims.min_by_key(|(_, claim)| *claim)
    }

    fn claim(&self, candidate: Candidate, method: Option<Method>) -> Option<Claim> {
        self.entries[candidate.entry as usize].0.methods.claim(method)
    }

    fn allow(&self, endpoint: &Endpoint) -> Vec<Method> {
        let is_served = |method: &Method| *method == Method::Options || self.choose(endpoint, Some(*method)).is_some();
        Method::ALL.into_iter().filter(is_served).collect()
    }
}

impl Endpoint {
    /// Adds an endpoint without functions and returns its index.
    fn add_to(endpoints: &mut Vec<Self>) -> u32 {
        endpoints.push(Self { absence: Absence::CatchAll, candidates: Vec::with_capacity(1) });
        (endpoints.len() - 1) as u32
    }

    /// Takes a function in, unless those here leave out less of their routes and so go before it on every request.
    fn offer(&mut self, entry: usize, variant: &Variant<'_>) {
        if variant.absence < self.absence {
            self.absence = variant.absence;
            self.candidates.clear();
        }
        let candidate = Candidate { entry: entry as u32, absent: variant.absent };
        // `[[a]]/[[b]]` comes here twice for paths of one segment; the first goes before.
        if variant.absence == self.absence && self.candidates.iter().all(|other| other.entry != candidate.entry) {
            self.candidates.push(candidate);
        }
    }
}

/// Returns the path that these segments are, if none has a parameter.
fn static_path(segments: &[&Segment]) -> Option<Box<str>> {
    let texts = segments.iter().map(|segment| match segment {
        Segment::Static(text) => Some(text.as_str()),
        _ => None,
    });
    Some(path::canonical(texts.collect::<Option<Vec<_>>>()?.into_iter()).into())
}

/// Takes the parameters of a route from a path that it matches, leaving out what `absent` says.
fn params(route: &Route, absent: u32, mut path: Segments<'_>) -> Params {
    let mut params = Params::new();
    for (at, segment) in route.segments.iter().enumerate() {
        let is_absent = absent & (1 << at) != 0;
        let value = match segment {
            Segment::OptionalCatchAll { .. } if is_absent => Param::Many(Vec::new()),
            Segment::CatchAll { .. } | Segment::OptionalCatchAll { .. } => Param::Many(path.by_ref().map(String::from).collect()),
            Segment::Optional { .. } if is_absent => Param::Absent,
            Segment::Optional { .. } => Param::One(path.next().unwrap_or_default().into()),
            Segment::Param { prefix, suffix, .. } => {
                let text = path.next().unwrap_or_default();
                let value = between(text, prefix, suffix).map(str::to_owned);
                Param::One(value.or_else(|| Some(between(&composed(text), prefix, suffix)?.to_owned())).unwrap_or_default())
            }
            Segment::Static(_) => {
                path.next();
                continue;
            }
        };
        params.extend(segment.name().map(|name| (name.clone(), value)));
    }
    params
}

/// Returns what stands between two literals, if they are there and something is.
pub(super) fn between<'t>(text: &'t str, prefix: &str, suffix: &str) -> Option<&'t str> {
    text.strip_prefix(prefix)?.strip_suffix(suffix).filter(|value| !value.is_empty())
}

#[cfg(test)]
pub(super) mod tests;
