//! Ids made from time: 63 bits that rise with it, written as 13 characters.

mod ids;

use std::{fmt, str::FromStr};

pub use ids::{Ids, LAST_NODE, NodeNumber};

/// Low bits of a time-ordered id that are not time; 52 bits of microseconds last until 2112.
const LOW_BITS: u32 = 11;
/// Crockford's base 32 in lower case: no `i`, `l`, `o`, `u` to misread.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of an id: 63 bits by 5.
pub const TEXT_LENGTH: usize = 13;

/// A text that should be an id and is none.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an id: 13 characters of 0-9 and a-z (without i, l, o, u)")]
pub struct TimeIdError(String);

/// Returns the 13 characters of an id; they sort as the ids do.
pub fn id_text(id: i64) -> [u8; TEXT_LENGTH] {
    let mut text = [b'0'; TEXT_LENGTH];
    for (place, character) in text.iter_mut().rev().enumerate() {
        *character = ALPHABET[(id >> (5 * place)) as usize & 31];
    }
    text
}

/// Returns the id that these 13 characters write.
pub fn parse_id(text: &str) -> Result<i64, TimeIdError> {
    let not_an_id = || TimeIdError(text.into());
    if text.len() != TEXT_LENGTH {
        return Err(not_an_id());
    }
    text.bytes().try_fold(0_i64, |id, byte| {
        let digit = ALPHABET.iter().position(|letter| *letter == byte.to_ascii_lowercase()).ok_or_else(not_an_id)?;
        id.checked_mul(32).and_then(|id| id.checked_add(digit as i64)).ok_or_else(not_an_id)
    })
}

/// Returns the microseconds since 1970 at which an id was made.
pub fn id_time_us(id: i64) -> i64 {
    id >> LOW_BITS
}

/// Returns the smallest id that can be made at this time, for searching by time.
pub fn first_id_at(time_us: i64) -> i64 {
    time_us.clamp(0, i64::MAX >> LOW_BITS) << LOW_BITS
}

/// Gives an id its form in logs and in JSON: the text that [`Display`](std::fmt::Display) writes and [`FromStr`](std::str::FromStr) reads.
macro_rules! text_form {
    ($name:ident) => {
        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(self, f)
            }
        }
        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl ::utoipa::PartialSchema for $name {
            fn schema() -> ::utoipa::openapi::RefOr<::utoipa::openapi::Schema> {
                <String as ::utoipa::PartialSchema>::schema()
            }
        }
        impl ::utoipa::ToSchema for $name {}
        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <String as ::serde::Deserialize>::deserialize(deserializer)?.parse().map_err(::serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use text_form;

macro_rules! time_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub i64);

        impl $name {
            /// Returns the microseconds since 1970 at which it was made.
            pub fn time_us(self) -> i64 {
                id_time_us(self.0)
            }

            /// Returns the number of the node that made it.
            pub fn node(self) -> i64 {
                ids::node_of(self.0)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(std::str::from_utf8(&id_text(self.0)).expect("the alphabet is ASCII"))
            }
        }
        impl FromStr for $name {
            type Err = TimeIdError;
            fn from_str(text: &str) -> Result<Self, TimeIdError> {
                parse_id(text).map(Self)
            }
        }
        text_form!($name);
    };
}

time_id!(
    /// Names one execution; rises with the time at which it began.
    ExecutionId
);
time_id!(
    /// Names one deployment; rises with the time at which it was decided.
    DeploymentId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_sorts_as_its_text() {
        for id in [0, 1, 31, 32, i64::MAX, 1_700_000_000_000_000 << LOW_BITS] {
            assert_eq!(ExecutionId(id).to_string().parse::<ExecutionId>().unwrap(), ExecutionId(id));
        }
        assert!(ExecutionId(255).to_string() < ExecutionId(256).to_string());
        for text in ["", "0000000000000", "zzzzzzzzzzzzz", "000000000000u", "00000000000000"] {
            assert_eq!(text.parse::<ExecutionId>().is_ok(), text == "0000000000000", "{text}");
        }
    }
}
