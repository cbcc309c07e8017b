//! What webhooks are not believed.

/// The headers that senders sign with.
const SIGNATURES: &str = "`X-Hub-Signature-256` (GitHub), `X-Hub-Signature` with sha256 (Bitbucket), `X-Forgejo-Signature`, `X-Gitea-Signature`, \
                              `X-Gogs-Signature`, `X-Gitlab-Token`, `Webhook-Signature` (Standard Webhooks)";

/// Why a webhook is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookRefusal {
    /// It has no signature that is known here.
    Unsigned,
    /// Somebody without the secret made it, or it was changed on its way.
    WrongSignature,
    /// It was signed long ago, or will be.
    WrongTime,
}

impl WebhookRefusal {
    /// Returns one sentence that is safe for anyone to read, and what to do.
    pub(super) fn message(self) -> String {
        match self {
            Self::Unsigned => format!(
                "the webhook has no signature that is known here\n  hint: set the secret on the side that sends it; these headers are read: {SIGNATURES}"
            ),
            Self::WrongSignature => "the webhook's signature is wrong\n  hint: the secret must be the same on both sides".into(),
            Self::WrongTime => "the webhook was signed more than 5 minutes ago or ahead: one of the clocks is wrong".into(),
        }
    }
}
