//! Why there is no answer.

use serde::{Deserialize, Serialize};

/// Why there is no answer, or none that may be given on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct OutboundError {
    /// What went wrong.
    pub kind: ErrorKind,
    /// The same for people: the host, why, and what to do. Never a query, a header or a body.
    pub message: String,
}

impl OutboundError {
    /// Says what went wrong.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// What went wrong. Scripts see the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The host's name has no address.
    Dns,
    /// No connection; nothing was sent.
    Connect,
    /// No safe connection, above all a certificate that is not trusted; nothing was sent.
    Tls,
    /// No answer in time.
    Timeout,
    /// The function or the node does not allow the place.
    Blocked,
    /// The answer is larger than allowed.
    TooLarge,
    /// Too many redirects, or one to nowhere.
    Redirect,
    /// What came is no HTTP, or broke off.
    Protocol,
}

impl ErrorKind {
    /// Returns the name that scripts see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Blocked => "blocked",
            Self::TooLarge => "too_large",
            Self::Redirect => "redirect",
            Self::Protocol => "protocol",
        }
    }

    /// Returns whether certainly nothing of the request was sent.
    pub fn is_before_sending(self) -> bool {
        matches!(self, Self::Dns | Self::Connect | Self::Tls)
    }
}
