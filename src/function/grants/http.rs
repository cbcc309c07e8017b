//! `[http] allow`: the places that a function may send requests to, by scheme, host and port.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, SeqAccess, Visitor, value::SeqAccessDeserializer},
};
use url::{Host, Url};

/// Entries of one list.
pub const MAX_ENTRIES: usize = 100;

/// The places that a function may send requests to. An empty list allows none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AllowList(Vec<Entry>);

/// One place, or those whose names differ in the first label: `https://api.example.org`, `http://10.0.0.5:9000`, `https://*.example.org`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Entry {
    is_https: bool,
    host: AllowedHost,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum AllowedHost {
    One(Host),
    /// Any one label before this name.
    Below(String),
}

/// How an entry names a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Naming {
    /// By a wildcard: whoever answers for the domain chooses the host.
    ByWildcard,
    /// By its own name or address.
    Exactly,
}

/// A URL that no entry allows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{origin}` is not in `allow` of `[http]`")]
pub struct NotAllowed {
    /// Scheme, host and port: what an entry would have to be.
    pub origin: String,
}

impl NotAllowed {
    /// Returns what to do.
    pub fn hint(&self) -> String {
        format!("add `\"{}\"` to the list `allow` of the section `[http]` in the front-matter", self.origin)
    }
}

impl AllowList {
    /// Returns how the list names the place of a URL.
    pub fn find(&self, url: &Url) -> Result<Naming, NotAllowed> {
        let named = self.0.iter().filter_map(|entry| entry.names(url)).max();
        named.ok_or_else(|| NotAllowed { origin: origin_of(url) })
    }

    /// Returns the entries, in the order in which they are written.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }
}

/// A single entry need not be in a list.
impl<'de> Deserialize<'de> for AllowList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = AllowList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("places such as [\"https://api.example.org\"]")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<AllowList, E> {
                Entry::parse(text).map(|entry| AllowList(vec![entry])).map_err(E::custom)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<AllowList, A::Error> {
                let entries: Vec<Entry> = Vec::deserialize(SeqAccessDeserializer::new(items))?;
                match entries.len() {
                    count if count > MAX_ENTRIES => {
                        Err(A::Error::custom(format!("{count} entries are too many\nhint: {MAX_ENTRIES} are possible")))
                    }
                    _ => Ok(AllowList(entries)),
                }
            }
        }
        deserializer.deserialize_any(OneOrMore)
    }
}

/// Errors are made where the text is read, so that they have its place and not that of the list.
impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Entry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a place such as \"https://api.example.org\"")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Entry, E> {
                Entry::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Returns scheme, host and port of a URL, without the port that goes with the scheme.
pub fn origin_of(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

impl Entry {
    /// Reads an entry; the error says why it is none, and on a second line what to write.
    fn parse(text: &str) -> Result<Self, String> {
        if text.contains('@') {
            // What stands before it may be a password.
            return Err(format!("an entry of `allow` has no user and no password\nhint: {EXAMPLE}"));
        }
        let wrong = |why: &str, hint: &str| Err(format!("`{}` {why}\nhint: {hint}", text.escape_debug()));
        let Some((scheme, rest)) = text.split_once("://") else {
            return wrong("has no scheme", &format!("write `https://{}`, or `http://`", text.escape_debug()));
        };
        let is_https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return wrong("is neither `https` nor `http`", EXAMPLE),
        };
        if let Some((host, _)) = rest.split_once(['/', '?', '#', '\\']) {
            return wrong("has a path", &format!("what is allowed is a whole host: `{scheme}://{}`", host.escape_debug()));
        }
        let (is_wildcard, name) = match rest.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, rest),
        };
        if name.contains('*') {
            return wrong("has a `*` where none can be", "it stands for one whole label at the left: `https://*.example.org`");
        }
        let url = Url::parse(&format!("{scheme}://{name}")).ok().filter(|_| !name.contains(|c: char| c.is_whitespace() || c.is_control()));
        let Some((host, port)) = url.as_ref().and_then(|url| Some((url.host()?.to_owned(), url.port_or_known_default()?))) else {
            return wrong("has no host, or one that cannot be", EXAMPLE);
        };
        let host = match host {
            _ if port == 0 => return wrong("has the port 0", EXAMPLE),
            Host::Domain(name) if is_wildcard && name.trim_end_matches('.').contains('.') => AllowedHost::Below(name),
            _ if is_wildcard => {
                return wrong("allows too much", "at least two labels stand after `*.`: `https://*.example.org`");
            }
            host => AllowedHost::One(host),
        };
        Ok(Self { is_https, host, port })
    }

    fn names(&self, url: &Url) -> Option<Naming> {
        let has_same_start = url.scheme() == self.scheme() && url.port_or_known_default() == Some(self.port);
        match (&self.host, url.host()?) {
            _ if !has_same_start => None,
            (AllowedHost::One(host), found) => (*host == found).then_some(Naming::Exactly),
            (AllowedHost::Below(name), Host::Domain(found)) => {
                let (first, rest) = found.split_once('.')?;
                (!first.is_empty() && rest == name).then_some(Naming::ByWildcard)
            }
            _ => None,
        }
    }

    fn scheme(&self) -> &'static str {
        if self.is_https { "https" } else { "http" }
    }
}

