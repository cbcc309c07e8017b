//! A request's body as its script sees it, by its content type.

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, header::CONTENT_TYPE};
use rhai::{Dynamic, Map};

use super::{
    meter,
    own::{self, Value},
    value::read,
};

/// Why a body is not what its content type says.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct MalformedBody(String);

/// How a body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// There is none.
    None,
    /// As a value.
    Json,
    /// As a map.
    Form,
    /// As a map with files.
    Multipart,
    /// As a string.
    Text,
    /// As a blob.
    Bytes,
}

impl Kind {
    /// Returns the kind of a request's body, which its content type says.
    pub fn of(headers: &HeaderMap, body: &[u8]) -> Self {
        let (essence, _parameters) = content_type(headers).split_once(';').unwrap_or((content_type(headers), ""));
        match essence.trim().to_ascii_lowercase().as_str() {
            _ if body.is_empty() => Self::None,
            json if json == "application/json" || json.ends_with("+json") => Self::Json,
            "application/x-www-form-urlencoded" => Self::Form,
            "multipart/form-data" => Self::Multipart,
            text if text.starts_with("text/") => Self::Text,
            _ => Self::Bytes,
        }
    }

    /// Says to whoever expected JSON that it came as something else.
    pub fn note(self) -> Option<String> {
        let came = match self {
            Self::None => return Some("the request has no body".into()),
            Self::Json => return None,
            Self::Form | Self::Multipart => "a form",
            Self::Text => "text",
            Self::Bytes => "bytes",
        };
        Some(format!("the body came as {came}: JSON needs the header `content-type: application/json`"))
    }
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Reads a body: JSON as a value, a form as a map, text as a string, everything else as a blob, none as `()`.
pub fn read(headers: &HeaderMap, body: &Bytes) -> Result<Value, MalformedBody> {
    match Kind::of(headers, body) {
        Kind::None => Ok(Value::Unit),
        Kind::Json => own::json::read(body).map_err(|why| MalformedBody(format!("the body is not JSON: {why}"))),
        Kind::Form => {
            let mut form = Map::new();
            for (name, value) in form_urlencoded::parse(read::without_mark(body)) {
                insert(&mut form, &name, value.as_ref().into())?;
            }
            Ok(Value::of(form.into()))
        }
        Kind::Multipart => multipart(content_type(headers), body).map(Value::of),
        Kind::Text => Ok(match std::str::from_utf8(body) {
            Ok(text) => text.into(),
            Err(_) => Value::blob(body.to_vec()),
        }),
        Kind::Bytes => Ok(Value::blob(body.to_vec())),
    }
}

/// Adds a field; a name that comes again becomes an array.
fn insert(form: &mut Map, name: &str, value: Dynamic) -> Result<(), MalformedBody> {
    match form.get_mut(name) {
        None => {
            form.insert(name.into(), value);
        }
        Some(values) if values.is_array() => {
            if let Ok(mut values) = values.as_array_mut() {
                values.push(value);
            }
        }
        Some(first) => *first = Dynamic::from_array(vec![first.take(), value]),
    }
    if meter::has_memory() { Ok(()) } else { Err(MalformedBody("the form needs more memory than a run may hold".into())) }
}

/// Reads a form with files (RFC 7578): a field is a string, a file a map of `filename`, `content_type` and `data`.
fn multipart(content_type: &str, body: &Bytes) -> Result<Dynamic, MalformedBody> {
    let malformed = |why: multer::Error| MalformedBody(format!("the body is not a form: {why}"));
    let boundary = multer::parse_boundary(content_type).map_err(malformed)?;
    let whole = futures_util::stream::iter([Ok::<_, std::io::Error>(body.clone())]);
    let read = async {
        let mut parts = multer::Multipart::new(whole, boundary);
        let mut form = Map::new();
        while let Some(part) = parts.next_field().await.map_err(malformed)? {
            let name = part.name().unwrap_or_default().to_owned();
            let filename = part.file_name().map(str::to_owned);
            let content_type = part.content_type().map(ToString::to_string);
            let data = part.bytes().await.map_err(malformed)?;
            let value = match (filename, std::str::from_utf8(&data)) {
                (None, Ok(text)) => text.into(),
                (None, Err(_)) => Dynamic::from_blob(data.to_vec()),
                (Some(filename), _) => {
                    let file: [(&str, Dynamic); 3] = [
                        ("filename", filename.into()),
                        ("content_type", content_type.map_or(Dynamic::UNIT, Dynamic::from)),
                        ("data", Dynamic::from_blob(data.to_vec())),
                    ];
                    file.into_iter().map(|(key, value)| (key.into(), value)).collect::<Map>().into()
                }
            };
            insert(&mut form, &name, value)?;
        }
        Ok(form.into())
    };
    // The whole body is at hand, so the reader never has to wait.
    read.now_or_never().unwrap_or_else(|| Err(MalformedBody("the form ends before its last boundary".into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::value::text;

    fn read_as(content_type: &str, body: &str) -> Result<String, String> {
        let headers: HeaderMap = [(CONTENT_TYPE, content_type.parse().unwrap())].into_iter().collect();
        let value = read(&headers, &Bytes::copy_from_slice(body.as_bytes())).map_err(|why| why.to_string())?;
        Ok(format!("{}: {}", value.type_name(), text::to_text(&value.to_rhai(), 1000)))
    }

    #[test]
    fn the_content_type_decides_what_a_body_is() {
        let form = "--b\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b\r\ncontent-disposition: form-data; name=\"f\"; filename=\"x.txt\"\r\ncontent-type: text/plain\r\n\r\nhi\r\n--b--\r\n";
        for (content_type, body, seen) in [
            ("application/json", r#"{"a":1}"#, r#"map: {"a":1}"#),
            ("application/problem+json; charset=utf-8", "[1]", "array: [1]"),
            ("Application/JSON", "3", "i64: 3"),
            ("application/json", "\u{feff}{\"a\":1}", r#"map: {"a":1}"#),
            ("application/vnd.api+json", "\u{feff}[]", "array: []"),
            ("application/x-www-form-urlencoded", "\u{feff}a=1&\u{feff}b=2", "map: {\"a\":\"1\",\"\u{feff}b\":\"2\"}"),
            ("application/x-www-form-urlencoded", "a=1&b=x+y%21&b=z", r#"map: {"a":"1","b":["x y!","z"]}"#),
            ("text/plain", "hi", "string: hi"),
            ("application/octet-stream", "hi", "blob: [104,105]"),
            (
                "multipart/form-data; boundary=b",
                form,
                r#"map: {"a":"1","f":{"content_type":"text/plain","data":[104,105],"filename":"x.txt"}}"#,
            ),
            ("application/json", "", "(): null"),
        ] {
            assert_eq!(read_as(content_type, body).unwrap(), seen, "{content_type}");
        }
    }

    #[test]
    fn a_body_that_is_not_what_it_says_is_refused() {
        assert!(read_as("application/json", "{").unwrap_err().starts_with("the body is not JSON: "));
        assert!(read_as("multipart/form-data; boundary=b", "--b\r\n").unwrap_err().starts_with("the body is not a form: "));
        assert!(read_as("multipart/form-data", "--b\r\n").is_err());
    }
}
