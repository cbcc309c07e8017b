//! The request that was kept with an execution. It is data of users: each reading is in the audit log.

use axum::Json;
use serde_json::json;
use utoipa_axum::routes;

use crate::{
    api::kept_request::KeptRequest,
    audit::Action,
    http::{
        api::{asked::PathParams, openapi::Routes},
        caller::{Caller, Deploy},
        problem::{Problem, away},
    },
};

/// The route of kept requests.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(kept_request))
}

/// Tells the request that was kept with an execution, and writes that into the audit log.
#[utoipa::path(
    get, path = "/api/admin/executions/{id}/request", tag = "executions",
    params(("id" = String, Path, description = "As in `x-picloud-execution`.")),
    responses((status = 200, description = "The request, without what looked like a credential.", body = KeptRequest))
)]
async fn kept_request(caller: Caller<Deploy>, PathParams(id): PathParams<String>) -> Result<Json<KeptRequest>, Problem> {
    let (grant, execution) = caller.for_found(|app| async move { app.execution(&id).await }).await?;
    let (history, id, function) = (grant.app.history()?, execution.id, execution.function);
    let not_kept = || Problem::RequestNotKept { id, function: function.clone() };
    let capture = history.capture(id).await.map_err(away)?.ok_or_else(not_kept)?;
    let request = KeptRequest::of(&capture).map_err(|_| not_kept())?;
    // First: what is not written down is not told.
    let detail = json!({ "execution": id, "function": function });
    let record = grant.actor().does(Action::RequestRead, grant.app.ids.now_us(), detail);
    history.record_audit(&record).await.map_err(away)?;
    Ok(Json(request))
}
