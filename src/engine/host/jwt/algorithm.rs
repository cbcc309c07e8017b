//! The algorithms of tokens (RFC 7518 and RFC 8037).

use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
        RsaKeyPair, UnparsedPublicKey, VerificationAlgorithm,
    },
};

use crate::{
    engine::host::{
        HostError,
        pem::{self, PublicKey},
    },
    function::diagnostic::near_miss,
    signature::{Hash, hmac, is_hmac},
};

/// An algorithm, by the key that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// `HS256 HS384 HS512`: HMAC, with bytes that both sides know.
    Hmac(Hash),
    /// `RS256`: RSA (PKCS #1) with SHA-256.
    Rsa,
    /// `ES256`: ECDSA on the curve P-256 with SHA-256.
    P256,
    /// `EdDSA`: Ed25519.
    Ed25519,
}

const ALL: [(&str, Algorithm); 6] = [
    ("HS256", Algorithm::Hmac(Hash::Sha256)),
    ("HS384", Algorithm::Hmac(Hash::Sha384)),
    ("HS512", Algorithm::Hmac(Hash::Sha512)),
    ("RS256", Algorithm::Rsa),
    ("ES256", Algorithm::P256),
    ("EdDSA", Algorithm::Ed25519),
];

impl Algorithm {
    /// Reads a name.
    pub fn parse(name: &str) -> Result<Self, HostError> {
        let found = ALL.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm);
        let near =
            || near_miss(name, ALL.iter().map(|(known, _)| *known)).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        found.ok_or_else(|| format!("there is no algorithm `{name}`{} (there are {})", near(), Self::known()).into())
    }

    /// Returns the names of all, for messages.
    pub fn known() -> String {
        ALL.map(|(name, _)| format!("`{name}`")).join(", ")
    }

    /// Returns its name.
    pub fn name(self) -> &'static str {
        ALL.iter().find(|(_, algorithm)| *algorithm == self).map_or("", |(name, _)| name)
    }

    /// Returns whether both have the same kind of key.
    pub fn has_keys_of(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }

    /// Signs with a private key.
    pub fn sign(self, key: &[u8], message: &[u8]) -> Result<Vec<u8>, HostError> {
        let random = SystemRandom::new();
        let signature = match self {
            Self::Hmac(hash) => Some(hmac(hash, shared(key)?, &[message]).as_ref().to_vec()),
            Self::Rsa => rsa(key).and_then(|pair| {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).ok().map(|()| signature)
            }),
            Self::P256 => pem::pkcs8(key)
                .and_then(|key| EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key, &random).ok())
                .and_then(|pair| pair.sign(&random, message).ok())
                .map(|signature| signature.as_ref().to_vec()),
            Self::Ed25519 => pem::ed25519_pair(key).map(|pair| pair.sign(message).as_ref().to_vec()),
        };
        signature.ok_or_else(|| self.needs("private", "PRIVATE KEY"))
    }

    /// Returns whether a signature is by the owner of a key.
    pub fn verify(self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<bool, HostError> {
        let (how, key): (&dyn VerificationAlgorithm, Vec<u8>) = match (self, pem::public_key(key)) {
            (Self::Hmac(hash), _) => return Ok(is_hmac(hash, shared(key)?, &[message], signature)),
            (Self::Rsa, Some(PublicKey::Rsa(key))) => (&RSA_PKCS1_2048_8192_SHA256, key),
            (Self::P256, Some(PublicKey::P256(key))) => (&ECDSA_P256_SHA256_FIXED, key),
            (Self::Ed25519, Some(PublicKey::Ed25519(key))) => (&ED25519, key),
            _ => return Err(self.needs("public", "PUBLIC KEY")),
        };
        Ok(UnparsedPublicKey::new(how, key).verify(message, signature).is_ok())
    }

    fn needs(self, kind: &str, label: &str) -> HostError {
        let of = match self {
            Self::Rsa => "RSA (2,048 to 4,096 bits)",
            Self::P256 => "the curve P-256",
            _ => "Ed25519",
        };
        format!("`key` is no {kind} key of {of}, which {} needs: a text that begins with `-----BEGIN {label}-----`", self.name()).into()
    }
}

/// Takes a key as bytes that both sides know. A public key is known to all: whoever verifies with it in this way believes everybody.
fn shared(key: &[u8]) -> Result<&[u8], HostError> {
    match key.trim_ascii_start().starts_with(pem::BEGIN) {
        true => Err("`key` is a PEM, which is no key of HS256, HS384 or HS512: they have a random text that both sides know".into()),
        false => Ok(key),
    }
}

fn rsa(key: &[u8]) -> Option<RsaKeyPair> {
    let pkcs8 = pem::pkcs8(key).and_then(|key| RsaKeyPair::from_pkcs8(&key).ok());
    pkcs8.or_else(|| RsaKeyPair::from_der(&pem::pkcs1(key)?).ok())
}
