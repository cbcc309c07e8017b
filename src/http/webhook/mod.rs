//! Webhooks: a git host says that a repository has changed. They are only pokes, so what matters of one is that its sender knows the secret;
//! one that is sent again does no harm.

mod payload;

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
    net::{IpAddr, SocketAddr},
    sync::{Mutex, MutexGuard},
};

use axum::{
    Json,
    body::Body,
    extract::ConnectInfo,
    response::{IntoResponse as _, Response},
};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, Request, StatusCode, header};
use http_body::Body as _;
use sha2::Sha256;

use crate::{
    http::{
        app::App,
        auth::caller::Anybody,
        problem::Problem,
        wire::{body::read_body, network::network},
    },
    secret::Secret,
};

/// What GitHub sends at most.
const MAX_BODY_BYTES: usize = 25 << 20;
/// What nearly all webhooks are smaller than. Such a body is held without a place, as that of a request to a function is.
const SMALL_BODY_BYTES: usize = 64 << 10;
/// Places for larger bodies, of all senders and of one, because nobody has proved anything while a body is read.
const MAX_BODIES: usize = 4;
const MAX_BODIES_OF_ONE: usize = 2;
/// How far a sender's clock may be off, where the time is signed: what Standard Webhooks recommends.
const MAX_AGE_US: i64 = 5 * 60 * 1_000_000;

/// Who may say that the source has changed, and what of it is followed.
pub struct Webhook {
    secret: Secret,
    branch: Option<String>,
    bodies: Bodies,
}

impl Webhook {
    /// Takes the secret that both sides know, and the one branch that is followed; without it, all are. An empty secret is none.
    pub fn new(secret: Secret, branch: Option<String>) -> Option<Self> {
        (!secret.expose().is_empty()).then(|| Self { secret, branch, bodies: Bodies::default() })
    }

    /// Returns whether the source may differ after this.
    fn concerns(&self, event: &Event) -> bool {
        let is_followed = |reference: &String| match reference.strip_prefix("refs/heads/") {
            Some(branch) => self.branch.as_ref().is_none_or(|followed| followed == branch),
            // A tag; something that is no reference says nothing.
            None => !reference.starts_with("refs/"),
        };
        !event.is_ping && (event.references.is_empty() || event.references.iter().any(is_followed))
    }
}

/// The places that are taken for large bodies, by sender.
#[derive(Default)]
struct Bodies(Mutex<HashMap<IpAddr, usize>>);

impl Bodies {
    fn take(&self, address: IpAddr) -> Option<Place<'_>> {
        let address = network(address);
        let mut taken = self.taken();
        let own = taken.get(&address).copied().unwrap_or_default();
        if own == MAX_BODIES_OF_ONE || taken.values().sum::<usize>() == MAX_BODIES {
            return None;
        }
        taken.insert(address, own + 1);
        Some(Place { bodies: self, address })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().expect("nothing panics while it holds the lock")
    }
}

/// A place that is taken. Dropping it makes it free.
struct Place<'a> {
    bodies: &'a Bodies,
    address: IpAddr,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.bodies.taken();
        if let Entry::Occupied(mut own) = taken.entry(self.address) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

/// Why a webhook is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It has no signature that is known here.
    Unsigned,
    /// Somebody without the secret made it, or it was changed on its way.
    WrongSignature,
    /// It was signed long ago, or will be.
    WrongTime,
}

/// What a webhook that is believed tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The host only tries whether we are there.
    pub is_ping: bool,
    /// What was pushed: `refs/heads/main`. None: it does not say.
    pub references: Vec<String>,
}

