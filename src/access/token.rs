//! Tokens: what is known of one, its secret, and its name. Only hashes are stored.

use std::{
    fs::File,
    io::{self, Read as _},
    time::Duration,
};

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{FunctionPrefix, Principal, Scope};
use crate::{
    audit::{Action, Actor, Record},
    clock::rfc3339,
    hex::Hex,
    secret::Secret,
};

/// What is known of a token, but for the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its name.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    /// The functions for which it is good; none: it is good for the whole node.
    pub functions: Option<FunctionPrefix>,
    /// When it was made, in microseconds since 1970.
    pub created_us: i64,
    /// From when on it is worth nothing; none: it has no end.
    pub expires_us: Option<i64>,
    /// When it was last used, give or take a minute.
    pub last_used_us: Option<i64>,
}

impl Token {
    /// Describes one that is made now, and is good for a span of microseconds if that is given.
    pub fn new(name: String, scope: Scope, functions: Option<FunctionPrefix>, now_us: i64, span_us: Option<i64>) -> Self {
        let expires_us = span_us.map(|span| now_us.saturating_add(span));
        Self { name, scope, functions, created_us: now_us, expires_us, last_used_us: None }
    }

    /// Returns whether it is worth nothing any more.
    pub fn is_expired(&self, now_us: i64) -> bool {
        self.expires_us.is_some_and(|end| end <= now_us)
    }

    /// Returns who sends it.
    pub fn principal(self) -> Principal {
        Principal { name: self.name, scope: self.scope, functions: self.functions }
    }

    /// Returns what the audit log says of its making.
    pub fn creation(&self, by: &Actor) -> Record {
        let detail =
            json!({ "name": self.name, "scope": self.scope, "functions": self.functions, "expires": self.expires_us.map(rfc3339) });
        by.does(Action::TokenCreate, self.created_us, detail)
    }
}

/// Returns what the audit log says of a token's end.
pub fn revocation(name: &str, by: &Actor, now_us: i64) -> Record {
    by.does(Action::TokenRevoke, now_us, json!({ "name": name }))
}

/// A text that is no span of time.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no span of time\n  hint: write `12h`, `90d` or `1y`")]
pub struct SpanError(String);

/// Returns the microseconds of a span.
pub fn parse_span_us(text: &str) -> Result<i64, SpanError> {
    let span = humantime::parse_duration(text).ok().filter(|span| *span > Duration::ZERO);
    let span = span.ok_or_else(|| SpanError(text.into()))?;
    Ok(i64::try_from(span.as_micros()).unwrap_or(i64::MAX))
}

/// The SHA-256 of a token's secret in hexadecimal: all that is kept of it. The secret is 256 random bits, so no salt and no slow hash is
/// needed. The time that looking for a hash takes tells nothing about it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenHash(String);

impl TokenHash {
    /// Returns the hash of a secret.
    pub fn of(secret: &str) -> Self {
        Self(Hex(&Sha256::digest(secret)).to_string())
    }

    /// Takes one as it was kept.
    pub fn kept(text: String) -> Self {
        Self(text)
    }

    /// Returns its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What every secret begins with, for people and for the scanners that look for leaked secrets.
const PREFIX: &str = "picloud_";
/// Bytes of randomness in a secret.
const SECRET_BYTES: usize = 32;
/// Characters of a token's name.
const MAX_NAME: usize = 64;
/// The principal of the token in the data folder.
pub const ADMIN: &str = "admin";

/// Makes the secret of a new token.
pub fn new_secret() -> io::Result<Secret> {
    let mut bytes = [0; SECRET_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(Secret::new(format!("{PREFIX}{}", Hex(&bytes))))
}

/// Returns whether a text can be the secret of a token at all.
pub fn is_secret(text: &str) -> bool {
    let digits = text.strip_prefix(PREFIX).unwrap_or_default();
    digits.len() == 2 * SECRET_BYTES && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Why a token cannot be called so.
#[derive(Debug, thiserror::Error)]
pub enum TokenNameError {
    /// It has other characters, or too many.
    #[error("a token cannot be called `{0}`\n  hint: a name has 1 to {MAX_NAME} letters, digits, `-`, `_` and `.`")]
    Malformed(String),
    /// It is the name of the token in the data folder.
    #[error("a token cannot be called `{ADMIN}`: that is the one in the file `admin-token` of the data folder")]
    Reserved,
}

/// Checks what somebody wants to call a token.
pub fn check_name(name: &str) -> Result<(), TokenNameError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !(1..=MAX_NAME).contains(&name.len()) || !name.chars().all(is_plain) {
        return Err(TokenNameError::Malformed(name.into()));
    }
    if name == ADMIN { Err(TokenNameError::Reserved) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_new_each_time_and_hides_in_its_hash() {
        let (one, two) = (new_secret().unwrap(), new_secret().unwrap());
        assert!(one != two && is_secret(one.expose()) && is_secret(two.expose()));
        assert_eq!(TokenHash::of("abc").as_str(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        for text in ["", "picloud_", "sesame", "picloud_0123", &one.expose().replace("picloud_", "picloudx"), &format!("{}0", one.expose())]
        {
            assert!(!is_secret(text), "{text}");
        }
    }

    #[test]
    fn a_name_is_short_and_plain() {
        let longest = "a".repeat(MAX_NAME);
        for name in ["ci", "A.b-c_9", &longest] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "a b", "ä", "a/b", "a:b", "a\n", "admin", &format!("{longest}a")] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
