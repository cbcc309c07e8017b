//! Lists of routes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{deployment::DeploymentId, live::listing::RouteSummary};

/// The routes that are live.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RouteList {
    /// Whose they are.
    pub deployment: DeploymentId,
    /// In order of path.
    pub routes: Vec<RouteSummary>,
    /// The cursor of the next page; none: this is the last one.
    #[serde(default)]
    pub next: Option<String>,
}
