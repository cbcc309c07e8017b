//! A request, put together from plain data. Nothing of it but method, host and path can be shown.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::Value;
use url::Url;

use super::{UrlError, check_url, parse_url};
use crate::bounded::BoundedWriter;

/// Bytes of a body.
pub const MAX_BODY_BYTES: usize = 4 << 20;
/// Headers of a request.
pub const MAX_HEADERS: usize = 100;
/// Bytes of all headers together.
const MAX_HEADERS_BYTES: usize = 64 << 10;
/// Redirects that are followed where nobody says otherwise.
pub const DEFAULT_REDIRECTS: u32 = 3;
/// The most redirects that can be asked for.
pub const MAX_REDIRECTS: u32 = 10;
/// The most further tries that can be asked for.
pub const MAX_RETRIES: u32 = 5;

/// Headers that belong to the connection or follow from the rest of the request; so does every one that begins with `proxy-`.
const RESERVED: [HeaderName; 8] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::EXPECT,
];
/// The same, but without a name in the crate.
const RESERVED_NAMES: [&str; 2] = ["keep-alive", "http2-settings"];

/// A request that makes no sense, which is the script's mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The URL cannot be asked for.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The method is none.
    #[error("`{0}` is no method that can be sent; write `GET`, `POST`, `PUT`, `PATCH`, `DELETE`, `HEAD` or `OPTIONS`")]
    Method(String),
    /// The header is the client's own.
    #[error("the header `{0}` cannot be set: it follows from the request or belongs to the connection")]
    ReservedHeader(String),
    /// The name of a header is none.
    #[error("`{0}` is no name of a header")]
    HeaderName(String),
    /// The value has characters that no header can have.
    #[error("the value of the header `{0}` has a line break or another character that no header can have")]
    HeaderValue(String),
    /// Too many, or too large.
    #[error("the request has more than {MAX_HEADERS} headers, or more than {} KiB of them", MAX_HEADERS_BYTES >> 10)]
    TooManyHeaders,
    /// A request has one body.
    #[error("the request has two bodies; give one of `json`, `form` and `body`")]
    TwoBodies,
    /// The body is larger than [`MAX_BODY_BYTES`].
    #[error("the body is larger than {} MiB", MAX_BODY_BYTES >> 20)]
    LargeBody,
    /// More than can be asked for.
    #[error("`{key}` is {value}; it can be {most} at most")]
    TooMany {
        /// The option.
        key: &'static str,
        /// What was asked for.
        value: u32,
        /// What is possible.
        most: u32,
    },
}

/// A request to another service.
#[derive(Clone, PartialEq)]
pub struct OutboundRequest {
    method: Method,
    /// As the script has it; parameters that may be secrets are in `parameters`.
    url: Url,
    parameters: Vec<(String, String)>,
    headers: HeaderMap,
    body: Option<Bytes>,
    /// For the whole, with waiting for a place, further tries and redirects.
    pub timeout: Duration,
    /// Bytes of an answer: its body when it is unpacked, and its headers.
    pub max_response_bytes: usize,
    /// Further tries, where one is safe.
    pub retries: u32,
    /// Redirects that are followed. With 0 the answer that redirects is the answer.
    pub redirects: u32,
}

impl OutboundRequest {
    /// Copies all of it. A clone has the bytes of the body and of the headers in common with this.
    pub fn copied(&self) -> Self {
        let value = |value: &HeaderValue| {
            let mut copy = HeaderValue::from_bytes(value.as_bytes()).expect("it was a value before");
            copy.set_sensitive(value.is_sensitive());
            copy
        };
        let name = |name: &HeaderName| HeaderName::from_bytes(name.as_str().as_bytes()).expect("it was a name before");
        let headers = self.headers.iter().map(|(header, held)| (name(header), value(held))).collect();
        let body = self.body.as_ref().map(|body| Bytes::copy_from_slice(body));
        Self {
            method: self.method.clone(),
            url: self.url.clone(),
            parameters: self.parameters.clone(),
            headers,
            body,
            timeout: self.timeout,
            max_response_bytes: self.max_response_bytes,
            retries: self.retries,
            redirects: self.redirects,
        }
    }

    /// Begins a request without headers and body.
    pub fn new(method: &str, url: &str, timeout: Duration, max_response_bytes: usize) -> Result<Self, RequestError> {
        let url = parse_url(url)?;
        let method = parse_method(method)?;
        Ok(Self {
            method,
            url,
            parameters: Vec::new(),
            headers: HeaderMap::new(),
            body: None,
            timeout,
            max_response_bytes,
            retries: 0,
            redirects: DEFAULT_REDIRECTS,
        })
    }

    /// Adds a parameter to the URL, percent-encoded. Nobody sees it: it may be a secret.
    pub fn parameter(mut self, name: &str, value: &str) -> Result<Self, RequestError> {
        self.parameters.push((name.into(), value.into()));
        check_url(&self.full_url())?;
        Ok(self)
    }

