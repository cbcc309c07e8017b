//! From what a script returned to what its caller gets.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};

use super::{
    own::{Map, Value, json},
    value::{text, write::ToJsonError},
};
use crate::{execution::Reply, function::diagnostic::near_miss};

/// Why what a script returned is not a response.
#[derive(Debug, thiserror::Error)]
pub enum ReplyError {
    /// It is wrong.
    #[error("{0}")]
    Invalid(String),
    /// It is too large.
    #[error("the response is larger than {limit} bytes")]
    TooLarge {
        /// In bytes.
        limit: usize,
    },
}

/// Headers that say how the message travels, and which request it answers; the server writes them.
const OURS: [&str; 9] =
    ["connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "x-request-id"];
/// Header lines of a response, and their bytes together. Browsers and proxies take less; [`HeaderMap`] panics far above.
const MAX_HEADER_LINES: usize = 256;
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// Header lines that a response has room for from the beginning: those that nearly every one has, with what the node adds.
const USUAL_HEADER_LINES: usize = 6;

/// Turns a script's result into a response: a map with `statusCode` says all of it, everything else is a body with status 200.
pub fn from_value(result: &Value, limit: usize) -> Result<Reply, ReplyError> {
    let Some((map, code)) = result.as_map().and_then(|map| Some((map, map.get("statusCode")?))) else {
        let (content_type, body) = body(result, limit)?;
        let mut headers = HeaderMap::with_capacity(USUAL_HEADER_LINES);
        headers.insert(CONTENT_TYPE, content_type);
        return Ok(Reply { status: StatusCode::OK, headers, body });
    };
    let status = status(map, code)?;
    let mut headers = Headers { map: HeaderMap::with_capacity(USUAL_HEADER_LINES), bytes: 0 };
    if let Some(given) = map.get("headers") {
        let given = given.as_map().ok_or_else(|| invalid(format!("`headers` must be a map, not {}", word(given))))?;
        // `()` is how scripts say that there is none.
        for (name, value) in given.iter().filter(|(_, value)| !value.is_unit()) {
            headers.add(name, value)?;
        }
    }
    let mut headers = headers.map;
    let Some(value) = map.get("body") else {
        return Ok(Reply { status, headers, body: Bytes::new() });
    };
    let (content_type, body) = body(value, limit)?;
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED) {
        return Ok(Reply { status, headers, body: Bytes::new() });
    }
    headers.entry(CONTENT_TYPE).or_insert(content_type);
    Ok(Reply { status, headers, body })
}

fn invalid(message: impl Into<String>) -> ReplyError {
    ReplyError::Invalid(message.into())
}

/// Returns what messages call the type of a value.
fn word(value: &Value) -> &'static str {
    text::type_word(&value.to_rhai())
}

fn status(map: &Map, given: &Value) -> Result<StatusCode, ReplyError> {
    const KEYS: [&str; 3] = ["statusCode", "headers", "body"];
    if let Some(unknown) = map.keys().find(|key| !KEYS.contains(key)) {
        let hint = near_miss(unknown, KEYS).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        return Err(invalid(format!("unknown key `{unknown}` in a response, which has `statusCode`, `headers` and `body`{hint}")));
    }
    given
        .as_int()
        .and_then(|code| u16::try_from(code).ok())
        .filter(|code| (200..=599).contains(code))
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or_else(|| {
            let kind = if given.as_str().is_some() { "the text " } else { "" };
            let shown = text::to_text(&given.to_rhai(), 40);
            invalid(format!("`statusCode` must be a whole number from 200 to 599, not {kind}{shown}"))
        })
}

/// Headers of a response, as long as they are few.
struct Headers {
    map: HeaderMap,
    bytes: usize,
}

impl Headers {
    fn add(&mut self, name: &str, value: &Value) -> Result<(), ReplyError> {
        let header =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid(format!("`{}` is not a header name", text::cut(name, 60))))?;
        if OURS.contains(&header.as_str()) || header.as_str().starts_with("x-picloud-") {
            return Err(invalid(format!("the header `{header}` is set by PiCloud; leave it out")));
        }
        if self.map.contains_key(&header) {
            return Err(invalid(format!(
                "the header `{header}` is there twice, in large and in small letters; keep one, with an array for several lines"
            )));
        }
        match value {
            Value::List(values) => values.iter().filter(|value| !value.is_unit()).try_for_each(|value| self.add_line(&header, value)),
            value => self.add_line(&header, value),
        }
    }

    fn add_line(&mut self, name: &HeaderName, value: &Value) -> Result<(), ReplyError> {
        let value = header_value(name, value)?;
        self.bytes += name.as_str().len() + value.len();
        if self.map.len() >= MAX_HEADER_LINES || self.bytes > MAX_HEADER_BYTES {
            return Err(invalid(format!(
                "the response has more than {MAX_HEADER_LINES} header lines, or {} KiB of them",
                MAX_HEADER_BYTES / 1024
            )));
        }
        self.map.append(name, value);
        Ok(())
    }
}

fn header_value(name: &HeaderName, value: &Value) -> Result<HeaderValue, ReplyError> {
    let mut printed = String::new();
    let text = match value {
        Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Char(_) => {
            value.print(&mut printed, MAX_HEADER_BYTES);
            &printed
        }
        value => value.as_str().ok_or_else(|| {
            invalid(format!("the header `{name}` must be a string, a number or a boolean, or an array of them, not {}", word(value)))
        })?,
    };
    HeaderValue::from_str(text)
        .or_else(|_| HeaderValue::from_bytes(text.as_bytes()))
        .map_err(|_| invalid(format!("the header `{name}` holds a line break or another control character")))
}

fn body(value: &Value, limit: usize) -> Result<(HeaderValue, Bytes), ReplyError> {
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
    const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
    let within = |length: usize| if length > limit { Err(ReplyError::TooLarge { limit }) } else { Ok(()) };
    if let Some(text) = value.as_str() {
        within(text.len())?;
        return Ok((TEXT, Bytes::copy_from_slice(text.as_bytes())));
    }
    match value {
        Value::Blob(blob) => {
            within(blob.len())?;
            return Ok((BYTES, Bytes::copy_from_slice(blob)));
        }
        Value::Char(character) => return Ok((TEXT, character.to_string().into())),
        _ => {}
    }
    match json::write(value, limit) {
        Ok(json) => Ok((JSON, json.into())),
        Err(ToJsonError::TooLarge { limit }) => Err(ReplyError::TooLarge { limit }),
        Err(ToJsonError::JsonError(why)) => Err(invalid(format!("the result cannot be sent as JSON: {why}"))),
    }
}
