//! What holds for one function: what its file says, and the node where the file is silent.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Cors, grants::Grants, handler::Handler, limits::Limits, retry::WrittenRetry, route::Method, schedule::Schedule};
use crate::access::Scope;

/// What holds for one function: every key has its value.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Manifest {
    /// One line about what it does.
    pub description: Option<String>,
    /// The methods that it answers; none means those that its file name says.
    pub methods: Option<Vec<Method>>,
    /// What the token of a caller must allow; none: no token is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Scope>,
    /// What one run may use.
    pub limits: Limits,
    /// Whether its requests are kept to be run again; none: as the node does with all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<bool>,
    /// Which pages of other origins may call it; none: those that the node says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
    /// When it runs by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<Schedule>,
    /// Which events it handles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handlers: Vec<Handler>,
    /// How often a run is tried for which no caller waits.
    #[serde(skip)]
    pub retry: WrittenRetry,
    /// What it may reach outside of itself.
    #[serde(skip_serializing_if = "Grants::is_empty")]
    pub grants: Grants,
}

impl Default for Manifest {
    /// What holds for a file without front-matter on a node without configuration.
    fn default() -> Self {
        Self {
            description: None,
            methods: None,
            auth: None,
            limits: Limits::DEFAULT,
            capture: None,
            cors: None,
            schedules: Vec::new(),
            handlers: Vec::new(),
            retry: WrittenRetry::default(),
            grants: Grants::default(),
        }
    }
}
