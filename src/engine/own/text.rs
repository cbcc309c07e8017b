//! Texts: short ones stand in the value itself.

use std::rc::Rc;

use super::Value;

/// How many bytes of text a value holds itself.
const LONGEST_SHORT: usize = 14;

/// A text of at most 14 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Short {
    length: u8,
    /// Behind the text, zeros.
    bytes: [u8; LONGEST_SHORT],
}

impl Short {
    /// Takes a text, if it is short enough.
    #[inline]
    pub fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; LONGEST_SHORT];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self { length: text.len() as u8, bytes })
    }

    /// Returns the text.
    #[inline(always)]
    #[expect(
        unsafe_code,
        reason = "texts are read at every step of a script; to check each time that they are UTF-8 would double its cost"
    )]
    pub fn as_str(&self) -> &str {
        let text = &self.bytes[..usize::from(self.length)];
        // SAFETY: the fields are private, and `new` copies them from a `str` as a whole.
        unsafe { std::str::from_utf8_unchecked(text) }
    }
}

impl Value {
    /// Makes a text.
    #[inline]
    pub fn text(text: &str) -> Self {
        match Short::new(text) {
            Some(short) => Self::Short(short),
            None => Self::Long(Rc::new(text.to_owned())),
        }
    }

    /// Makes a text of one that is there already.
    #[inline]
    pub fn from_string(text: String) -> Self {
        match Short::new(&text) {
            Some(short) => Self::Short(short),
            None => Self::Long(Rc::new(text)),
        }
    }

    /// Returns the text that this is. A shared variable is none.
    #[inline(always)]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Short(text) => Some(text.as_str()),
            Self::Long(text) => Some(text),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::from_string(text)
    }
}
