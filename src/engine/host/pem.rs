//! Keys as programs write them into files: a PEM (RFC 7468).

use ring::signature::Ed25519KeyPair;
use rustls::pki_types::{
    alg_id::{ECDSA_P256, ED25519, RSA_ENCRYPTION},
    pem::{PemObject as _, SectionKind},
};

/// What a PEM with a key begins with.
pub const BEGIN: &[u8] = b"-----BEGIN ";

/// A public key, as `ring` takes it.
#[derive(Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// An RSA key (PKCS #1).
    Rsa(Vec<u8>),
    /// A point on the curve P-256, not compressed.
    P256(Vec<u8>),
    /// The 32 bytes of RFC 8032.
    Ed25519(Vec<u8>),
}

/// Reads a private key in PKCS #8: `-----BEGIN PRIVATE KEY-----`.
pub fn pkcs8(text: &[u8]) -> Option<Vec<u8>> {
    section(text, SectionKind::PrivateKey)
}

/// Reads a private RSA key in PKCS #1: `-----BEGIN RSA PRIVATE KEY-----`.
pub fn pkcs1(text: &[u8]) -> Option<Vec<u8>> {
    section(text, SectionKind::RsaPrivateKey)
}

/// Reads a private Ed25519 key: the 32 bytes of RFC 8032, or a PEM. OpenSSL leaves out the public key.
pub fn ed25519_pair(key: &[u8]) -> Option<Ed25519KeyPair> {
    match key.len() {
        ED25519_KEY_BYTES => Ed25519KeyPair::from_seed_unchecked(key).ok(),
        _ => Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8(key)?).ok(),
    }
}

/// Reads a public key: `-----BEGIN PUBLIC KEY-----` (RFC 5280, section 4.1.2.7), or the bytes of an Ed25519 key.
pub fn public_key(text: &[u8]) -> Option<PublicKey> {
    if text.len() == ED25519_KEY_BYTES {
        return Some(PublicKey::Ed25519(text.to_vec()));
    }
    let info = section(text, SectionKind::PublicKey)?;
    let (info, _) = element(&info, SEQUENCE)?;
    let (algorithm, rest) = element(info, SEQUENCE)?;
    // The first byte counts bits that are not used.
    let [0, key @ ..] = element(rest, BIT_STRING)?.0 else { return None };
    match algorithm {
        _ if algorithm == RSA_ENCRYPTION.as_ref() => Some(PublicKey::Rsa(key.to_vec())),
        _ if algorithm == ECDSA_P256.as_ref() => Some(PublicKey::P256(key.to_vec())),
        _ if algorithm == ED25519.as_ref() => Some(PublicKey::Ed25519(key.to_vec())),
        _ => None,
    }
}

fn section(text: &[u8], wanted: SectionKind) -> Option<Vec<u8>> {
    let (kind, content) = <(SectionKind, Vec<u8>)>::from_pem_slice(text).ok()?;
    (kind == wanted).then_some(content)
}

/// Bytes of an Ed25519 key. A PEM has more.
const ED25519_KEY_BYTES: usize = 32;

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;

/// Splits the first element, which has this tag, from the rest (DER, X.690). Lengths of more than two bytes are too long for a key.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match der {
        [first, 0x82, high, low, rest @ ..] if *first == tag => (usize::from(*high) << 8 | usize::from(*low), rest),
        [first, 0x81, length, rest @ ..] if *first == tag => (usize::from(*length), rest),
        [first, length @ 0..=0x7f, rest @ ..] if *first == tag => (usize::from(*length), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410, section 10.1.
    const ED25519_KEY: &str =
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn a_public_key_is_read_with_its_kind() {
        let Some(PublicKey::Ed25519(key)) = public_key(ED25519_KEY.as_bytes()) else { panic!("it is one") };
        assert_eq!(key[..4], [0x19, 0xbf, 0x44, 0x09]);
    }

    #[test]
    fn what_is_cut_or_no_key_is_none() {
        for text in ["", "-----BEGIN PUBLIC KEY-----", "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n", "x"] {
            assert_eq!(public_key(text.as_bytes()), None, "{text}");
        }
        assert_eq!(pkcs8(ED25519_KEY.as_bytes()), None);
        for der in [&[][..], &[0x30], &[0x30, 1], &[0x30, 0x82, 0xff, 0xff, 1], &[0x30, 0x84, 0, 0, 0, 1], &[2, 1, 1]] {
            assert_eq!(element(der, SEQUENCE), None, "{der:?}");
        }
    }
}
