//! Redirects: where the next request goes, and what of the last one goes along.

use http::{HeaderMap, HeaderName, Method, header};
use url::Origin;

use super::hop::{Answer, Hop};
use crate::capability::http::{ErrorKind, OutboundError, check_url};

/// Headers that go along to another origin. All others may be credentials, whatever they are called.
const HARMLESS: [HeaderName; 8] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::CONTENT_LANGUAGE,
    header::CONTENT_TYPE,
    header::RANGE,
    header::USER_AGENT,
    HeaderName::from_static("traceparent"),
];

/// Makes the request that an answer to `hop` asks for.
pub fn next(hop: &Hop, answer: &Answer, location: &[u8]) -> Result<Hop, OutboundError> {
    let host = hop.url.host_str().unwrap_or_default();
    let nowhere =
        |why: &str| OutboundError::new(ErrorKind::Redirect, format!("`{host}` redirects to a URL that cannot be asked for: {why}"));
    let location = str::from_utf8(location).map_err(|_| nowhere("it is no UTF-8"))?;
    let mut url = hop.url.join(location).map_err(|error| nowhere(&error.to_string()))?;
    check_url(&url).map_err(|error| nowhere(&error.to_string()))?;
    url.set_fragment(None);
    if hop.url.scheme() == "https" && url.scheme() == "http" {
        let message =
            format!("`{host}` redirects from https to http, to `{}`; such redirects are not followed", url.host_str().unwrap_or_default());
        return Err(OutboundError::new(ErrorKind::Blocked, message));
    }
    let keeps_body = matches!(answer.status.as_u16(), 307 | 308);
    // What browsers do since ever: a POST becomes a GET. 303 asks for it.
    let becomes_get = !keeps_body && (hop.method == Method::POST || answer.status.as_u16() == 303) && hop.method != Method::HEAD;
    let is_same_origin = is_same(&hop.url.origin(), &url.origin());
    let mut next = Hop { shown: url.clone(), url, ..hop.clone() };
    if becomes_get {
        next.method = Method::GET;
        next.body = None;
        [header::CONTENT_TYPE, header::CONTENT_LANGUAGE, header::CONTENT_ENCODING].iter().for_each(|name| drop(next.headers.remove(name)));
    }
    if !is_same_origin {
        next.headers = harmless(&next.headers);
    }
    Ok(next)
}

fn is_same(one: &Origin, other: &Origin) -> bool {
    one.is_tuple() && one == other
}

fn harmless(headers: &HeaderMap) -> HeaderMap {
    headers.iter().filter(|(name, _)| HARMLESS.contains(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderValue, StatusCode};
    use url::Url;

    use super::*;

    fn hop(method: Method, url: &str) -> Hop {
        let headers = [("authorization", "sesame"), ("x-key", "sesame"), ("cookie", "sesame"), ("accept", "*/*"), ("content-type", "a/b")];
        let headers = headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let url = Url::parse(url).unwrap();
        Hop { method, shown: url.clone(), url, headers: headers.into_iter().collect(), body: Some(Bytes::from_static(b"body")) }
    }

    fn follow(hop: Hop, status: u16, to: &str) -> Result<Hop, OutboundError> {
        let answer = Answer { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new(), body: Bytes::new() };
        next(&hop, &answer, to.as_bytes())
    }

    #[test]
    fn the_status_says_what_becomes_of_method_and_body() {
        let methods = [Method::GET, Method::HEAD, Method::POST, Method::PUT];
        for (status, after) in [
            (301, ["GET+", "HEAD+", "GET", "PUT+"]),
            (302, ["GET+", "HEAD+", "GET", "PUT+"]),
            (303, ["GET", "HEAD+", "GET", "GET"]),
            (307, ["GET+", "HEAD+", "POST+", "PUT+"]),
            (308, ["GET+", "HEAD+", "POST+", "PUT+"]),
        ] {
            for (method, after) in methods.iter().zip(after) {
                let next = follow(hop(method.clone(), "https://a.example/x"), status, "/y").unwrap();
                let told = format!("{}{}", next.method, if next.body.is_some() { "+" } else { "" });
                assert_eq!(told, after, "{status} {method}");
                assert_eq!(next.headers.contains_key("content-type"), next.body.is_some(), "{status} {method}");
                assert_eq!((next.url.as_str(), next.headers.contains_key("x-key")), ("https://a.example/y", true));
            }
        }
    }

    #[test]
    fn nothing_that_may_be_a_credential_goes_to_another_origin() {
        for (to, is_same) in [
            ("/b", true),
            ("https://a.example:443/b", true),
            ("https://A.example", true),
            ("//a.example/b", true),
            ("https://b.example", false),
            ("https://x.a.example", false),
            ("https://a.example:8443", false),
        ] {
            let next = follow(hop(Method::GET, "https://a.example/x"), 307, to).unwrap();
            assert_eq!(next.headers.len(), if is_same { 5 } else { 2 }, "{to}");
            assert!(next.headers.contains_key("accept") && next.headers.contains_key("content-type"));
        }
        let next = follow(hop(Method::GET, "http://a.example/x"), 307, "https://a.example/x").unwrap();
        assert_eq!(next.headers.len(), 2);
    }

    #[test]
    fn a_redirect_to_nowhere_says_why() {
        for (to, kind, why) in [
            ("http://a.example", ErrorKind::Blocked, "from https to http"),
            ("ftp://a.example", ErrorKind::Redirect, "begins with `ftp:`"),
            ("javascript:alert(1)", ErrorKind::Redirect, "begins with `javascript:`"),
            ("https://ann:sesame@b.example", ErrorKind::Redirect, "has a user or a password"),
            ("https://", ErrorKind::Redirect, "empty host"),
        ] {
            let error = follow(hop(Method::GET, "https://a.example/x"), 302, to).err().unwrap();
            assert_eq!(error.kind, kind);
            assert!(error.message.contains(why) && !error.message.contains("sesame"), "{error}");
        }
    }
}
