//! An answer, as plain data that can be kept.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// What a service answered, whatever the status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboundResponse {
    /// From 100 to 999.
    pub status: u16,
    /// Names in lower case, in the order in which they came. Bytes that are no UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// The whole body, unpacked.
    #[serde(with = "Base64")]
    pub body: Bytes,
    /// Where the answer came from, which redirects may have changed. What was added to the first URL as parameters is not in it.
    pub url: String,
    /// Milliseconds from the call to the last byte, with waiting for a place.
    pub ms: u64,
}

impl OutboundResponse {
    /// Returns whether the status is 200 to 299.
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns the bytes that it takes in memory, about.
    pub fn size(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.len());
        self.body.len() + self.url.len() + headers.sum::<usize>()
    }
}

/// How a body is written where it is kept.
struct Base64;

impl Base64 {
    fn serialize<S: Serializer>(body: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(body))
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text).map(Bytes::from).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_comes_back_as_it_was_kept() {
        let answer = OutboundResponse {
            status: 404,
            headers: vec![("set-cookie".into(), "a=1".into()), ("set-cookie".into(), "b=2".into())],
            body: Bytes::from_static(b"\x00\xffno"),
            url: "https://example.org/".into(),
            ms: 7,
        };
        let kept = serde_json::to_string(&answer).unwrap();
        assert!(kept.contains("\"AP9ubw==\""), "{kept}");
        assert_eq!(serde_json::from_str::<OutboundResponse>(&kept).unwrap(), answer);
        assert_eq!((answer.is_ok(), answer.size()), (false, 4 + 20 + 2 * 13));
    }
}
