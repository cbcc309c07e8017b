//! What a client wrote, as it is kept with an execution: no longer than so many bytes, whoever makes the record.

use std::{fmt, ops::Deref};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The path of a request.
pub type RecordedPath = CutText<2_048>;
/// Its method. Those of the standards have 17 bytes at most.
pub type RecordedMethod = CutText<32>;
/// The `content-type` of an answer.
pub type RecordedType = CutText<128>;

/// Ends a text that was cut.
const MARK: &str = "…";

/// A text of at most `LIMIT` bytes. A longer one is cut, and ends with `…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(from = "String", into = "String")]
#[schema(value_type = String)]
pub struct CutText<const LIMIT: usize>(String);

impl<const LIMIT: usize> CutText<LIMIT> {
    /// Returns what was kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const LIMIT: usize> From<&str> for CutText<LIMIT> {
    fn from(text: &str) -> Self {
        if text.len() <= LIMIT {
            return Self(text.into());
        }
        Self(text[..text.floor_char_boundary(LIMIT - MARK.len())].to_owned() + MARK)
    }
}

impl<const LIMIT: usize> From<String> for CutText<LIMIT> {
    fn from(text: String) -> Self {
        if text.len() <= LIMIT { Self(text) } else { Self::from(text.as_str()) }
    }
}

impl<const LIMIT: usize> From<CutText<LIMIT>> for String {
    fn from(recorded: CutText<LIMIT>) -> Self {
        recorded.0
    }
}

impl<const LIMIT: usize> Deref for CutText<LIMIT> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<const LIMIT: usize> PartialEq<&str> for CutText<LIMIT> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl<const LIMIT: usize> fmt::Display for CutText<LIMIT> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters_and_says_so() {
        type Short = CutText<8>;
        for (text, kept) in
            [("", ""), ("12345678", "12345678"), ("123456789", "12345…"), ("1234ä5678", "1234…"), ("ääää", "ääää"), ("äääää", "ää…")]
        {
            assert_eq!(&*Short::from(text), kept, "{text}");
            assert_eq!(Short::from(text.to_owned()), Short::from(text));
        }
        let read: Short = serde_json::from_str("\"123456789\"").unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), "\"12345…\"");
    }
}
