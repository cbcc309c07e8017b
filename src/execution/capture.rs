//! A request as it is kept to be run again, without the headers that look like credentials.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::{EventInfo, HttpRequest, KeptResults, Params};

/// A request that a run was asked for by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    method: String,
    /// Path and query, as sent.
    uri: String,
    params: Params,
    /// Names and values, in their order. No value: it looked like a credential.
    headers: Vec<(String, Option<String>)>,
    /// In Base64; none: it was larger than is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    body_bytes: u64,
    /// What started the run, beside the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<EventInfo>,
    /// What its run got from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    results: Option<KeptResults>,
}

/// Why a request that was kept cannot be put together again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaptureError {
    /// It was larger than is kept.
    #[error("its body of {0} bytes was larger than is kept")]
    Body(u64),
    /// Its record is damaged.
    #[error("its record is damaged")]
    Damaged,
}

/// Parts of the names of headers whose values are never kept.
const SECRET_NAMES: [&str; 10] =
    ["authorization", "cookie", "token", "secret", "password", "passwd", "key", "signature", "credential", "session"];
/// What values that are credentials begin with, in lower case.
const SECRET_SCHEMES: [&str; 7] = ["bearer ", "basic ", "digest ", "negotiate ", "token ", "hawk ", "picloud_"];
/// What every JSON Web Token begins with: `{"` in Base64.
const JWT: &str = "eyJ";

impl Capture {
    /// Keeps a request, and its body if that has at most so many bytes.
    pub fn of(request: &HttpRequest, event: Option<&EventInfo>, max_body_bytes: usize) -> Self {
        let HttpRequest { method, uri, params, headers, body } = request;
        let kept = |(name, value): (&HeaderName, &HeaderValue)| {
            let text =
                (!is_credential(name.as_str(), value.as_bytes())).then(|| value.as_bytes().iter().map(|byte| char::from(*byte)).collect());
            (name.as_str().to_owned(), text)
        };
        Self {
            method: method.as_str().into(),
            uri: uri.path_and_query().map_or("/", |uri| uri.as_str()).into(),
            params: params.clone(),
            headers: headers.iter().map(kept).collect(),
            body: (body.len() <= max_body_bytes).then(|| BASE64_STANDARD.encode(body)),
            body_bytes: body.len() as u64,
            event: event.cloned(),
            results: None,
        }
    }

    /// Returns what started the run, beside the request.
    pub fn event(&self) -> Option<EventInfo> {
        self.event.clone()
    }

    /// Has its run's results kept as well, up to so many bytes.
    pub fn with_results(self, max_bytes: usize) -> Self {
        Self { results: Some(KeptResults::with_room(max_bytes)), ..self }
    }

    /// Takes the results out, to be added to or given again.
    pub fn take_results(&mut self) -> KeptResults {
        self.results.take().unwrap_or_else(|| KeptResults::with_room(0))
    }

    /// Puts results back.
    pub fn put_results(&mut self, results: KeptResults) {
        self.results = Some(results);
    }

    /// Returns the memory that its texts take, in bytes.
    pub fn size(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, String::len) + size_of_val(value));
        self.uri.len()
            + headers.sum::<usize>()
            + self.results.as_ref().map_or(0, KeptResults::size)
            + self.event.as_ref().map_or(0, |event| event.json.len())
            + self.body.as_ref().map_or(0, String::len)
    }

    /// Returns its method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Returns path and query, as sent.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Returns names and values of headers, in their order. No value: it looked like a credential.
    pub fn headers(&self) -> &[(String, Option<String>)] {
        &self.headers
    }

    /// Returns how many bytes its body had, and the body if it was kept.
    pub fn body(&self) -> (u64, Result<Vec<u8>, CaptureError>) {
        let kept = self.body.as_ref().ok_or(CaptureError::Body(self.body_bytes));
        (self.body_bytes, kept.and_then(|body| BASE64_STANDARD.decode(body).map_err(|_| CaptureError::Damaged)))
    }

    /// Puts the request together again, as far as it was kept.
    pub fn request(&self) -> Result<HttpRequest, CaptureError> {
        let body = self.body().1?;
        let mut headers = HeaderMap::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            let Some(value) = value else { continue };
            let bytes: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(c).ok()).collect();
            let value = bytes.and_then(|bytes| HeaderValue::from_bytes(&bytes).ok()).ok_or(CaptureError::Damaged)?;
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| CaptureError::Damaged)?;
            headers.try_append(name, value).map_err(|_| CaptureError::Damaged)?;
        }
        Ok(HttpRequest {
            method: self.method.parse().map_err(|_| CaptureError::Damaged)?,
            uri: self.uri.parse().map_err(|_| CaptureError::Damaged)?,
            params: self.params.clone(),
            headers,
            body: body.into(),
        })
    }
}

