//! Requests to other services: the request, what comes back, and who sends it.

mod error;
mod request;
mod response;
mod url;

use std::sync::Arc;

use async_trait::async_trait;

pub use self::url::{MAX_URL_BYTES, UrlError, check_url, parse_url};
pub use error::{ErrorKind, OutboundError};
pub use request::{DEFAULT_REDIRECTS, MAX_BODY_BYTES, MAX_HEADERS, MAX_REDIRECTS, MAX_RETRIES, OutboundRequest, RequestError};
pub use response::OutboundResponse;

use crate::function::{FunctionName, grants::http::AllowList};

/// Requests that one run may have under way at once. Who starts several for a run holds to it; the client counts by function and node.
pub const AT_ONCE_PER_RUN: usize = 8;

/// Sends requests.
#[async_trait]
pub trait HttpClient: Send + Sync {
    /// Sends a request of a function, if its list allows the place and this node the address, and follows redirects by the same rules.
    /// Answers of any status are no error. Dropping the future ends the request.
    async fn send(&self, function: &FunctionName, allowed: &AllowList, request: OutboundRequest)
    -> Result<OutboundResponse, OutboundError>;
}

/// A client shared by all runs.
pub type SharedHttpClient = Arc<dyn HttpClient>;
