//! The parts of a request as values.

use http::HeaderName;
use rhai::{Dynamic, Map};

use super::Run;
use crate::{
    engine::value::sizes::Sizes,
    execution::{HttpRequest, Param},
};

/// Bytes of the longest text that names something of a run, such as a version or an address.
const IDS: usize = 256;

impl Run {
    /// Returns how large the largest values are that a script can read from this request. Above half of what is allowed they are exact;
    /// below it they may be less than said here.
    pub fn sizes(&self, allowed: Sizes) -> Sizes {
        let HttpRequest { uri, headers, params, body, .. } = &self.invocation.request;
        let texts = headers.values().map(|value| value.len() + 2).sum::<usize>() + uri.path().len() + uri.query().map_or(0, str::len);
        // A byte that is not UTF-8 becomes a character of three.
        let head = Sizes {
            string: 3 * texts + self.function.name.as_str().len() + IDS,
            array: uri.path().len(),
            map: headers.keys_len().max(params.len()),
        };
        let query = uri.query().map_or(0, str::len);
        let most = Sizes { string: 3 * body.len(), array: body.len().max(query), map: body.len().max(query) / 2 + 1 };
        if most.or(head).fits(allowed.half()) {
            return most.or(head);
        }
        let pairs = self.pairs().count();
        self.body.sizes().or(head).or(Sizes { string: 0, array: body.len().max(pairs), map: pairs })
    }

    /// Whether the body is a constant: no script of this run changes what it reads of it.
    pub fn is_body_constant(&self) -> bool {
        !self.copies_body
    }

    /// Returns the body as Rhai reads it. It is shared, so that reading one field of a large body copies no more than that. It is
    /// read-only, so that no method changes it. `let b = ctx.request.body` makes a copy.
    pub(super) fn shared_body(&mut self) -> Dynamic {
        if self.copies_body {
            return self.body.to_rhai();
        }
        let body = &self.body;
        self.rhai_body.get_or_insert_with(|| body.to_rhai().into_read_only().into_shared()).clone()
    }

    /// The names and values of the query, decoded, in order.
    pub(super) fn pairs(&self) -> form_urlencoded::Parse<'_> {
        form_urlencoded::parse(self.invocation.request.uri.query().unwrap_or_default().as_bytes())
    }

    pub(super) fn query(&mut self) -> Map {
        if self.query.is_none() {
            let mut map = Map::new();
            for (key, value) in self.pairs() {
                map.entry(key.as_ref().into()).or_insert_with(|| value.as_ref().into());
            }
            self.query = Some(map);
        }
        self.query.clone().unwrap_or_default()
    }

    pub(super) fn query_all(&self) -> Map {
        let mut map = Map::new();
        for (key, value) in self.pairs() {
            let values = map.entry(key.as_ref().into()).or_insert_with(|| Dynamic::from_array(Vec::new()));
            if let Ok(mut values) = values.as_array_mut() {
                values.push(value.as_ref().into());
            }
        }
        map
    }

    pub(super) fn headers(&mut self) -> Map {
        if self.headers.is_none() {
            let names = self.invocation.request.headers.keys();
            self.headers = Some(names.filter_map(|name| Some((name.as_str().into(), self.header(name)?.into()))).collect());
        }
        self.headers.clone().unwrap_or_default()
    }

    /// Returns a header's value. Several values of one name are joined: by a comma as in RFC 9110, section 5.3, cookies by a semicolon as
    /// in RFC 9113, section 8.2.3.
    pub(super) fn header(&self, name: &HeaderName) -> Option<String> {
        let separator = if name == http::header::COOKIE { "; " } else { ", " };
        let values =
            self.invocation.request.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        values.reduce(|joined, value| joined + separator + value.as_str())
    }

    pub(super) fn params(&self) -> Map {
        self.invocation.request.params.iter().map(|(name, param)| (name.as_ref().into(), param_value(param))).collect()
    }
}

pub(super) fn param_value(param: &Param) -> Dynamic {
    match param {
        Param::Absent => Dynamic::UNIT,
        Param::One(text) => text.as_str().into(),
        Param::Many(segments) => Dynamic::from_array(segments.iter().map(|segment| segment.as_str().into()).collect()),
    }
}
