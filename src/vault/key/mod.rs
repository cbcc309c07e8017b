//! The key that secrets are sealed with: 256 random bits, from the environment or in a file.

mod file;

use std::{fmt, io, path::PathBuf};

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Generate as _, Payload},
};
use sha2::{Digest as _, Sha256};

use crate::{
    function::grants::secret::SecretName,
    hex::{self, Hex},
    secret::Secret,
};

/// The name of the file in the data folder.
pub const KEY_FILE: &str = "secret-key";
/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Bytes that stand before what is sealed. They are random, so that equal values look different.
const NONCE_BYTES: usize = 24;

/// Where the key comes from.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum KeySource {
    /// The file `secret-key` in the data folder. It is made when the first secret is set.
    #[default]
    DataFolder,
    /// `PICLOUD_SECRET_KEY`
    Given(Secret),
    /// The file that `PICLOUD_SECRET_KEY_FILE` names.
    File(PathBuf),
}

/// Why there is no key. No message repeats what should be one.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It is none.
    #[error(
        "{place} is no key: a key has {} hexadecimal digits\n  hint: {hint}",
        2 * KEY_BYTES
    )]
    Malformed {
        /// Where it stands.
        place: String,
        /// What to do.
        hint: &'static str,
    },
    /// Others may read or write the file.
    #[error(
        "`{}` holds the key of the secrets and is open to others (mode {mode:03o})\n  hint: `chmod 600 {}`, and set new values if somebody may have read it",
        path.display(), path.display()
    )]
    Open {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It cannot be read or made.
    #[error("cannot {what} the key of the secrets in `{}`: {source}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// A key, ready to be used.
#[derive(Clone)]
pub struct Key {
    cipher: XChaCha20Poly1305,
    fingerprint: Fingerprint,
}

/// Tells keys apart, and tells nothing about one: the first 64 bits of a hash, in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Fingerprint {
    /// Returns it as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Key {
    /// Reads a key that was written as hexadecimal digits. None: it is no key.
    fn parse(text: &str) -> Option<Self> {
        hex::parse::<KEY_BYTES>(text.trim().as_bytes()).map(|bytes| Self::of(&bytes))
    }

    fn of(bytes: &[u8; KEY_BYTES]) -> Self {
        let hash = Sha256::new().chain_update("picloud secret key ").chain_update(bytes).finalize();
        Self { cipher: XChaCha20Poly1305::new(bytes.into()), fingerprint: Fingerprint(Hex(&hash[..8]).to_string()) }
    }

    /// Returns what tells it from others.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Seals a value for this name: a nonce, then the value encrypted and authenticated by XChaCha20-Poly1305.
    pub fn seal(&self, name: &SecretName, value: &Secret) -> Vec<u8> {
        let nonce = XNonce::generate();
        let payload = Payload { msg: value.expose().as_bytes(), aad: name.as_str().as_bytes() };
        let sealed = self.cipher.encrypt(&nonce, payload).expect("a value is far shorter than the cipher takes");
        [nonce.as_slice(), &sealed].concat()
    }

    /// Opens what was sealed for this name. None: it was sealed with another key or for another name, or it is damaged.
    pub fn open(&self, name: &SecretName, sealed: &[u8]) -> Option<Secret> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: name.as_str().as_bytes() };
        let value = self.cipher.decrypt(&XNonce::from(*nonce), payload).ok()?;
        String::from_utf8(value).ok().map(Secret::new)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> SecretName {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_sealed_opens_with_the_same_key_and_name_only() {
        let (key, other) = (Key::of(&[7; 32]), Key::of(&[8; 32]));
        let (a, b) = (name("A"), name("B"));
        for value in ["x", "", "ä\u{0}\n", &"long ".repeat(20_000)] {
            let sealed = key.seal(&a, &Secret::new(value));
            assert_eq!(key.open(&a, &sealed), Some(Secret::new(value)));
            assert_eq!([key.open(&b, &sealed), other.open(&a, &sealed)], [None, None]);
            assert_ne!(sealed, key.seal(&a, &Secret::new(value)), "each has a nonce of its own");
            assert_eq!(sealed.len(), 24 + value.len() + 16);
        }
    }

    #[test]
    fn a_bit_that_was_turned_or_a_byte_that_is_missing_is_noticed() {
        let (key, a) = (Key::of(&[7; 32]), name("A"));
        let sealed = key.seal(&a, &Secret::new("value"));
        for at in 0..sealed.len() {
            let mut turned = sealed.clone();
            turned[at] ^= 1;
            assert_eq!(key.open(&a, &turned), None, "{at}");
            assert_eq!(key.open(&a, &sealed[..at]), None, "{at}");
        }
    }

    #[test]
    fn a_fingerprint_tells_keys_apart_and_is_all_that_is_shown() {
        let key = Key::parse(&"7f".repeat(32)).unwrap();
        assert_eq!(key.fingerprint(), Key::parse(&format!(" {}\n", "7F".repeat(32))).unwrap().fingerprint());
        assert_ne!(key.fingerprint(), Key::of(&[7; 32]).fingerprint());
        assert_eq!(format!("{key:?}"), format!("Key({})", key.fingerprint()));
        for text in ["", "7f", &"7f".repeat(31), &"7f".repeat(33), &"7g".repeat(32), "sesame"] {
            assert!(Key::parse(text).is_none(), "{text}");
        }
    }
}
