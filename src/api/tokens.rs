//! Tokens: who there is, and who is to come. Whose token it is that is sent says [`Principal`](crate::access::Principal).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    access::{FunctionPrefix, Scope, Token},
    clock::rfc3339,
};

/// A token that is to be.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenOrder {
    /// 1 to 64 letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// `read`, `deploy` or `admin`.
    pub scope: Scope,
    /// How long it is good for: `90d`; none: for ever.
    #[serde(default)]
    pub expires: Option<String>,
    /// Good only for the function of this name and those in the folder of this name; none: for the whole node.
    #[serde(default)]
    pub functions: Option<String>,
}

/// Every token, expired ones too.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct TokenList {
    /// By name.
    pub tokens: Vec<TokenSummary>,
}

/// A token without its secret.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct TokenSummary {
    /// Its name.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    /// The functions for which it is good; none: the whole node.
    pub functions: Option<FunctionPrefix>,
    /// When it was made.
    pub created: String,
    /// From when on it is worth nothing; none: it has no end.
    pub expires: Option<String>,
    /// Whether it is worth nothing any more.
    pub is_expired: bool,
    /// When it was last used, give or take a minute.
    pub last_used: Option<String>,
}

impl TokenSummary {
    /// Says what there is to know of a token at this time.
    pub fn of(token: &Token, now_us: i64) -> Self {
        Self {
            name: token.name.clone(),
            scope: token.scope,
            functions: token.functions.clone(),
            created: rfc3339(token.created_us),
            expires: token.expires_us.map(rfc3339),
            is_expired: token.is_expired(now_us),
            last_used: token.last_used_us.map(rfc3339),
        }
    }
}

/// A token that was made just now. Its secret is told this once.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct NewToken {
    /// What there is to know of it.
    #[serde(flatten)]
    pub summary: TokenSummary,
    /// What its owner sends.
    pub secret: String,
}