/// Answers a webhook: 202 and the source is looked at soon, or 204 because nothing of it is followed.
#[utoipa::path(
    post, path = "/_picloud/hooks/source", tag = "source", request_body(content = Object, description = "Whatever the forge sends, signed."),
    responses((status = 202, description = "The source is looked at.", body = Object), (status = 204, description = "Nothing that concerns the node."))
)]
pub async fn receive(
    Anybody(app): Anybody,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Result<Response, Problem> {
    if !accept(&app, request, peer.ip()).await? {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    app.sync.poke();
    Ok((StatusCode::ACCEPTED, Json(serde_json::json!({ "status": "accepted" }))).into_response())
}

/// Returns whether the source may have changed.
async fn accept(app: &App, request: Request<Body>, address: IpAddr) -> Result<bool, Problem> {
    let webhook = app.webhook.as_ref().ok_or(Problem::NoWebhookSecret)?;
    let (parts, body) = request.into_parts();
    let signature = Signature::find(&parts.headers).ok_or(Reason::Unsigned).map_err(Problem::Webhook)?;
    signature.precheck(&webhook.secret).map_err(Problem::Webhook)?;
    let is_small = body.size_hint().exact().is_some_and(|bytes| bytes <= SMALL_BODY_BYTES as u64);
    let _place = if is_small { None } else { Some(webhook.bodies.take(address).ok_or(Problem::WebhooksBusy)?) };
    let body = read_body(&parts.headers, body, MAX_BODY_BYTES, app.settings.body_timeout).await?;
    let event = verify(&parts.headers, &body, &webhook.secret, app.ids.now_us()).map_err(Problem::Webhook)?;
    Ok(webhook.concerns(&event))
}

/// Returns what a webhook tells if its sender knows the secret. Nothing is believed before that.
pub fn verify(headers: &HeaderMap, body: &[u8], secret: &Secret, now_us: i64) -> Result<Event, Reason> {
    let is_form = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let payload = || match is_form {
        true => form_urlencoded::parse(body).find(|(name, _)| name == "payload").map(|(_, value)| match value {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }),
        false => Some(Cow::Borrowed(body)),
    };
    match Signature::find(headers).ok_or(Reason::Unsigned)? {
        // These sign what is in the form, GitHub the form itself.
        Signature::Gitea(hex) => hmac(secret.expose().as_bytes(), &[&payload().unwrap_or_default()], &from_hex(hex)?)?,
        Signature::GitHub(hex) => hmac(secret.expose().as_bytes(), &[body], &from_hex(hex)?)?,
        signature @ Signature::GitLab(_) => signature.precheck(secret)?,
        Signature::Standard { id, time, signatures } => standard(secret, id, time, body, signatures, now_us)?,
    }
    let references = payload().map_or_else(Vec::new, |payload| payload::references(&payload));
    let kind =
        ["x-forgejo-event", "x-gitea-event", "x-gogs-event", "x-github-event", "x-event-key"].iter().find_map(|name| headers.get(*name));
    Ok(Event { is_ping: kind.is_some_and(|kind| kind == "ping" || kind == "diagnostics:ping"), references })
}

/// The headers that senders sign with.
pub const SIGNATURES: &str = "`X-Hub-Signature-256` (GitHub), `X-Hub-Signature` with sha256 (Bitbucket), `X-Forgejo-Signature`, `X-Gitea-Signature`, \
                              `X-Gogs-Signature`, `X-Gitlab-Token`, `Webhook-Signature` (Standard Webhooks)";

/// How a sender proves that it knows the secret.
enum Signature<'a> {
    /// Of Forgejo and Gogs too: hexadecimal digits.
    Gitea(&'a [u8]),
    /// Of Bitbucket too: hexadecimal digits.
    GitHub(&'a [u8]),
    /// The secret itself.
    GitLab(&'a [u8]),
    /// What `standardwebhooks.com` describes.
    Standard { id: &'a [u8], time: &'a [u8], signatures: &'a [u8] },
}

impl<'a> Signature<'a> {
    /// Finds the one that counts. Forgejo sends Gitea's headers too, and Gitea those of GitHub and Gogs. GitHub sends one of SHA-1 as well, in
    /// the header that Bitbucket uses for SHA-256.
    fn find(headers: &'a HeaderMap) -> Option<Self> {
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
        Some(Self::Standard { id, time, signatures: header("webhook-signature")? })
    }
}

impl Signature<'_> {
    /// Fails where a signature is wrong whatever the body is.
    fn precheck(&self, secret: &Secret) -> Result<(), Reason> {
        match self {
            Self::GitLab(token) if !secret.matches(token) => Err(Reason::WrongSignature),
            _ => Ok(()),
        }
    }
}

/// Compares in constant time.
fn hmac(key: &[u8], parts: &[&[u8]], signature: &[u8]) -> Result<(), Reason> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("a key may have any length");
    parts.iter().for_each(|part| hmac.update(part));
    hmac.verify_slice(signature).map_err(|_| Reason::WrongSignature)
}

fn from_hex(hex: &[u8]) -> Result<Vec<u8>, Reason> {
    let digit = |byte: u8| (byte as char).to_digit(16).ok_or(Reason::WrongSignature);
    hex.chunks(2).map(|pair| Ok((digit(pair[0])? << 4 | digit(*pair.get(1).ok_or(Reason::WrongSignature)?)?) as u8)).collect()
}

/// With padding or without.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

fn standard(secret: &Secret, id: &[u8], time: &[u8], body: &[u8], signatures: &[u8], now_us: i64) -> Result<(), Reason> {
    let key = secret.expose().strip_prefix("whsec_").and_then(|key| BASE64.decode(key).ok());
    let key = key.as_deref().unwrap_or(secret.expose().as_bytes());
    // While its key is replaced a sender signs with both.
    let is_signed = signatures
        .split(|byte| *byte == b' ')
        .filter_map(|signature| signature.strip_prefix(b"v1,"))
        .any(|signature| BASE64.decode(signature).is_ok_and(|signature| hmac(key, &[id, b".", time, b".", body], &signature).is_ok()));
    if !is_signed {
        return Err(Reason::WrongSignature);
    }
    let seconds = std::str::from_utf8(time).ok().and_then(|time| time.parse::<i64>().ok()).ok_or(Reason::WrongTime)?;
    let age_us = now_us.saturating_sub(seconds.saturating_mul(1_000_000));
    (-MAX_AGE_US..=MAX_AGE_US).contains(&age_us).then_some(()).ok_or(Reason::WrongTime)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_US: i64 = 1_795_424_645_000_000;
    const BODY: &[u8] = br#"{"ref":"refs/heads/main","after":"x"}"#;

    fn mac(key: &[u8], signed: &[u8]) -> Vec<u8> {
        let mut hmac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        hmac.update(signed);
        hmac.finalize().into_bytes().to_vec()
    }

    fn hex(key: &str, signed: &[u8]) -> String {
        mac(key.as_bytes(), signed).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn headers(given: &[(&'static str, &str)]) -> HeaderMap {
        given.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn check(given: &[(&'static str, &str)], body: &[u8]) -> Result<Event, Reason> {
        verify(&headers(given), body, &Secret::new("sesame"), NOW_US)
    }

    fn pushed() -> Result<Event, Reason> {
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
        let no = || Err(Reason::WrongSignature);
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
            (vec![("x-hub-signature", "sha1=00")], Err(Reason::Unsigned)),
            (vec![], Err(Reason::Unsigned)),
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
        let late = || Err(Reason::WrongTime);
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
            (now - 1, sign(b"sesame", now), Err(Reason::WrongSignature)),
            (now, sign(b"other", now), Err(Reason::WrongSignature)),
            (now, "v1,".into(), Err(Reason::WrongSignature)),
        ] {
            let given = [("webhook-id", "msg_1"), ("webhook-timestamp", &*time.to_string()), ("webhook-signature", &*signature)];
            assert_eq!(check(&given, BODY), expected, "{given:?}");
        }
        let time = now.to_string();
        let given = headers(&[("webhook-id", "msg_1"), ("webhook-timestamp", &time), ("webhook-signature", &sign(b"key", now))]);
        assert_eq!(verify(&given, BODY, &Secret::new("whsec_a2V5"), NOW_US), pushed(), "the key is `key` in base 64");
        assert_eq!(check(&[("webhook-signature", "v1,x")], BODY), Err(Reason::Unsigned));
    }

    #[test]
    fn a_form_is_signed_whole_by_github_and_by_its_payload_elsewhere() {
        let form = form_urlencoded::Serializer::new(String::new()).append_pair("payload", std::str::from_utf8(BODY).unwrap()).finish();
        let (of_form, of_payload) = (hex("sesame", form.as_bytes()), hex("sesame", BODY));
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let check = |name, signature: &str| check(&[kind, (name, signature)], form.as_bytes());
        assert_eq!(check("x-hub-signature-256", &format!("sha256={of_form}")), pushed());
        assert_eq!(check("x-hub-signature-256", &format!("sha256={of_payload}")), Err(Reason::WrongSignature));
        for name in ["x-gitea-signature", "x-forgejo-signature"] {
            assert_eq!(check(name, &of_payload), pushed());
            assert_eq!(check(name, &of_form), Err(Reason::WrongSignature));
        }
    }

    #[test]
    fn no_sender_has_every_place_for_a_large_body() {
        let bodies = Bodies::default();
        let take = |text: &str| bodies.take(text.parse().unwrap());
        let own = [take("10.0.0.1"), take("::ffff:10.0.0.1")];
        assert!(own.iter().all(Option::is_some) && take("10.0.0.1").is_none());
        let others = [take("2001:db8::1"), take("2001:db8::2")];
        assert!(others.iter().all(Option::is_some) && take("10.0.0.2").is_none());
        drop(own);
        assert!(take("10.0.0.2").is_some() && take("2001:db8::3").is_none());
        drop(others);
        assert!(bodies.taken().is_empty());
    }

    #[test]
    fn only_what_is_followed_concerns_us() {
        let event = |body: &[u8], event: &str| check(&[("x-gitlab-token", "sesame"), ("x-github-event", event)], body).unwrap();
        let one = Webhook::new(Secret::new("sesame"), Some("main".into())).unwrap();
        let all = Webhook::new(Secret::new("sesame"), None).unwrap();
        for (body, kind, concerns_one, concerns_all) in [
            (BODY, "push", true, true),
            (br#"{"ref":"refs/heads/other"}"#, "push", false, true),
            (br#"{"ref":"refs/tags/main"}"#, "push", false, false),
            (br#"{"ref":"main"}"#, "create", true, true),
            (br#"{"ref":7}"#, "push", true, true),
            (br#"{"push":{"changes":[{"new":{"type":"tag","name":"main"}}]}}"#, "push", false, false),
            (br#"{"push":{"changes":[{"new":{"type":"tag","name":"v1"}},{"new":{"type":"branch","name":"main"}}]}}"#, "push", true, true),
            (br#"{"push":{"changes":[{"old":{"type":"branch","name":"other"}}]}}"#, "push", false, true),
            (b"", "push", true, true),
            (b"\xff{", "push", true, true),
            (BODY, "ping", false, false),
        ] {
            let event = event(body, kind);
            assert_eq!((one.concerns(&event), all.concerns(&event)), (concerns_one, concerns_all), "{event:?}");
        }
        assert!(Webhook::new(Secret::new(""), None).is_none(), "an empty secret would believe everybody");
    }
}