/// Returns whether a header, its name in lower case, looks like something that proves who sent it.
pub fn is_credential(name: &str, value: &[u8]) -> bool {
    if SECRET_NAMES.iter().any(|part| name.contains(part)) {
        return true;
    }
    let text = String::from_utf8_lossy(value);
    let lower = text.trim_start().to_ascii_lowercase();
    SECRET_SCHEMES.iter().any(|scheme| lower.starts_with(scheme)) || holds_jwt(&text)
}

/// Returns whether there is a JSON Web Token somewhere in a text.
fn holds_jwt(text: &str) -> bool {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
    let is_jwt = |word: &str| word.starts_with(JWT) && word.matches('.').count() >= 2;
    words.into_iter().any(is_jwt)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{Method, Uri};

    use super::*;
    use crate::execution::Param;

    fn is_kept(name: &'static str, value: &str) -> bool {
        !is_credential(name, value.as_bytes())
    }

    #[test]
    fn what_looks_like_a_credential_is_not_kept() {
        for name in [
            "authorization",
            "proxy-authorization",
            "cookie",
            "set-cookie",
            "x-api-key",
            "x-csrf-token",
            "x-hub-signature-256",
            "client-secret",
            "x-password",
            "x-picloud-token",
            "x-amz-security-token",
            "apikey",
            "x-session-id",
        ] {
            assert!(!is_kept(name, "a"), "{name}");
        }
        for value in [
            "Bearer abc",
            "bearer abc",
            " BASIC dXNlcjpwdw==",
            "Digest username=\"x\"",
            "token ghp_1",
            "picloud_5ad1e0a4",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
            "for=1.2.3.4; jwt=eyJhbGciOiJub25lIn0.e30.",
        ] {
            assert!(!is_kept("x-forwarded-user", value), "{value}");
        }
        for (name, value) in [
            ("accept", "application/json"),
            ("user-agent", "basically/1.0 (bearer of news)"),
            ("x-request-id", "eyJust-an-id"),
            ("content-type", "text/plain; charset=utf-8"),
            ("host", "tokens.example.org"),
        ] {
            assert!(is_kept(name, value), "{name}: {value}");
        }
    }

    #[test]
    fn a_request_comes_back_as_it_was_but_for_credentials() {
        let mut headers = HeaderMap::new();
        headers.append("x-a", HeaderValue::from_bytes(b"gr\xfc\xc3\x9f\t").unwrap());
        headers.append("cookie", HeaderValue::from_static("id=1"));
        headers.append("x-a", HeaderValue::from_static("2"));
        let params: Params = vec![
            ("id".into(), Param::One("7".into())),
            ("rest".into(), Param::Many(vec!["a".into(), "b".into()])),
            ("page".into(), Param::Absent),
        ];
        let uri = Uri::from_static("http://h/orders/7?x=%20");
        let body = Bytes::from_static(b"\x00\xff{}");
        let sent = HttpRequest { method: Method::POST, uri, params: params.clone(), headers: headers.clone(), body: body.clone() };
        let capture = |limit| Capture::of(&sent, None, limit);
        let json = serde_json::to_string(&capture(4)).unwrap();
        assert!(!json.contains("id=1"), "{json}");
        let read: Capture = serde_json::from_str(&json).unwrap();
        assert_eq!(read, capture(4));
        let request = read.request().unwrap();
        let expected = (Method::POST, Uri::from_static("/orders/7?x=%20"), &params, &body);
        assert_eq!((request.method, request.uri, &request.params, &request.body), expected);
        assert!(request.headers.get_all("x-a").iter().eq(headers.get_all("x-a")));
        assert_eq!(request.headers.len(), 2);
        assert_eq!(capture(3).request().unwrap_err(), CaptureError::Body(4));
        assert!(capture(3).size() < capture(4).size());
    }
}
