//! What a request over HTTP asks of a function.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a caller's own id for a request is.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Returns the caller's id for the request if it sent a sane one: up to 128 visible ASCII characters.
pub fn request_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(&REQUEST_ID)?;
    let sane = (1..=128).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic);
    sane.then(|| id.clone())
}

/// A request to a function, read to its end.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// As sent.
    pub method: Method,
    /// Path and query as sent.
    pub uri: Uri,
    /// From the path.
    pub params: Params,
    /// As sent; without the token that let it in.
    pub headers: HeaderMap,
    /// Whole.
    pub body: Bytes,
}

/// The value of one path parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Param {
    /// An optional parameter that the path left out.
    Absent,
    /// One decoded segment, or the part of one.
    One(String),
    /// The decoded segments of a catch-all.
    Many(Vec<String>),
}

/// Parameters by name, in the order of the path.
pub type Params = Vec<(Arc<str>, Param)>;
