//! Who somebody is, once a token or a session has been recognised.

use crate::access::{ADMIN, Principal, Scope, Token, TokenHash};

/// Which token somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// The one in the data folder.
    Admin,
    /// One of the store.
    Token(TokenHash),
}

/// Who sent a request.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The token, and what it allows.
    pub principal: Principal,
    /// From when on it allows nothing, in microseconds since 1970; none: it has no end.
    pub ends_us: Option<i64>,
    /// Whether it came by a session.
    pub is_session: bool,
}

impl Identity {
    /// Has the token in the data folder.
    pub fn admin() -> Self {
        let principal = Principal { name: ADMIN.into(), scope: Scope::Admin, functions: None };
        Self { principal, ends_us: None, is_session: false }
    }

    /// Is signed in until then.
    pub fn signed_in(self, until_us: i64) -> Self {
        let ends_us = self.ends_us.map_or(until_us, |ends_us| ends_us.min(until_us));
        Self { ends_us: Some(ends_us), is_session: true, ..self }
    }
}

impl From<Token> for Identity {
    fn from(token: Token) -> Self {
        Self { ends_us: token.expires_us, principal: token.principal(), is_session: false }
    }
}
