//! What scripts read of the request, as values of the evaluator's own.

use http::HeaderName;
use rhai::ImmutableString;

use super::{
    Run,
    properties::{BODY, Getter, OF_CTX, OF_REQUEST, PATH, REQUEST},
};
use crate::{
    engine::{
        own::{Map, Value},
        value::read,
    },
    execution::Param,
};

/// A part of the request that is read without the rest.
#[derive(Debug)]
pub enum Reading {
    /// `ctx.request.body`
    Body,
    /// `ctx.request.method`
    Method,
    /// `ctx.request.path`
    Path,
    /// `ctx.request.params`
    Params,
    /// `ctx.request.params.…`
    Param(ImmutableString),
    /// `ctx.request.query`
    Query,
    /// `ctx.request.query.…`
    QueryEntry(ImmutableString),
    /// `ctx.request.headers`
    Headers,
    /// `ctx.request.headers.…`
    Header(HeaderName),
    /// `ctx.event`
    Event,
    /// Any other property of `ctx` or of `ctx.request`.
    Other(Getter),
}

impl Reading {
    /// Finds what `ctx` followed by these names is, and how many of the names say it.
    pub fn of(names: &[ImmutableString]) -> Option<(Self, usize)> {
        let first = names.first()?.as_str();
        if first != REQUEST {
            let getter = OF_CTX.iter().find(|(name, _)| *name == first)?.1;
            return Some((if first == "event" { Self::Event } else { Self::Other(getter) }, 1));
        }
        let second = names.get(1)?.as_str();
        let getter = OF_REQUEST.iter().find(|(name, _)| *name == second)?.1;
        let entry = names.get(2).and_then(|key| match second {
            "params" => Some(Self::Param(key.clone())),
            "query" => Some(Self::QueryEntry(key.clone())),
            "headers" => HeaderName::from_lowercase(key.as_bytes()).ok().map(Self::Header),
            _ => None,
        });
        Some(match entry {
            Some(entry) => (entry, 3),
            None => {
                let whole = match second {
                    BODY => Self::Body,
                    "method" => Self::Method,
                    PATH => Self::Path,
                    "params" => Self::Params,
                    "query" => Self::Query,
                    "headers" => Self::Headers,
                    _ => Self::Other(getter),
                };
                (whole, 2)
            }
        })
    }

    /// Whether it is the body.
    pub fn is_body(&self) -> bool {
        matches!(self, Self::Body)
    }

    /// Reads it; what is not there is `()`.
    pub fn read(&self, run: &mut Run) -> Value {
        match self {
            Self::Body => run.body.clone(),
            Self::Method => run.invocation.request.method.as_str().into(),
            Self::Path => run.invocation.request.uri.path().into(),
            Self::Params => {
                let params = run.invocation.request.params.iter();
                map(params.map(|(name, param)| (name.as_ref().into(), param_value(param))))
            }
            Self::Param(key) => {
                let param = run.invocation.request.params.iter().find(|(name, _)| **name == *key.as_str());
                param.map_or(Value::Unit, |(_, param)| param_value(param))
            }
            Self::Query => {
                if run.own_query.is_none() {
                    run.own_query = Some(run.query_map());
                }
                run.own_query.clone().unwrap_or_default()
            }
            Self::QueryEntry(key) => {
                run.pairs().find(|(name, _)| name == key.as_str()).map_or(Value::Unit, |(_, value)| value.as_ref().into())
            }
            Self::Headers => {
                if run.own_headers.is_none() {
                    let names = run.invocation.request.headers.keys();
                    let entries = names.filter_map(|name| Some((name.as_str().into(), run.header(name)?.into())));
                    run.own_headers = Some(map(entries));
                }
                run.own_headers.clone().unwrap_or_default()
            }
            Self::Header(name) => run.header(name).map_or(Value::Unit, Value::from),
            Self::Event => {
                let event = run.invocation.event.as_ref();
                event.map_or(Value::Unit, |event| Value::of(read::from_json(event.json.as_bytes()).unwrap_or_default()))
            }
            Self::Other(getter) => Value::of(getter(run)),
        }
    }
}

fn map(entries: impl Iterator<Item = (String, Value)>) -> Value {
    Value::Map(std::rc::Rc::new(entries.collect::<Map>()))
}

fn param_value(param: &Param) -> Value {
    match param {
        Param::Absent => Value::Unit,
        Param::One(text) => text.as_str().into(),
        Param::Many(segments) => Value::list(segments.iter().map(|segment| segment.as_str().into()).collect()),
    }
}

impl Run {
    fn query_map(&self) -> Value {
        let mut entries = Map::default();
        for (key, value) in self.pairs() {
            if entries.get(&key).is_none() {
                entries.insert(&key, value.as_ref().into());
            }
        }
        Value::Map(std::rc::Rc::new(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names, and what they read with the number of names that say it.
    type Case<'a> = (&'a [&'a str], Option<(&'a str, usize)>);

    #[test]
    fn names_say_what_is_read() {
        let read = |names: &[&str]| {
            let names: Vec<ImmutableString> = names.iter().map(|name| (*name).into()).collect();
            Reading::of(&names)
                .map(|(reading, taken)| (format!("{reading:?}").chars().take_while(char::is_ascii_alphabetic).collect(), taken))
        };
        let cases: [Case<'_>; 9] = [
            (&["version"], Some(("Other", 1))),
            (&["event", "kind"], Some(("Event", 1))),
            (&["request"], None),
            (&["request", "body", "items"], Some(("Body", 2))),
            (&["request", "query", "x"], Some(("QueryEntry", 3))),
            (&["request", "query"], Some(("Query", 2))),
            (&["request", "headers", "X"], Some(("Headers", 2))),
            (&["request", "wrong"], None),
            (&[], None),
        ];
        for (names, expected) in cases {
            assert_eq!(read(names), expected.map(|(name, taken)| (name.to_owned(), taken)), "{names:?}");
        }
    }
}
