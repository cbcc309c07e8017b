//! Whether a webhook comes from somebody who knows the secret.

use std::borrow::Cow;

use http::{HeaderMap, header};

use super::{Event, payload};
use crate::{
    hex,
    http::problem::webhook::WebhookRefusal,
    secret::Secret,
    signature::{Hash, StandardSignature, is_hmac, is_recent},
};

/// Returns what a webhook tells if its sender knows the secret. Nothing is believed before that.
pub fn verify(headers: &HeaderMap, body: &[u8], secret: &Secret, now_us: i64) -> Result<Event, WebhookRefusal> {
    let is_form = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let payload = || match is_form {
        true => form_urlencoded::parse(body).find(|(name, _)| name == "payload").map(|(_, value)| match value {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }),
        false => Some(Cow::Borrowed(body)),
    };
    match Signature::find(headers).ok_or(WebhookRefusal::Unsigned)? {
        // These sign what is in the form, GitHub the form itself.
        Signature::Gitea(hex) => hmac(secret, &payload().unwrap_or_default(), hex)?,
        Signature::GitHub(hex) => hmac(secret, body, hex)?,
        signature @ Signature::GitLab(_) => signature.precheck(secret)?,
        Signature::Standard(signature) => standard(secret, &signature, body, now_us)?,
    }
    let references = payload().map_or_else(Vec::new, |payload| payload::references(&payload));
    let kind =
        ["x-forgejo-event", "x-gitea-event", "x-gogs-event", "x-github-event", "x-event-key"].iter().find_map(|name| headers.get(*name));
    Ok(Event { is_ping: kind.is_some_and(|kind| kind == "ping" || kind == "diagnostics:ping"), references })
}

