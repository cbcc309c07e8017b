//! One request to one place, and its answer.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::{Client, Request};
use url::Url;

use super::failure::explained;
use crate::capability::http::{ErrorKind, OutboundError, OutboundRequest};

/// Who asks, where the script does not say.
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("picloud/", env!("CARGO_PKG_VERSION")));

/// One request to one place. It may hold secrets: never shown.
#[derive(Clone)]
pub struct Hop {
    pub method: Method,
    pub url: Url,
    /// The same without parameters that may be secrets.
    pub shown: Url,
    pub headers: HeaderMap,
    pub body: Option<Bytes>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// Returns where it leads, if its status says that it leads somewhere.
    pub fn location(&self) -> Option<&[u8]> {
        let is_redirect = matches!(self.status.as_u16(), 301 | 302 | 303 | 307 | 308);
        self.headers.get(header::LOCATION).filter(|_| is_redirect).map(HeaderValue::as_bytes)
    }
}

impl Hop {
    /// Returns the first one of a request.
    pub fn first(request: &OutboundRequest) -> Self {
        let mut headers = request.headers().clone();
        headers.entry(header::USER_AGENT).or_insert(USER_AGENT);
        Self {
            method: request.method().clone(),
            url: request.full_url(),
            shown: request.url().clone(),
            headers,
            body: request.body().cloned(),
        }
    }

    /// Sends it, and reads an answer of so many bytes at most. Of one that redirects the body is not read, if redirects are followed.
    pub async fn send(&self, client: &Client, max_bytes: usize, follows: bool) -> Result<Answer, OutboundError> {
        let host = self.url.host_str().unwrap_or_default();
        let mut request = Request::new(self.method.clone(), self.url.clone());
        request.headers_mut().clone_from(&self.headers);
        *request.body_mut() = self.body.clone().map(Into::into);
        let mut response = client.execute(request).await.map_err(|error| explained(&error, host))?;
        let mut answer = Answer { status: response.status(), headers: std::mem::take(response.headers_mut()), body: Bytes::new() };
        let has_body = self.method != Method::HEAD && ![StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&answer.status);
        if has_body && !(follows && answer.location().is_some()) {
            answer.body = body(&mut response, max_bytes, &answer.headers, host).await?;
        }
        Ok(answer)
    }
}

/// Reads a body piece by piece, unpacked; what is too large is found before it is held.
async fn body(response: &mut reqwest::Response, max_bytes: usize, headers: &HeaderMap, host: &str) -> Result<Bytes, OutboundError> {
    let too_large = || {
        let message = format!("the answer of `{host}` is larger than {max_bytes} bytes");
        OutboundError::new(ErrorKind::TooLarge, message)
    };
    let head: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let Some(room) = max_bytes.checked_sub(head) else { return Err(too_large()) };
    let announced = response.content_length().unwrap_or(0);
    if announced > room as u64 {
        return Err(too_large());
    }
    let mut body = Vec::with_capacity(announced as usize);
    while let Some(piece) = response.chunk().await.map_err(|error| explained(&error, host))? {
        if piece.len() > room - body.len() {
            return Err(too_large());
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.into())
}
