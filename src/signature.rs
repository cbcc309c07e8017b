//! Signatures with a key that both sides know: HMAC (RFC 2104), and what Standard Webhooks makes of it.

use std::borrow::Cow;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use ring::hmac::{self, Context, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, HMAC_SHA384, HMAC_SHA512, Key, Tag};
use subtle::ConstantTimeEq as _;

/// How far a sender's clock may be off, where the time is signed: what Standard Webhooks, Stripe and Slack recommend.
const MAX_AGE_US: i64 = 5 * 60 * 1_000_000;

/// The hash function of an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// Good for an HMAC still, and used by old services only.
    Sha1,
    /// What nearly all use.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    fn algorithm(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => HMAC_SHA256,
            Self::Sha384 => HMAC_SHA384,
            Self::Sha512 => HMAC_SHA512,
        }
    }
}

/// Computes the HMAC of these parts, one after the other.
pub fn hmac(hash: Hash, key: &[u8], parts: &[&[u8]]) -> Tag {
    let mut context = Context::with_key(&Key::new(hash.algorithm(), key));
    parts.iter().for_each(|part| context.update(part));
    context.sign()
}

/// Returns whether this is the HMAC of these parts. Compares in constant time.
pub fn is_hmac(hash: Hash, key: &[u8], parts: &[&[u8]], signature: &[u8]) -> bool {
    hmac(hash, key, parts).as_ref().ct_eq(signature).into()
}

/// Returns whether a time that was signed, in seconds since 1970 as digits, is near enough that nobody can have kept it for long.
pub fn is_recent(seconds: &[u8], now_us: i64) -> bool {
    let seconds = std::str::from_utf8(seconds).ok().and_then(|seconds| seconds.parse::<i64>().ok());
    seconds.is_some_and(|seconds| {
        let age_us = now_us.saturating_sub(seconds.saturating_mul(1_000_000));
        (-MAX_AGE_US..=MAX_AGE_US).contains(&age_us)
    })
}

/// The signature of a webhook as `standardwebhooks.com` describes it.
#[derive(Debug, Clone, Copy)]
pub struct StandardSignature<'a> {
    /// The header `webhook-id`.
    pub id: &'a [u8],
    /// The header `webhook-timestamp`.
    pub time: &'a [u8],
    /// The header `webhook-signature`: one or more, with spaces between.
    pub signatures: &'a [u8],
}

impl StandardSignature<'_> {
    /// Returns whether one of the signatures is made with this secret. Its time is another question.
    pub fn is_of(&self, secret: &[u8], body: &[u8]) -> bool {
        let key = match secret.strip_prefix(b"whsec_").map(|key| BASE64.decode(key)) {
            None => Cow::Borrowed(secret),
            Some(Ok(key)) if !key.is_empty() => Cow::Owned(key),
            // It is no key, and an empty one would be anybody's.
            Some(_) => return false,
        };
        let parts = [self.id, b".", self.time, b".", body];
        // While its key is replaced a sender signs with both.
        let signatures = self.signatures.split(|byte| *byte == b' ').filter_map(|signature| signature.strip_prefix(b"v1,"));
        let is_of = |signature| BASE64.decode(signature).is_ok_and(|signature| is_hmac(Hash::Sha256, &key, &parts, &signature));
        signatures.take(MAX_SIGNATURES).any(is_of)
    }
}

/// Most signatures of one webhook that are looked at: a sender signs with two keys at most.
const MAX_SIGNATURES: usize = 8;

/// With padding or without.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    #[test]
    fn an_hmac_is_that_of_its_standard() {
        // RFC 2202 and RFC 4231, test case 2.
        for (hash, digits) in [
            (Hash::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (Hash::Sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (Hash::Sha384, "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649"),
            (
                Hash::Sha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ] {
            let signature = hex::decode(digits.as_bytes()).unwrap();
            let parts: [&[u8]; 2] = [b"what do ya want ", b"for nothing?"];
            assert!(is_hmac(hash, b"Jefe", &parts, &signature), "{hash:?}");
            assert!(!is_hmac(hash, b"jefe", &parts, &signature), "{hash:?}");
            assert!(!is_hmac(hash, b"Jefe", &parts, &signature[1..]), "{hash:?}");
        }
    }

    #[test]
    fn the_example_of_standard_webhooks_is_believed() {
        let signature = StandardSignature {
            id: b"msg_p5jXN8AQM9LWM0D4loKWxJek",
            time: b"1614265330",
            signatures: b"v1a,x v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        };
        assert!(signature.is_of(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", br#"{"test": 2432232314}"#));
        assert!(!signature.is_of(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", br#"{"test": 2432232315}"#));
        assert!(!signature.is_of(b"whsec_a2V5", br#"{"test": 2432232314}"#));
    }

    #[test]
    fn a_time_is_recent_for_five_minutes_in_both_directions() {
        let now_us = 1_795_424_645_000_000;
        for (seconds, is_good) in [
            ("1795424645", true),
            ("1795424345", true),
            ("1795424945", true),
            ("1795424344", false),
            ("1795424946", false),
            ("9223372036854775807", false),
            ("-9223372036854775808", false),
            ("", false),
            ("1795424645.0", false),
            (" 1795424645", false),
        ] {
            assert_eq!(is_recent(seconds.as_bytes(), now_us), is_good, "{seconds}");
        }
    }
}