const EXAMPLE: &str = "write a scheme, a host and perhaps a port: `https://api.example.org`, `http://10.0.0.5:9000`";

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme())?;
        match &self.host {
            AllowedHost::One(host) => write!(f, "{host}")?,
            AllowedHost::Below(name) => write!(f, "*.{name}")?,
        }
        let known = if self.is_https { 443 } else { 80 };
        if self.port == known { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

impl From<Entry> for String {
    fn from(entry: Entry) -> Self {
        entry.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::toml_text;

    fn list(entries: &[&str]) -> AllowList {
        serde_json::from_value(entries.into()).unwrap()
    }

    #[test]
    fn an_entry_allows_its_scheme_host_and_port_and_nothing_else() {
        for (entry, allowed, refused) in [
            (
                "https://api.example.org",
                &["https://api.example.org/a?b", "https://API.example.org:443", "HTTPS://api.example.org"][..],
                &[
                    "http://api.example.org",
                    "https://api.example.org:8443",
                    "https://example.org",
                    "https://api.example.org.evil.org",
                    "https://xapi.example.org",
                    "https://api.example.org.",
                ][..],
            ),
            (
                "https://*.Example.org",
                &["https://a.example.org", "https://xn--bcher-kva.example.org"],
                &["https://example.org", "https://a.b.example.org", "https://.example.org", "https://aexample.org", "http://a.example.org"],
            ),
            ("http://10.0.0.5:9000", &["http://10.0.0.5:9000", "http://0x0a.5:9000"], &["http://10.0.0.5", "https://10.0.0.5:9000"]),
            ("http://[::1]:80", &["http://[0:0::1]"], &["http://[::2]", "http://127.0.0.1", "https://[::1]"]),
            ("https://Bücher.example", &["https://xn--bcher-kva.example", "https://BÜCHER.example"], &["https://bucher.example"]),
        ] {
            let list = list(&[entry]);
            let find = |url: &str| list.find(&Url::parse(url).unwrap());
            assert!(allowed.iter().all(|url| find(url).is_ok()), "{entry}");
            for url in refused {
                assert!(find(url).is_err(), "{entry} allows {url}");
            }
        }
        assert!(list(&[]).find(&Url::parse("https://example.org").unwrap()).is_err());
    }

    #[test]
    fn a_place_that_is_named_counts_more_than_a_wildcard() {
        let list = list(&["https://*.example.org", "https://a.example.org"]);
        let find = |url| list.find(&Url::parse(url).unwrap());
        assert_eq!(find("https://a.example.org"), Ok(Naming::Exactly));
        assert_eq!(find("https://b.example.org"), Ok(Naming::ByWildcard));
        let refused = find("http://b.example.org:8080/secret?key=sesame").unwrap_err();
        assert_eq!(refused.to_string(), "`http://b.example.org:8080` is not in `allow` of `[http]`");
    }

    #[test]
    fn an_entry_is_written_in_one_way() {
        for (text, written) in [
            ("HTTPS://API.Example.org:443", "https://api.example.org"),
            ("http://x:80", "http://x"),
            ("http://x:443", "http://x:443"),
            ("https://*.bücher.example:8443", "https://*.xn--bcher-kva.example:8443"),
            ("http://2130706433:9000", "http://127.0.0.1:9000"),
            ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
        ] {
            assert_eq!(serde_json::to_value(list(&[text])).unwrap(), serde_json::json!([written]), "{text}");
        }
    }

    #[test]
    fn what_is_no_entry_says_why_and_what_to_write() {
        #[derive(Debug, Deserialize)]
        struct Section {
            #[expect(dead_code, reason = "read by nobody: the test is about what does not parse")]
            allow: AllowList,
        }
        let cases = [
            "[\"https://api.example.org\", \"api.example.org\"]",
            "[\"https://api.example.org/v1\"]",
            "[\"https://api.example.org/\"]",
            "[\"https://ann:sesame@api.example.org\"]",
            "[\"ftp://example.org\"]",
            "[\"https://*\"]",
            "[\"https://*.org\"]",
            "[\"https://a.*.example.org\"]",
            "[\"https://a*.example.org\"]",
            "[\"https://*.10.0.0.1\"]",
            "[\"https://example.org:0\"]",
            "[\"https://example.org:99999\"]",
            "[\"https://example.org:*\"]",
            "[\"https://exa mple.org\"]",
            "[\"https://\"]",
            "[\"https://:80\"]",
            "[\"http://[::1\"]",
            "[\"http://fe80::1%eth0\"]",
            "[7]",
            "\"api.example.org\"",
        ];
        let found: Vec<String> = cases
            .iter()
            .map(|text| {
                let problem = toml_text::parse::<Section>(&format!("allow = {text}")).expect_err(text);
                format!("{}: {problem} ({})", problem.position.column, problem.hint.as_deref().unwrap_or_default())
            })
            .collect();
        assert!(!found.join("").contains("sesame"), "{found:?}");
        insta::assert_snapshot!(found.join("\n"));
        let many = vec!["https://example.org"; MAX_ENTRIES + 1];
        assert!(serde_json::from_value::<AllowList>(many.into()).unwrap_err().to_string().contains("101 entries are too many"));
    }
}
