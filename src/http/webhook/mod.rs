//! Webhooks: a git host says that a repository has changed. They are only pokes, so what matters of one is that its sender knows the secret;
//! one that is sent again does no harm.

mod bodies;
mod payload;
mod signature;

use std::net::IpAddr;

use http::HeaderMap;

use self::{
    bodies::{Bodies, BodyPermit},
    signature::{Signature, verify},
};
use crate::{http::problem::webhook::WebhookRefusal, secret::Secret};

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

    /// Refuses a webhook without a signature, or whose signature is wrong whatever its body is.
    pub fn precheck(&self, headers: &HeaderMap) -> Result<(), WebhookRefusal> {
        Signature::find(headers).ok_or(WebhookRefusal::Unsigned)?.precheck(&self.secret)
    }

    /// Takes a place for a large body of this sender, if one is free.
    pub fn take_place(&self, address: IpAddr) -> Option<BodyPermit<'_>> {
        self.bodies.take(address)
    }

    /// Returns whether the source may differ after this webhook, if its sender knows the secret.
    pub fn believe(&self, headers: &HeaderMap, body: &[u8], now_us: i64) -> Result<bool, WebhookRefusal> {
        Ok(self.concerns(&verify(headers, body, &self.secret, now_us)?))
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

/// What a webhook that is believed tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The host only tries whether we are there.
    pub is_ping: bool,
    /// What was pushed: `refs/heads/main`. None: it does not say.
    pub references: Vec<String>,
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const PUSH: &[u8] = br#"{"ref":"refs/heads/main","after":"x"}"#;

    #[test]
    fn only_what_is_followed_concerns_us() {
        let event = |body: &[u8], event: &str| {
            let mut headers = HeaderMap::from_iter([(HeaderName::from_static("x-gitlab-token"), HeaderValue::from_static("sesame"))]);
            headers.insert("x-github-event", event.parse().unwrap());
            verify(&headers, body, &Secret::new("sesame"), 0).unwrap()
        };
        let one = Webhook::new(Secret::new("sesame"), Some("main".into())).unwrap();
        let all = Webhook::new(Secret::new("sesame"), None).unwrap();
        for (body, kind, concerns_one, concerns_all) in [
            (PUSH, "push", true, true),
            (br#"{"ref":"refs/heads/other"}"#, "push", false, true),
            (br#"{"ref":"refs/tags/main"}"#, "push", false, false),
            (br#"{"ref":"main"}"#, "create", true, true),
            (br#"{"ref":7}"#, "push", true, true),
            (br#"{"push":{"changes":[{"new":{"type":"tag","name":"main"}}]}}"#, "push", false, false),
            (br#"{"push":{"changes":[{"new":{"type":"tag","name":"v1"}},{"new":{"type":"branch","name":"main"}}]}}"#, "push", true, true),
            (br#"{"push":{"changes":[{"old":{"type":"branch","name":"other"}}]}}"#, "push", false, true),
            (b"", "push", true, true),
            (b"\xff{", "push", true, true),
            (PUSH, "ping", false, false),
        ] {
            let event = event(body, kind);
            assert_eq!((one.concerns(&event), all.concerns(&event)), (concerns_one, concerns_all), "{event:?}");
        }
        assert!(Webhook::new(Secret::new(""), None).is_none(), "an empty secret would believe everybody");
    }
}
