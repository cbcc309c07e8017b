//! The control plane's part about what executions come to over time.

mod classes;
mod events;
mod failures;
mod functions;
mod series;
mod times;

use utoipa_axum::routes;

use super::openapi::Routes;

/// The routes of statistics.
pub fn routes() -> Routes {
    Routes::new()
        .routes(routes!(series::series))
        .routes(routes!(functions::list))
        .routes(routes!(failures::list))
        .routes(routes!(events::events))
}
