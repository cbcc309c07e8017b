//! What a front-matter grants to its script beside the request: each kind of grant with its own types and errors.

pub mod http;
pub mod kv;
pub mod secret;
pub mod sql;

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use self::{http::AllowList, kv::Namespace, secret::SecretName, sql::DatabaseName};

/// What a script may use. Whatever is not named here it cannot reach.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Grants {
    /// The services that it may send requests to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub http: Option<Arc<AllowList>>,
    /// The part of the key-value store that it may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub kv: Option<Namespace>,
    /// The database that it may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub sql: Option<DatabaseName>,
    /// The secrets that it may use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub secrets: Vec<SecretName>,
}

impl Grants {
    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
