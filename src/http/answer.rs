//! Answers to requests.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{Either, Full};

use crate::function::route::{Method, methods::join};

/// An answer: whole bytes from functions, anything from the reserved URLs.
pub type Answer = Response<Either<Full<Bytes>, Body>>;

/// Answers `OPTIONS` where no function does.
pub fn no_content(allow: &[Method]) -> Answer {
    let mut response = Response::new(Either::Left(Full::default()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(header::ALLOW, allow_header(allow));
    response
}

/// Returns the value of an `Allow` header.
pub fn allow_header(allow: &[Method]) -> HeaderValue {
    HeaderValue::from_str(&join(allow)).expect("method names are ASCII letters")
}
