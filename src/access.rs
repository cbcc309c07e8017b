//! Who may do what: tokens with a name and a scope. Only hashes are stored.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The token's name.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
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
