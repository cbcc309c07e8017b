//! Sessions: how somebody signs in, and who that is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{access::Principal, secret::Secret};

/// A token that is to become a session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionOrder {
    /// The token.
    #[schema(value_type = String)]
    pub token: Secret,
}

/// Who is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignedIn {
    /// Whose session or token came with the request; none: nobody's, or one that has ended.
    pub who: Option<Whoami>,
}

/// Who somebody is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Whoami {
    /// The token, and what it allows.
    #[serde(flatten)]
    pub principal: Principal,
    /// The session by which it came; none: it was sent itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionSummary>,
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionSummary {
    /// When it ends.
    pub ends: String,
}
