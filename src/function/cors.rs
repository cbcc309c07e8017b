//! `[cors]`: which pages of other origins may call a function from a browser. The same keys in a front-matter and in `picloud.toml`.

use std::{fmt, time::Duration};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{SeqAccess, Visitor, value::SeqAccessDeserializer},
};

use super::{quantity::Span, route::Method};

/// Who may call from a browser, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Keys", into = "Keys")]
pub struct Cors {
    origins: Vec<Origin>,
    /// The methods that pages may use; none: those that are answered there.
    pub methods: Option<Vec<Method>>,
    /// The headers that pages may send, in lower case; none: those that a browser asks for.
    pub headers: Option<Vec<String>>,
    /// Whether browsers may send cookies along, and what else they keep for the function's origin.
    pub credentials: bool,
    /// For how long browsers may remember the answer.
    pub max_age: Duration,
}

/// How long browsers remember the answer where nobody says otherwise.
const MAX_AGE: Span = Span::seconds(600);

impl Cors {
    /// Returns whether any page may call: no origin is named, and none is kept out.
    pub fn is_for_any(&self) -> bool {
        self.origins.contains(&Origin::Any)
    }

    /// Returns whether no page may call: that is how a function takes itself out of what the node says.
    pub fn is_off(&self) -> bool {
        self.origins.is_empty()
    }

    /// Returns whether pages of this origin, as a browser sends it, may call.
    pub fn allows(&self, origin: &[u8]) -> bool {
        self.origins.iter().any(|allowed| match allowed {
            Origin::Any => true,
            Origin::One(allowed) => allowed.as_bytes() == origin,
        })
    }
}

/// The keys as they are written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(deserialize_with = "one_or_more")]
    origins: Vec<Origin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    methods: Option<Vec<Method>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    headers: Option<Vec<HeaderWord>>,
    #[serde(default)]
    credentials: bool,
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "as_written")]
    max_age: Option<Span>,
}

impl TryFrom<Keys> for Cors {
    type Error = &'static str;

    fn try_from(keys: Keys) -> Result<Self, Self::Error> {
        if keys.credentials && keys.origins.contains(&Origin::Any) {
            return Err(
                "`credentials = true` does not go with the origin `*`: browsers refuse it\nhint: name the origins: `origins = [\"https://example.org\"]`",
            );
        }
        Ok(Self {
            origins: keys.origins,
            methods: keys.methods,
            headers: keys.headers.map(|headers| headers.into_iter().map(|HeaderWord(name)| name).collect()),
            credentials: keys.credentials,
            max_age: keys.max_age.unwrap_or(MAX_AGE).0,
        })
    }
}

impl From<Cors> for Keys {
    fn from(cors: Cors) -> Self {
        Self {
            origins: cors.origins,
            methods: cors.methods,
            headers: cors.headers.map(|headers| headers.into_iter().map(HeaderWord).collect()),
            credentials: cors.credentials,
            max_age: Some(Span(cors.max_age)),
        }
    }
}

fn as_written<S: Serializer>(span: &Option<Span>, serializer: S) -> Result<S::Ok, S::Error> {
    match span {
        Some(span) => serializer.collect_str(span),
        None => serializer.serialize_none(),
    }
}

/// A page's scheme, host and port, as browsers send them; or any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
enum Origin {
    Any,
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

/// The name of a header, in lower case.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String")]
struct HeaderWord(String);

impl TryFrom<String> for HeaderWord {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match http::HeaderName::from_bytes(text.as_bytes()) {
            Ok(name) if text != "*" => Ok(Self(name.as_str().into())),
            _ => Err(format!("`{}` is no header\nhint: name each, or leave `headers` out: then any may be sent", text.escape_debug())),
        }
    }
}

/// Reads a list; a single origin need not be in one.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Origin>, D::Error> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::toml_text;

    fn parse(text: &str) -> Result<Cors, String> {
        toml_text::parse(text).map_err(|problem| {
            let at = problem.position;
            format!("{}:{}: {problem}\n  hint: {}", at.line, at.column, problem.hint.as_deref().unwrap_or_default())
        })
    }

    #[test]
    fn an_origin_is_compared_as_browsers_send_it() {
        for (written, sent, is_allowed) in [
            ("https://example.org", "https://example.org", true),
            ("HTTPS://Example.ORG:443", "https://example.org", true),
            ("http://localhost:80", "http://localhost", true),
            ("http://localhost:5173", "http://localhost:5173", true),
            ("http://[::1]:5173", "http://[::1]:5173", true),
            ("http://[::1]", "http://[::1]", true),
            ("capacitor://localhost", "capacitor://localhost", true),
            ("https://example.org", "http://example.org", false),
            ("https://example.org", "https://example.org:8443", false),
            ("https://example.org", "https://example.org.evil", false),
            ("https://example.org", "https://www.example.org", false),
            ("https://example.org", "null", false),
            ("*", "https://example.org", true),
            ("*", "null", true),
        ] {
            let cors = parse(&format!("origins = [\"{written}\"]")).unwrap();
            assert_eq!(cors.allows(sent.as_bytes()), is_allowed, "{written} {sent}");
            assert_eq!(parse(&format!("origins = \"{written}\"")).unwrap(), cors);
        }
        assert!(parse("origins = []").unwrap().is_off());
    }

    #[test]
    fn what_is_written_comes_back() {
        let text = "origins = [\"https://a.example\"]\nmethods = [\"PUT\"]\nheaders = [\"X-A\"]\ncredentials = true\nmax_age = \"1m\"";
        let cors = parse(text).unwrap();
        assert_eq!((cors.headers.as_deref(), cors.max_age), (Some(&["x-a".to_owned()][..]), Duration::from_secs(60)));
        assert_eq!(serde_json::from_str::<Cors>(&serde_json::to_string(&cors).unwrap()).unwrap(), cors);
    }

    #[test]
    fn every_mistake_says_where_and_what_to_do() {
        let found: Vec<String> = [
            "origins = [\"example.org\"]",
            "origins = [\"https://a.example\",\n  \"https://example.org/path\"]",
            "origins = [\"https://example.org/\"]",
            "origins = \"https://*.example.org\"",
            "origins = [\"https://ä.example\"]",
            "origins = [\"https://example.org:http\"]",
            "origins = [\"null\"]",
            "origins = [\"\"]",
            "origins = true",
            "credentials = true",
            "\norigins = \"*\"\ncredentials = true",
            "origin = [\"*\"]",
            "origins = \"*\"\nmethods = [\"FETCH\"]",
            "origins = \"*\"\nheaders = [\"*\"]",
            "origins = \"*\"\nheaders = [\"x a\"]",
            "origins = \"*\"\nmax_age = 5",
        ]
        .iter()
        .map(|text| parse(text).unwrap_err())
        .collect();
        insta::assert_snapshot!(found.join("\n"));
    }
}
