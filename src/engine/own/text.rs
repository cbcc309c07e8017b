//! Texts: short ones stand in the value itself.

use std::rc::Rc;

use super::{Value, limits::longest};

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
        let (mut bytes, text) = ([0; LONGEST_SHORT], text.as_bytes());
        let place = bytes.get_mut(..text.len())?;
        // Two moves of a fixed length that may overlap take less than one of any length.
        if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
            *place.first_chunk_mut()? = *first;
            *place.last_chunk_mut()? = *last;
        } else if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
            *place.first_chunk_mut()? = *first;
            *place.last_chunk_mut()? = *last;
        } else {
            place.iter_mut().zip(text).for_each(|(place, byte)| *place = *byte);
        }
        Some(Self { length: text.len() as u8, bytes })
    }

    /// Takes two texts as one, if they are short enough.
    #[inline]
    pub fn joined(start: &str, end: &str) -> Option<Self> {
        let length = start.len() + end.len();
        let mut bytes = [0; LONGEST_SHORT];
        let (first, rest) = bytes.get_mut(..length)?.split_at_mut(start.len());
        first.copy_from_slice(start.as_bytes());
        rest.copy_from_slice(end.as_bytes());
        Some(Self { length: length as u8, bytes })
    }

    /// Returns how many bytes it has.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.length.into()
    }

    /// Returns the text.
    #[inline(always)]
    #[expect(
        unsafe_code,
        reason = "texts are read at every step of a script; to check each time that they are UTF-8 would double its cost"
    )]
    pub fn as_str(&self) -> &str {
        let text = &self.bytes[..usize::from(self.length)];
        // SAFETY: the fields are private, and both functions above copy whole texts into them.
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

    /// Makes a text of two, if it is short enough to stand in the value.
    #[inline]
    pub(super) fn short(start: &str, end: &str) -> Option<Self> {
        Short::joined(start, end).map(Self::Short)
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

impl Value {
    /// Adds to a text in its place; false: it is no text, or it would become longer than allowed.
    pub(super) fn push_str(&mut self, end: &str) -> bool {
        let Some(length) = self.as_str().map(|text| text.len() + end.len()) else { return false };
        if length > longest() {
            return false;
        }
        if let Self::Long(text) = self
            && let Some(text) = Rc::get_mut(text)
        {
            text.push_str(end);
            return true;
        }
        let start = self.as_str().unwrap_or_default();
        *self = Self::short(start, end).unwrap_or_else(|| {
            let mut text = String::with_capacity(length.max(2 * start.len()));
            text.push_str(start);
            text.push_str(end);
            Self::from_string(text)
        });
        true
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
