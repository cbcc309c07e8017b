//! A version as people write it: its first characters are enough.

use std::{fmt, str::FromStr};

use super::Version;

/// Hexadecimal digits of a version.
const DIGITS: usize = 32;

/// How the text of a version begins, or all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionPrefix(String);

/// A text that no version begins with.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no version: write its first characters or all, 1 to {DIGITS} of 0-9 and a-f")]
pub struct VersionPrefixError(String);

impl VersionPrefix {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether a version begins so.
    pub fn matches(&self, version: Version) -> bool {
        version.to_string().starts_with(&self.0)
    }

    /// Returns whether it is a whole version.
    pub fn is_whole(&self) -> bool {
        self.0.len() == DIGITS
    }
}

impl FromStr for VersionPrefix {
    type Err = VersionPrefixError;

    fn from_str(text: &str) -> Result<Self, VersionPrefixError> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if (1..=DIGITS).contains(&text.len()) && text.bytes().all(is_digit) {
            return Ok(Self(text.into()));
        }
        Err(VersionPrefixError(text.chars().take(DIGITS + 1).flat_map(char::escape_debug).collect()))
    }
}

impl fmt::Display for VersionPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
