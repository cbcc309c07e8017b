//! Deliveries that are in the queue: listed, tried at once, thrown away.

use std::sync::Arc;

use axum::Json;
use http::{StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::{
    page::AskedPage,
    selection::{allowed, functions},
    topic::parse_topic,
};
use crate::{
    api::events::DeliveryPage,
    audit::Action,
    function::{FunctionName, trigger_id::function_of},
    http::{
        api::{
            asked::{PathParams, asked},
            openapi::Routes,
        },
        app::App,
        auth::Denial,
        caller::{About, Caller, Deploy, Grant, Read},
        problem::{Problem, away},
    },
    queue::DeliveryId,
    store::queue::{DeliveryFilter, DeliveryRecord, DeliveryState},
};

/// The routes of deliveries.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(list)).routes(routes!(hasten)).routes(routes!(discard))
}

/// Which deliveries are asked for. A token for some functions must name one, or a prefix.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct DeliveryQuery {
    /// Only those of this function.
    function: Option<String>,
    /// Only those of functions whose names begin so.
    prefix: Option<String>,
    /// Only those of events about this.
    topic: Option<String>,
    /// So many at most.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// What follows the last page.
    cursor: Option<String>,
}

/// Lists what is in the queue, the newest first: events on their way to handlers, and due times of schedules that wait, run or are tried again.
#[utoipa::path(
    get, path = "/api/admin/deliveries", operation_id = "list_deliveries", tag = "events", params(DeliveryQuery),
    responses((status = 200, description = "A page, and where the next one begins.", body = DeliveryPage))
)]
async fn list(caller: Caller<Read>, uri: Uri) -> Result<Json<DeliveryPage>, Problem> {
    let DeliveryQuery { function, prefix, topic, limit, cursor } = asked(&uri)?;
    let functions = functions(function.as_deref(), prefix.as_deref())?;
    let Grant { app, .. } = allowed(caller, &functions)?;
    let topic = topic.as_deref().map(parse_topic).transpose()?;
    let page = AskedPage::read(limit, cursor.as_deref())?;
    let filter = DeliveryFilter { functions, topic, before: page.before, limit: page.rows() };
    let mut deliveries = app.history()?.queued_deliveries(&filter).await.map_err(away)?;
    let next = page.cut(&mut deliveries, |delivery| delivery.id);
    Ok(Json(DeliveryPage { deliveries: deliveries.into_iter().map(Into::into).collect(), next }))
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
        false if delivery.0.state == DeliveryState::Blocked => Err(Problem::BlockedDelivery),
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
