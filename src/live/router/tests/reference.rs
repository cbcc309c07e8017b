//! A slow matcher that follows the text of the contract and shares no code with the router but the data types. Used by `tests/fuzz/` too.

use crate::{
    execution::{Param, Params},
    function::route::{Matcher, Method, Methods, Route, Segment},
    live::Match,
};

/// One way in which a route can take a path: for each of its segments the texts that it takes.
type Way<'r> = Vec<(&'r Segment, Vec<String>)>;

/// Enumerates all ways, each optional part with and without.
fn ways<'r>(segments: &'r [Segment], path: &[String]) -> Vec<Way<'r>> {
    let Some((segment, later)) = segments.split_first() else {
        return if path.is_empty() { vec![Vec::new()] } else { Vec::new() };
    };
    let takes: Vec<usize> = match segment {
        Segment::Static(_) | Segment::Param { .. } => vec![1],
        Segment::Optional { .. } => vec![1, 0],
        Segment::CatchAll { .. } => (1..=path.len()).collect(),
        Segment::OptionalCatchAll { .. } => (0..=path.len()).collect(),
    };
    let mut found = Vec::new();
    for count in takes {
        if count <= path.len() && path[..count].iter().all(|text| fits(segment, text)) {
            for rest in ways(later, &path[count..]) {
                found.push([vec![(segment, path[..count].to_vec())], rest].concat());
            }
        }
    }
    found
}

fn fits(segment: &Segment, text: &str) -> bool {
    let looks_right = |matcher: &Option<Matcher>, text: &str| matcher.is_none_or(|matcher| matcher.accepts(text));
    match segment {
        Segment::Static(literal) => literal == text,
        Segment::Param { prefix, suffix, matcher, .. } => {
            text.len() > prefix.len() + suffix.len()
                && text.starts_with(prefix.as_str())
                && text.ends_with(suffix.as_str())
                && looks_right(matcher, &text[prefix.len()..text.len() - suffix.len()])
        }
        Segment::Optional { matcher, .. } => looks_right(matcher, text),
        Segment::CatchAll { .. } | Segment::OptionalCatchAll { .. } => true,
    }
}

/// Writes how specific a way is, as numbers that compare like precedence: the smaller goes first.
fn rank(way: &Way<'_>) -> (Vec<[usize; 4]>, u8) {
    let narrow = |matcher: &Option<Matcher>| match matcher {
        Some(Matcher::Uuid) => 0,
        Some(Matcher::Date) => 1,
        Some(Matcher::Int) => 2,
        Some(Matcher::Hex) => 3,
        Some(Matcher::Slug) => 4,
        None => 5,
    };
    let there = way.iter().filter(|(_, texts)| !texts.is_empty());
    let segments = there.map(|(segment, _)| match segment {
        Segment::Static(_) => [0, 0, 0, 0],
        Segment::Param { prefix, suffix, matcher, .. } if prefix.len() + suffix.len() > 0 => {
            [1, 1000 - prefix.len() - suffix.len(), 1000 - prefix.len(), narrow(matcher)]
        }
        Segment::Param { matcher, .. } => [2, narrow(matcher), 0, 0],
        Segment::Optional { matcher, .. } => [3, narrow(matcher), 0, 0],
        Segment::CatchAll { .. } => [4, 0, 0, 0],
        Segment::OptionalCatchAll { .. } => [5, 0, 0, 0],
    });
    let left_out = way.iter().filter(|(_, texts)| texts.is_empty()).map(|(segment, _)| match segment {
        Segment::OptionalCatchAll { .. } => 2,
        _ => 1,
    });
    (segments.collect(), left_out.max().unwrap_or(0))
}

fn params_of(way: &Way<'_>) -> Params {
    let value = |segment: &Segment, texts: &[String]| match (segment, texts) {
        (Segment::CatchAll { .. } | Segment::OptionalCatchAll { .. }, texts) => Param::Many(texts.to_vec()),
        (Segment::Param { prefix, suffix, .. }, [text]) => Param::One(text[prefix.len()..text.len() - suffix.len()].into()),
        (_, [text]) => Param::One(text.clone()),
        _ => Param::Absent,
    };
    way.iter().filter_map(|(segment, texts)| Some((segment.name()?.clone(), value(segment, texts)))).collect()
}

/// Says how well a function suits a method inside its path: suffix, then `GET` for `HEAD`, then no suffix.
fn suits(methods: &Methods, method: &str) -> Option<(u8, bool)> {
    match methods {
        Methods::Suffix(own) if own.as_str() == method => Some((0, false)),
        Methods::Suffix(Method::Get) if method == "HEAD" => Some((1, true)),
        Methods::Only(listed) if listed.iter().any(|own| own.as_str() == method) => Some((2, false)),
        Methods::Any if method != "OPTIONS" => Some((2, false)),
        Methods::Only(listed) if method == "HEAD" && listed.contains(&Method::Get) => Some((3, true)),
        _ => None,
    }
}

/// Finds by trying everything. `path` is decoded.
pub fn find<'r>(routes: &'r [(Route, usize)], method: &str, path: &[String]) -> Match<'r, usize> {
    let all =
        routes.iter().flat_map(|(route, value)| ways(&route.segments, path).into_iter().map(move |way| (rank(&way), way, route, value)));
    let mut all: Vec<_> = all.collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    let Some((best, ..)) = all.first().cloned() else { return Match::NotFound };
    let mut path: Vec<_> = all.into_iter().filter(|(rank, ..)| *rank == best).collect();
    // The leftmost optional takes the segment: a route's first way is the one to take.
    path.dedup_by_key(|(.., value)| **value);
    let best_for =
        |method: &str| path.iter().filter_map(|found| Some((suits(&found.2.methods, method)?, found))).min_by_key(|(suits, _)| suits.0);
    let allow = || Method::ALL.into_iter().filter(|method| *method == Method::Options || best_for(method.as_str()).is_some()).collect();
    match best_for(method) {
        Some(((_, head_from_get), (_, way, _, value))) => Match::Found { value, params: params_of(way), head_from_get },
        None if method == "OPTIONS" => Match::Options { allow: allow() },
        None => Match::MethodNotAllowed { allow: allow() },
    }
}