    /// Adds a header; a second one of the same name stands beside it.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, RequestError> {
        let shown = || name.chars().take(64).collect::<String>().escape_debug().to_string();
        let parsed = HeaderName::try_from(name).map_err(|_| RequestError::HeaderName(shown()))?;
        let is_reserved = RESERVED.contains(&parsed) || RESERVED_NAMES.contains(&parsed.as_str()) || parsed.as_str().starts_with("proxy-");
        if is_reserved {
            return Err(RequestError::ReservedHeader(shown()));
        }
        let mut value = HeaderValue::try_from(value).map_err(|_| RequestError::HeaderValue(shown()))?;
        value.set_sensitive(true);
        self.headers.append(parsed, value);
        let bytes: usize = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if self.headers.len() > MAX_HEADERS || bytes > MAX_HEADERS_BYTES {
            return Err(RequestError::TooManyHeaders);
        }
        Ok(self)
    }

    /// Says which trace the request belongs to, unless a header of the script says so.
    #[must_use]
    pub fn traceparent(mut self, context: &str) -> Self {
        if let Ok(value) = HeaderValue::try_from(context) {
            self.headers.entry("traceparent").or_insert(value);
        }
        self
    }

    /// Sends a value as JSON.
    pub fn json(self, value: &Value) -> Result<Self, RequestError> {
        let mut body = BoundedWriter::new(MAX_BODY_BYTES);
        serde_json::to_writer(&mut body, value).map_err(|_| RequestError::LargeBody)?;
        self.with_body(body.into_bytes().into(), "application/json")
    }

    /// Sends fields as a form of a page does.
    pub fn form<'a>(self, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, RequestError> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let mut bytes = 0;
        for (name, value) in fields {
            bytes += name.len() + value.len();
            if bytes > MAX_BODY_BYTES {
                return Err(RequestError::LargeBody);
            }
            form.append_pair(name, value);
        }
        self.with_body(form.finish().into(), "application/x-www-form-urlencoded")
    }

    /// Sends a text.
    pub fn text(self, text: String) -> Result<Self, RequestError> {
        self.with_body(text.into(), "text/plain; charset=utf-8")
    }

    /// Sends bytes.
    pub fn bytes(self, bytes: Vec<u8>) -> Result<Self, RequestError> {
        self.with_body(bytes.into(), "application/octet-stream")
    }

    fn with_body(mut self, body: Bytes, content_type: &'static str) -> Result<Self, RequestError> {
        if body.len() > MAX_BODY_BYTES {
            return Err(RequestError::LargeBody);
        }
        if self.body.replace(body).is_some() {
            return Err(RequestError::TwoBodies);
        }
        self.headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static(content_type));
        Ok(self)
    }

    /// Asks for further tries.
    pub fn retries(self, retries: u32) -> Result<Self, RequestError> {
        let too_many = RequestError::TooMany { key: "retry", value: retries, most: MAX_RETRIES };
        if retries > MAX_RETRIES { Err(too_many) } else { Ok(Self { retries, ..self }) }
    }

    /// Says how many redirects are followed.
    pub fn redirects(self, redirects: u32) -> Result<Self, RequestError> {
        let too_many = RequestError::TooMany { key: "redirects", value: redirects, most: MAX_REDIRECTS };
        if redirects > MAX_REDIRECTS { Err(too_many) } else { Ok(Self { redirects, ..self }) }
    }

    /// Returns the method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the URL as the script has it, without added parameters.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the URL that is asked for. It may hold secrets.
    pub fn full_url(&self) -> Url {
        let mut url = self.url.clone();
        if !self.parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.parameters);
        }
        url
    }

    /// Returns the headers. They may hold secrets.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the body. It may hold secrets.
    pub fn body(&self) -> Option<&Bytes> {
        self.body.as_ref()
    }

    /// Describes it in one line: `GET api.example.org/b`.
    pub fn line(&self) -> String {
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{} {}{port}{}", self.method, self.url.host_str().unwrap_or_default(), self.url.path())
    }
}

impl fmt::Debug for OutboundRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line())
    }
}

/// Bytes of a method's name.
const MAX_METHOD_BYTES: usize = 32;

