//! The control plane's part about what is not as it should be.

use axum::Json;
use utoipa_axum::routes;

use crate::{
    api::health::HealthReport,
    http::{
        api::openapi::Routes,
        caller::{Caller, Read},
        problem::Problem,
    },
};

/// The route of what is not as it should be.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(report))
}

/// Tells what is not as it should be, since when, and what to do.
#[utoipa::path(
    get, path = "/api/admin/health", tag = "node",
    responses((status = 200, description = "Each part that is degraded; none if all is well.", body = HealthReport))
)]
async fn report(caller: Caller<Read>) -> Result<Json<HealthReport>, Problem> {
    Ok(Json(caller.for_node()?.app.health()))
}
