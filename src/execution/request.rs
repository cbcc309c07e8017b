//! What a request over HTTP asks of a function.

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};

use super::Params;

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
