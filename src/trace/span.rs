//! What is told of one part of a request.

use std::borrow::Cow;

use super::Context;

/// What one part of a request was, and how long it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Which it is.
    pub context: Context,
    /// The span that it is a part of.
    pub parent: Option<u64>,
    /// What it is called; many are called the same.
    pub name: Cow<'static, str>,
    /// Whose it is.
    pub kind: SpanKind,
    /// In nanoseconds since 1970.
    pub began_ns: u64,
    /// The same.
    pub ended_ns: u64,
    /// What else is known, by the names that OpenTelemetry gives it.
    pub attributes: Vec<(&'static str, Value)>,
    /// Why it did not go well, if it did not.
    pub error: Option<String>,
}

/// Whose a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// A request of somebody else.
    Server,
    /// A part of it.
    Internal,
    /// Something that is asked of somebody else.
    Client,
}

/// What is known of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(Cow<'static, str>),
    /// A number.
    Number(i64),
}

/// Bytes of a text that are told; callers and scripts make some of them, and whatever waits is held in memory.
const MAX_TEXT: usize = 512;

/// Cuts a text to what is told of it.
pub fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_TEXT)].to_owned()
}

impl Value {
    /// Makes a text, cut if it is long.
    pub fn text(text: &str) -> Self {
        Self::Text(cut(text).into())
    }

    /// Makes a number.
    pub fn number(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = format!("a{}", "é".repeat(MAX_TEXT));
        assert_eq!(cut(&text).len(), MAX_TEXT - 1);
        assert_eq!(cut("short"), "short");
    }
}
