//! Names for immutable things: contents, versions and revisions.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use crate::{
    hex::{self, Hex},
    id::text_form,
};

/// The SHA-256 of a file's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Returns the digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Returns the digest of a list of parts. Each part's length goes in before it, so that no two lists run together.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// Returns the raw bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The content of one function, its imports and its guards: the first 128 bits of a [`Digest`], 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version([u8; 16]);

impl From<Digest> for Version {
    fn from(digest: Digest) -> Self {
        let mut short = [0; 16];
        short.copy_from_slice(&digest.0[..16]);
        Self(short)
    }
}

/// A text that should be an id and is none.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not an id of {digits} hexadecimal digits")]
pub struct HexIdError {
    text: String,
    digits: usize,
}

macro_rules! hex_id {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Hex(&self.0).fmt(f)
            }
        }
        impl FromStr for $name {
            type Err = HexIdError;
            fn from_str(text: &str) -> Result<Self, HexIdError> {
                hex::parse(text.as_bytes()).map(Self).ok_or_else(|| HexIdError { text: text.into(), digits: 2 * size_of::<Self>() })
            }
        }
        text_form!($name);
    };
}
hex_id!(Digest);
hex_id!(Version);

/// One state of the source: a git commit id, or `dir-` and the digest of a directory's tree.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Revision(pub String);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_as_they_were_written() {
        let digest = Digest::of(b"hello");
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        let version = Version::from(digest);
        assert_eq!(version.to_string(), digest.to_string()[..32]);
        assert_eq!(version.to_string().parse::<Version>().unwrap(), version);
    }

    #[test]
    fn what_is_not_an_id_says_so() {
        for text in ["", "xyz", "zz", &"é".repeat(16), &"g".repeat(32)] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(Digest::of_parts([&b"ab"[..], b"c"]), Digest::of_parts([&b"a"[..], b"bc"]));
    }
}
