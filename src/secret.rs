//! A text that nobody may see: it has no way into a log, and is compared in constant time.

use std::fmt;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// A password, a token or a key.
#[derive(Clone, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text, for whoever needs it to prove who we are.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares as [`is_equal`] does.
    pub fn matches(&self, candidate: &[u8]) -> bool {
        is_equal(self.0.as_bytes(), candidate)
    }
}

/// Compares what nobody may guess. The time that it takes shows neither where the difference is nor how long they are.
pub fn is_equal(one: &[u8], other: &[u8]) -> bool {
    Sha256::digest(one).ct_eq(&Sha256::digest(other)).into()
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.0.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_nothing_and_knows_itself() {
        let secret = Secret::new("sesame");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!([secret.matches(b"sesame"), secret.matches(b"sesam"), secret.matches(b"")], [true, false, false]);
    }
}
