//! Who may do what: tokens with a name and a scope. Only hashes are stored.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _},
    str::FromStr,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::secret::Secret;

/// What a token allows; each allows what is before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Seeing what is there: status, history, earlier deployments, cloning.
    Read,
    /// Changing what is live: pushes, rollbacks.
    Deploy,
    /// Everything, tokens too.
    Admin,
}

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Principal {
    /// The token's name.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
}

/// What is known of a token, but for the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its name.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    /// When it was made, in microseconds since 1970.
    pub created_us: i64,
    /// From when on it is worth nothing; none: it has no end.
    pub expires_us: Option<i64>,
    /// When it was last used, give or take a minute.
    pub last_used_us: Option<i64>,
}

/// The SHA-256 of a token's secret in hexadecimal: all that is kept of it. The secret is 256 random bits, so no salt and no slow hash is
/// needed, and the time that looking for a hash takes tells nothing about it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenHash(String);

impl TokenHash {
    /// Returns the hash of a secret.
    pub fn of(secret: &str) -> Self {
        Self(hexadecimal(&Sha256::digest(secret)))
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
    Ok(Secret::new(format!("{PREFIX}{}", hexadecimal(&bytes))))
}

/// Returns whether a text can be the secret of a token at all.
pub fn is_secret(text: &str) -> bool {
    let digits = text.strip_prefix(PREFIX).unwrap_or_default();
    digits.len() == 2 * SECRET_BYTES && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Why a token cannot be called so.
#[derive(Debug, thiserror::Error)]
pub enum BadName {
    /// It has other characters, or too many.
    #[error("a token cannot be called `{0}`\n  hint: a name has 1 to {MAX_NAME} letters, digits, `-`, `_` and `.`")]
    Malformed(String),
    /// It is the name of the token in the data folder.
    #[error("a token cannot be called `{ADMIN}`: that is the one in the file `admin-token` of the data folder")]
    Reserved,
}

/// Checks what somebody wants to call a token.
pub fn check_name(name: &str) -> Result<(), BadName> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !(1..=MAX_NAME).contains(&name.len()) || !name.chars().all(is_plain) {
        return Err(BadName::Malformed(name.into()));
    }
    if name == ADMIN { Err(BadName::Reserved) } else { Ok(()) }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Deploy => "deploy",
            Self::Admin => "admin",
        })
    }
}

/// A word that is no scope.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a scope; there are `read`, `deploy` and `admin`")]
pub struct NotAScope(String);

impl FromStr for Scope {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Self, NotAScope> {
        [Self::Read, Self::Deploy, Self::Admin].into_iter().find(|scope| scope.to_string() == text).ok_or_else(|| NotAScope(text.into()))
    }
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