/// How a sender proves that it knows the secret.
pub enum Signature<'a> {
    /// Of Forgejo and Gogs too: hexadecimal digits.
    Gitea(&'a [u8]),
    /// Of Bitbucket too: hexadecimal digits.
    GitHub(&'a [u8]),
    /// The secret itself.
    GitLab(&'a [u8]),
    /// What `standardwebhooks.com` describes.
    Standard(StandardSignature<'a>),
}

impl<'a> Signature<'a> {
    /// Finds the one that counts. Forgejo sends Gitea's headers too, and Gitea those of GitHub and Gogs. GitHub sends one of SHA-1 as well, in
    /// the header that Bitbucket uses for SHA-256.
    pub fn find(headers: &'a HeaderMap) -> Option<Self> {
        let header = |name| headers.get(name).map(http::HeaderValue::as_bytes);
        if let Some(hex) = header("x-forgejo-signature").or_else(|| header("x-gitea-signature")) {
            return Some(Self::Gitea(hex));
        }
        if let Some(signature) = header("x-hub-signature-256") {
            return Some(Self::GitHub(signature.strip_prefix(b"sha256=").unwrap_or_default()));
        }
        if let Some(hex) = header("x-hub-signature").and_then(|signature| signature.strip_prefix(b"sha256=")) {
            return Some(Self::GitHub(hex));
        }
        if let Some(hex) = header("x-gogs-signature") {
            return Some(Self::Gitea(hex));
        }
        if let Some(token) = header("x-gitlab-token") {
            return Some(Self::GitLab(token));
        }
        let (id, time) = (header("webhook-id")?, header("webhook-timestamp")?);
        Some(Self::Standard(StandardSignature { id, time, signatures: header("webhook-signature")? }))
    }
}

impl Signature<'_> {
    /// Fails where a signature is wrong whatever the body is.
    pub fn precheck(&self, secret: &Secret) -> Result<(), WebhookRefusal> {
        match self {
            Self::GitLab(token) if !secret.matches(token) => Err(WebhookRefusal::WrongSignature),
            _ => Ok(()),
        }
    }
}

fn hmac(secret: &Secret, signed: &[u8], hex: &[u8]) -> Result<(), WebhookRefusal> {
    let signature: [u8; 32] = hex::parse(hex).ok_or(WebhookRefusal::WrongSignature)?;
    is_hmac(Hash::Sha256, secret.expose().as_bytes(), &[signed], &signature).then_some(()).ok_or(WebhookRefusal::WrongSignature)
}

fn standard(secret: &Secret, signature: &StandardSignature<'_>, body: &[u8], now_us: i64) -> Result<(), WebhookRefusal> {
    if !signature.is_of(secret.expose().as_bytes(), body) {
        return Err(WebhookRefusal::WrongSignature);
    }
    is_recent(signature.time, now_us).then_some(()).ok_or(WebhookRefusal::WrongTime)
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};

    use super::*;

    const NOW_US: i64 = 1_795_424_645_000_000;
    const BODY: &[u8] = br#"{"ref":"refs/heads/main","after":"x"}"#;

    fn mac(key: &[u8], signed: &[u8]) -> Vec<u8> {
        crate::signature::hmac(Hash::Sha256, key, &[signed]).as_ref().to_vec()
    }

    fn hex(key: &str, signed: &[u8]) -> String {
        hex::Hex(&mac(key.as_bytes(), signed)).to_string()
    }

    fn headers(given: &[(&'static str, &str)]) -> HeaderMap {
        given.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn check(given: &[(&'static str, &str)], body: &[u8]) -> Result<Event, WebhookRefusal> {
        verify(&headers(given), body, &Secret::new("sesame"), NOW_US)
    }

    fn pushed() -> Result<Event, WebhookRefusal> {
        Ok(Event { is_ping: false, references: vec!["refs/heads/main".into()] })
    }

    #[test]
    fn a_known_example_is_believed() {
        // From GitHub's documentation of its webhooks.
        let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let secret = Secret::new("It's a Secret to Everybody");
        let event = verify(&headers(&[("x-hub-signature-256", signature)]), b"Hello, World!", &secret, NOW_US);
        assert_eq!(event, Ok(Event { is_ping: false, references: Vec::new() }));
    }

    #[test]
    fn each_host_signs_in_its_way() {
        let (right, wrong) = (hex("sesame", BODY), hex("other", BODY));
        let (hub_right, hub_wrong) = (format!("sha256={right}"), format!("sha256={wrong}"));
        let upper = right.to_uppercase();
        let no = || Err(WebhookRefusal::WrongSignature);
        for (given, expected) in [
            (vec![("x-forgejo-signature", &*right)], pushed()),
            (vec![("x-forgejo-signature", &*upper)], pushed()),
            (vec![("x-forgejo-signature", &*wrong)], no()),
            (vec![("x-gitea-signature", &*right)], pushed()),
            (vec![("x-gitea-signature", &*wrong)], no()),
            (vec![("x-hub-signature-256", &*hub_right)], pushed()),
            (vec![("x-hub-signature-256", &*hub_wrong)], no()),
            (vec![("x-hub-signature-256", &*right)], no()),
            (vec![("x-hub-signature", &*hub_right)], pushed()),
            (vec![("x-hub-signature", &*hub_wrong)], no()),
            (vec![("x-hub-signature", "sha1=00"), ("x-hub-signature-256", &*hub_right)], pushed()),
            (vec![("x-hub-signature", &*hub_right), ("x-hub-signature-256", &*hub_wrong)], no()),
            (vec![("x-gogs-signature", &*right)], pushed()),
            (vec![("x-gogs-signature", &*wrong)], no()),
            (vec![("x-gitlab-token", "sesame")], pushed()),
            (vec![("x-gitlab-token", "sesam")], no()),
            (vec![("x-gitlab-token", "")], no()),
            // The first that is there counts alone.
            (vec![("x-forgejo-signature", &*wrong), ("x-gitea-signature", &*right)], no()),
            (vec![("x-gitea-signature", &*wrong), ("x-hub-signature-256", &*hub_right)], no()),
            (vec![("x-hub-signature-256", &*hub_wrong), ("x-gitlab-token", "sesame")], no()),
            // Nonsense is wrong, and nothing else.
            (vec![("x-gitea-signature", "")], no()),
            (vec![("x-gitea-signature", "abc")], no()),
            (vec![("x-gitea-signature", "zz")], no()),
            (vec![("x-gitea-signature", &right[..62])], no()),
            (vec![("x-hub-signature-256", "sha256=")], no()),
            (vec![("x-hub-signature", "sha1=00")], Err(WebhookRefusal::Unsigned)),
            (vec![], Err(WebhookRefusal::Unsigned)),
        ] {
            assert_eq!(check(&given, BODY), expected, "{given:?}");
        }
        assert_eq!(check(&[("x-gitea-signature", &right)], b"{}"), no(), "another body");
    }

    #[test]
    fn standard_webhooks_are_signed_with_their_time() {
        let now = NOW_US / 1_000_000;
        let sign = |key: &[u8], time: i64| {
            let signed = [format!("msg_1.{time}.").as_bytes(), BODY].concat();
            format!("v1,{}", BASE64.encode(mac(key, &signed)))
        };
        let late = || Err(WebhookRefusal::WrongTime);
        for (time, signature, expected) in [
            (now, sign(b"sesame", now), pushed()),
            (now, format!("v1,AAAA v1a,x {}", sign(b"sesame", now)), pushed()),
            (now, sign(b"sesame", now).trim_end_matches('=').to_owned(), pushed()),
            (now - 300, sign(b"sesame", now - 300), pushed()),
            (now + 300, sign(b"sesame", now + 300), pushed()),
            (now - 301, sign(b"sesame", now - 301), late()),
            (now + 301, sign(b"sesame", now + 301), late()),
            (i64::MAX, sign(b"sesame", i64::MAX), late()),
            (i64::MIN, sign(b"sesame", i64::MIN), late()),
            (now - 1, sign(b"sesame", now), Err(WebhookRefusal::WrongSignature)),
            (now, sign(b"other", now), Err(WebhookRefusal::WrongSignature)),
            (now, "v1,".into(), Err(WebhookRefusal::WrongSignature)),
        ] {
            let given = [("webhook-id", "msg_1"), ("webhook-timestamp", &*time.to_string()), ("webhook-signature", &*signature)];
            assert_eq!(check(&given, BODY), expected, "{given:?}");
        }
        let time = now.to_string();
        let given = headers(&[("webhook-id", "msg_1"), ("webhook-timestamp", &time), ("webhook-signature", &sign(b"key", now))]);
        assert_eq!(verify(&given, BODY, &Secret::new("whsec_a2V5"), NOW_US), pushed(), "the key is `key` in base 64");
        assert_eq!(check(&[("webhook-signature", "v1,x")], BODY), Err(WebhookRefusal::Unsigned));
    }

    #[test]
    fn a_form_is_signed_whole_by_github_and_by_its_payload_elsewhere() {
        let form = form_urlencoded::Serializer::new(String::new()).append_pair("payload", std::str::from_utf8(BODY).unwrap()).finish();
        let (of_form, of_payload) = (hex("sesame", form.as_bytes()), hex("sesame", BODY));
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let check = |name, signature: &str| check(&[kind, (name, signature)], form.as_bytes());
        assert_eq!(check("x-hub-signature-256", &format!("sha256={of_form}")), pushed());
        assert_eq!(check("x-hub-signature-256", &format!("sha256={of_payload}")), Err(WebhookRefusal::WrongSignature));
        for name in ["x-gitea-signature", "x-forgejo-signature"] {
            assert_eq!(check(name, &of_payload), pushed());
            assert_eq!(check(name, &of_form), Err(WebhookRefusal::WrongSignature));
        }
    }
}
