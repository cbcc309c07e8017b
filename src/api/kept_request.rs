//! A request that was kept with its execution, as it is shown.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::execution::{Capture, CaptureError};

/// A request that was kept, without what looked like a credential.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct KeptRequest {
    /// Its method.
    pub method: String,
    /// Its path, as sent.
    pub path: String,
    /// Its query, as sent; none: there was no `?`.
    pub query: Option<String>,
    /// Names and values, in their order.
    #[schema(value_type = Vec<Vec<String>>)]
    pub headers: Vec<(String, String)>,
    /// The names of headers that looked like credentials: their values were not kept.
    pub left_out: Vec<String>,
    /// Bytes of its body.
    pub body_bytes: u64,
    /// A body that is text. Without this key and the next the body was larger than is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Any other body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
    /// What scripts read as `ctx.event`, where an event or a schedule started the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Value>,
}

impl KeptRequest {
    /// Says what was kept. The error is that its record is damaged.
    pub fn of(capture: &Capture) -> Result<Self, CaptureError> {
        let (path, query) = capture.uri().split_once('?').map_or((capture.uri(), None), |(path, query)| (path, Some(query)));
        let (body_bytes, kept) = capture.body();
        let (body, body_base64) = match kept.map(String::from_utf8) {
            Ok(Ok(text)) => (Some(text), None),
            Ok(Err(bytes)) => (None, Some(BASE64_STANDARD.encode(bytes.as_bytes()))),
            Err(CaptureError::Body(_)) => (None, None),
            Err(damaged) => return Err(damaged),
        };
        let event = capture.event().map(|event| serde_json::from_str(&event.json)).transpose().map_err(|_| CaptureError::Damaged)?;
        let has_value = |(name, value): &(String, Option<String>)| Some((name.clone(), value.clone()?));
        let is_left_out = |(name, value): &(String, Option<String>)| value.is_none().then(|| name.clone());
        Ok(Self {
            method: capture.method().into(),
            path: path.into(),
            query: query.map(Into::into),
            headers: capture.headers().iter().filter_map(has_value).collect(),
            left_out: capture.headers().iter().filter_map(is_left_out).collect(),
            body_bytes,
            body,
            body_base64,
            event,
        })
    }
}
