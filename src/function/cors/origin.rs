//! Where a page comes from: its scheme, host and port.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{SeqAccess, Visitor, value::SeqAccessDeserializer},
};

/// A page's scheme, host and port, as browsers send them; or any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) enum Origin {
    /// `*`
    Any,
    /// `https://example.org`
    One(String),
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Any => "*".into(),
            Origin::One(origin) => origin,
        }
    }
}

impl TryFrom<String> for Origin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let wrong = |hint: &str| Err(format!("`{}` is no origin\nhint: {hint}", text.escape_debug()));
        let Some((scheme, rest)) = text.split_once("://") else {
            let host: String = text.trim_matches('/').into();
            return wrong(&match is_host(&host) && host.contains('.') {
                true => format!("write the scheme, too: `https://{host}`"),
                false => EXAMPLE.into(),
            });
        };
        if let Some((host, _)) = rest.split_once('/') {
            return wrong(&format!("it has no path: `{scheme}://{host}`"));
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte));
        if !is_scheme || !is_host(host) || port.is_some_and(|port| port.parse::<u16>().is_err() || port.starts_with('+')) {
            return wrong(EXAMPLE);
        }
        let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
        // Browsers leave out the port that goes with the scheme.
        let port = port.filter(|port| !matches!((scheme.as_str(), *port), ("https", "443") | ("http", "80")));
        Ok(Self::One(format!("{scheme}://{host}{}", port.map_or(String::new(), |port| format!(":{port}")))))
    }
}

const EXAMPLE: &str = "write it as browsers send it: `https://example.org`, `http://localhost:5173`, or `*` for any";

fn is_host(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match inner {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
    }
}

/// Reads a list; a single origin need not be in one.
pub(super) fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Origin>, D::Error> {
    struct OneOrMore;
    impl<'de> Visitor<'de> for OneOrMore {
        type Value = Vec<Origin>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("origins such as [\"https://example.org\"]")
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Origin::try_from(text.to_owned()).map(|origin| vec![origin]).map_err(E::custom)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(items))
        }
    }
    deserializer.deserialize_any(OneOrMore)
}
