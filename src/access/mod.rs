//! Who may do what: scopes, and the functions that somebody may touch.

pub mod admin;
mod token;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use token::{ADMIN, SpanError, Token, TokenHash, TokenNameError, check_name, is_secret, new_secret, parse_span_us, revocation};

/// What a token allows; each allows what is before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Seeing what is there: status, history, earlier deployments, cloning.
    Read,
    /// Changing what is live: pushes, rollbacks.
    Deploy,
    /// Everything, tokens too.
    Admin,
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
pub struct ScopeError(String);

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        [Self::Read, Self::Deploy, Self::Admin].into_iter().find(|scope| scope.to_string() == text).ok_or_else(|| ScopeError(text.into()))
    }
}

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Principal {
    /// The token's name.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    /// The functions for which it is good; none: it is good for the whole node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub functions: Option<FunctionPrefix>,
}

impl Principal {
    /// Returns whether this one may read, run or change the function of this name, as far as the scope allows.
    pub fn may_touch(&self, function: &str) -> bool {
        self.functions.as_ref().is_none_or(|prefix| prefix.covers(function))
    }

    /// The same for every function whose name begins with this text, which need not end where a folder does.
    pub fn may_touch_all_below(&self, text: &str) -> bool {
        self.functions.as_ref().is_none_or(|prefix| prefix.covers(text) && text.len() > prefix.0.len())
    }
}

/// The functions that a token is good for: the one of this name, and those in the folder of this name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String)]
pub struct FunctionPrefix(String);

/// Characters of a prefix.
const MAX_PREFIX: usize = 512;

impl FunctionPrefix {
    /// Returns whether a function of this name is one of them.
    pub fn covers(&self, function: &str) -> bool {
        function.strip_prefix(&self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Returns its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FunctionPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that no name of a function begins with.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` begins no function's name\n  hint: write the path of a folder below the functions folder, such as `orders` or `shop/admin`")]
pub struct PrefixError(String);

impl From<FunctionPrefix> for String {
    fn from(prefix: FunctionPrefix) -> Self {
        prefix.0
    }
}

impl TryFrom<String> for FunctionPrefix {
    type Error = PrefixError;

    fn try_from(text: String) -> Result<Self, PrefixError> {
        text.parse()
    }
}

impl FromStr for FunctionPrefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let path = text.strip_suffix('/').unwrap_or(text);
        let is_segment = |segment: &str| !segment.is_empty() && segment != "." && segment != ".." && !segment.chars().any(char::is_control);
        if path.len() > MAX_PREFIX || !path.split('/').all(is_segment) {
            return Err(PrefixError(text.chars().take(MAX_PREFIX).collect()));
        }
        Ok(Self(path.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_a_folder_does() {
        let prefix: FunctionPrefix = "shop/orders/".parse().unwrap();
        for (function, is_covered) in [
            ("shop/orders", true),
            ("shop/orders/[id].get", true),
            ("shop/orders/a/b", true),
            ("shop/ordersx", false),
            ("shop/orders.get", false),
            ("shop/order", false),
            ("shop", false),
            ("x/shop/orders", false),
            ("Shop/orders", false),
            ("", false),
        ] {
            assert_eq!(prefix.covers(function), is_covered, "{function}");
        }
        let principal = Principal { name: "ci".into(), scope: Scope::Read, functions: Some(prefix) };
        let below = ["shop/orders/", "shop/orders/a", "shop/orders", "shop", ""].map(|text| principal.may_touch_all_below(text));
        assert_eq!(below, [true, true, false, false, false]);
        for text in ["", "/", "/shop", "shop//orders", "shop/..", ".", "shop/\n", "shop//", &"a".repeat(MAX_PREFIX + 1)] {
            assert!(text.parse::<FunctionPrefix>().is_err(), "{text}");
        }
    }
}
