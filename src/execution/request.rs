//! What a request over HTTP asks of a function.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
