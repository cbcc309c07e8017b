//! Deliveries that are in the queue: tried at once, thrown away.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};
use utoipa_axum::routes;

use crate::{
    audit::Action,
    function::{FunctionName, schedule::function_of},
    http::{
        api::{asked::PathParams, openapi::Routes},
        app::App,
        auth::Denial,
        caller::{About, Caller, Deploy},
        problem::{Problem, away},
    },
    queue::DeliveryId,
    store::queue::DeliveryRecord,
};

/// The routes of deliveries.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(hasten)).routes(routes!(discard))
}

/// A delivery that a request names.
struct NamedDelivery(DeliveryRecord);

impl NamedDelivery {
    async fn find(app: Arc<App>, id: String) -> Result<Self, Problem> {
        let id: DeliveryId = id.parse().map_err(|_| Problem::UnknownDelivery)?;
        app.history()?.delivery(id).await.map_err(away)?.map(Self).ok_or(Problem::UnknownDelivery)
    }

    fn detail(&self) -> Value {
        json!({ "delivery": self.0.id.to_string(), "function": function_of(&self.0.receiver) })
    }
}

impl About for NamedDelivery {
    fn functions(&self) -> Vec<FunctionName> {
        vec![function_of(&self.0.receiver)]
    }

    /// Those of other functions are not there.
    fn refusal(_: Denial) -> Problem {
        Problem::UnknownDelivery
    }
}

/// Has a delivery tried at once that waits for its time.
#[utoipa::path(
    post, path = "/api/admin/deliveries/{id}/retry", operation_id = "retry_delivery", tag = "events",
    params(("id" = String, Path, description = "Its id.")), responses((status = 204, description = "It is due now."))
)]
async fn hasten(caller: Caller<Deploy>, PathParams(id): PathParams<String>) -> Result<StatusCode, Problem> {
    let (grant, delivery) = caller.for_found(|app| NamedDelivery::find(app, id)).await?;
    let app = &grant.app;
    let record = grant.actor().does(Action::EventRetry, app.ids.now_us(), delivery.detail());
    match app.history()?.hasten_delivery(delivery.0.id, &record).await.map_err(away)? {
        false => Err(Problem::UnknownDelivery),
        true => {
            app.runner.publisher().wake();
            Ok(StatusCode::NO_CONTENT)
        }
    }
}

/// Throws a delivery away that does not run.
#[utoipa::path(
    delete, path = "/api/admin/deliveries/{id}", operation_id = "discard_delivery", tag = "events",
    params(("id" = String, Path, description = "Its id.")), responses((status = 204, description = "It is gone."))
)]
async fn discard(caller: Caller<Deploy>, PathParams(id): PathParams<String>) -> Result<StatusCode, Problem> {
    let (grant, delivery) = caller.for_found(|app| NamedDelivery::find(app, id)).await?;
    let app = &grant.app;
    let record = grant.actor().does(Action::EventDiscard, app.ids.now_us(), delivery.detail());
    match app.history()?.discard_delivery(delivery.0.id, &record).await.map_err(away)? {
        false => Err(Problem::UnknownDelivery),
        true => {
            // The next of its key may be due.
            app.runner.publisher().wake();
            Ok(StatusCode::NO_CONTENT)
        }
    }
}