fn parse_method(text: &str) -> Result<Method, RequestError> {
    let method = Method::from_bytes(text.to_ascii_uppercase().as_bytes()).ok().filter(|_| text.len() <= MAX_METHOD_BYTES);
    // A tunnel, and what shows headers to whoever asks.
    let method = method.filter(|method| ![Method::CONNECT, Method::TRACE].contains(method));
    method.ok_or_else(|| RequestError::Method(text.chars().take(MAX_METHOD_BYTES).collect::<String>().escape_debug().to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(method: &str, url: &str) -> Result<OutboundRequest, RequestError> {
        OutboundRequest::new(method, url, Duration::from_secs(1), 1 << 20)
    }

    fn post() -> OutboundRequest {
        request("post", "https://api.example.org:8443/v1/a?b=c#d").unwrap()
    }

    #[test]
    fn nothing_that_may_be_secret_is_shown() {
        let request = post().parameter("key", "sesame").unwrap().header("Authorization", "Bearer sesame").unwrap();
        let request = request.json(&json!({ "key": "sesame" })).unwrap();
        assert_eq!(format!("{request:?} {}", request.line()), "POST api.example.org:8443/v1/a POST api.example.org:8443/v1/a");
        assert!(!format!("{:?} {}", request.headers(), request.url()).contains("sesame"));
        assert_eq!(request.full_url().as_str(), "https://api.example.org:8443/v1/a?b=c&key=sesame");
    }

    #[test]
    fn a_body_brings_its_content_type_unless_there_is_one() {
        let sent = |request: OutboundRequest| {
            let content_type = request.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
            (String::from_utf8(request.body().unwrap().to_vec()).unwrap(), content_type)
        };
        for (request, body, content_type) in [
            (post().json(&json!({ "a": [1, null] })), "{\"a\":[1,null]}", "application/json"),
            (post().text("ä".into()), "ä", "text/plain; charset=utf-8"),
            (post().bytes(b"a".to_vec()), "a", "application/octet-stream"),
            (post().form([("a b", "ä&"), ("c", "")]), "a+b=%C3%A4%26&c=", "application/x-www-form-urlencoded"),
            (post().header("content-type", "text/csv").unwrap().text("a,b".into()), "a,b", "text/csv"),
        ] {
            assert_eq!(sent(request.unwrap()), (body.into(), content_type.into()));
        }
    }

    #[test]
    fn parameters_are_encoded() {
        let request = request("GET", "https://example.org").unwrap().parameter("q", "a b&c=ä").unwrap();
        assert_eq!(request.full_url().as_str(), "https://example.org/?q=a+b%26c%3D%C3%A4");
    }

    #[test]
    fn methods_are_written_large() {
        let method = |text| request(text, "https://example.org").map(|request| request.method().as_str().to_owned());
        for (text, name) in [("get", "GET"), ("PATCH", "PATCH"), ("propfind", "PROPFIND")] {
            assert_eq!(method(text).as_deref(), Ok(name));
        }
        for wrong in ["", "connect", "TRACE", "GET /", "GET\r\nx: y", &"A".repeat(MAX_METHOD_BYTES + 1)] {
            assert!(matches!(method(wrong), Err(RequestError::Method(_))), "{wrong}");
        }
    }

    #[test]
    fn a_request_that_makes_no_sense_says_why() {
        let header = |name: &str, value: &str| post().header(name, value).unwrap_err().to_string();
        for name in ["host", "Content-Length", "transfer-encoding", "Connection", "te", "trailer", "upgrade", "expect", "keep-alive"] {
            assert!(header(name, "x").contains("cannot be set"), "{name}");
        }
        assert!(header("Proxy-Authorization", "x").contains("cannot be set"));
        assert!(header("http2-settings", "x").contains("cannot be set"));
        assert_eq!(header("a b", "x"), "`a b` is no name of a header");
        for wrong in ["sesame\r\nx: y", "sesame\0", "sesame\u{7f}"] {
            let told = header("x-key", wrong);
            assert!(told.contains("`x-key`") && !told.contains("sesame"), "{told}");
        }
        let many = (0..MAX_HEADERS).try_fold(post(), |request, at| request.header(&format!("x-{at}"), "1")).unwrap();
        assert_eq!(many.header("x-more", "1"), Err(RequestError::TooManyHeaders));
        assert_eq!(post().header("x", &"a".repeat(MAX_HEADERS_BYTES)), Err(RequestError::TooManyHeaders));
        assert_eq!(post().parameter("a", &"a".repeat(9_000)), Err(RequestError::Url(UrlError::Long)));
        assert_eq!(post().text("a".into()).unwrap().json(&json!(1)), Err(RequestError::TwoBodies));
        let (large, most) = ("a".repeat(MAX_BODY_BYTES + 1), "a".repeat(MAX_BODY_BYTES));
        assert!(post().text(most.clone()).is_ok());
        assert_eq!(post().json(&json!(most)), Err(RequestError::LargeBody));
        assert_eq!(post().form([("a", large.as_str())]), Err(RequestError::LargeBody));
        assert_eq!(post().bytes(large.into()), Err(RequestError::LargeBody));
        assert_eq!(post().retries(6).unwrap_err().to_string(), "`retry` is 6; it can be 5 at most");
        assert_eq!(post().redirects(11).unwrap_err().to_string(), "`redirects` is 11; it can be 10 at most");
    }

    #[test]
    fn a_script_s_own_trace_counts() {
        let value = |request: OutboundRequest| request.headers()["traceparent"].to_str().unwrap().to_owned();
        assert_eq!(value(post().traceparent("00-a-b-01")), "00-a-b-01");
        assert_eq!(value(post().header("traceparent", "mine").unwrap().traceparent("00-a-b-01")), "mine");
    }
}
