//! `[cors]`: which pages of other origins may call a function from a browser. The same keys in a front-matter and in `picloud.toml`.

mod origin;

use std::time::Duration;

use origin::{Origin, one_or_more};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
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
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(deserialize_with = "one_or_more")]
    #[schema(value_type = Vec<String>)]
    origins: Vec<Origin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    methods: Option<Vec<Method>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    headers: Option<Vec<HeaderWord>>,
    #[serde(default)]
    credentials: bool,
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "as_written")]
    #[schema(value_type = Option<String>)]
    max_age: Option<Span>,
}

impl PartialSchema for Cors {
    fn schema() -> RefOr<Schema> {
        Keys::schema()
    }
}

impl ToSchema for Cors {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Keys::schemas(schemas);
    }
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
