//! Emitting events from outside.

use std::time::Duration;

use axum::{Json, body::Body};
use http::Request;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::topic::parse_topic;
use crate::{
    api::events::EmitAnswer,
    audit::Action,
    execution::{Emitter, MAX_DELAY, MAX_ID, MAX_PAYLOAD, NewEvent, is_id, must_be_readable},
    function::quantity::Span,
    http::{
        api::{
            asked::{PathParams, asked},
            openapi::Routes,
        },
        caller::{Caller, Deploy},
        problem::{Problem, away},
    },
    queue::DeliveryId,
};

/// The route of emits.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(emit))
}

/// What an event has beside its payload.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct EmitQuery {
    /// Events of one key are handled one after the other.
    key: Option<String>,
    /// How long after its commit it is due: `30s`, `5m`; at most 30 days.
    delay: Option<String>,
    /// Names it: of two events with one topic and one id within a day, the second is left out.
    id: Option<String>,
}

impl EmitQuery {
    fn delay(&self) -> Result<Duration, Problem> {
        let Some(text) = &self.delay else { return Ok(Duration::ZERO) };
        let bad = || Problem::BadOrder("`delay`: it is a time up to 30 days\n  hint: write `30s`, `5m` or `2d`".into());
        Span::parse(text).map(|span| span.0).filter(|delay| *delay <= MAX_DELAY).ok_or_else(bad)
    }

    fn must_be_ids(&self) -> Result<(), Problem> {
        let wrong = [("key", &self.key), ("id", &self.id)].into_iter().find(|(_, text)| text.as_ref().is_some_and(|text| !is_id(text)));
        match wrong {
            Some((name, _)) => Err(Problem::BadOrder(format!("`{name}`: it has 1 to {MAX_ID} bytes, without control characters"))),
            None => Ok(()),
        }
    }
}

/// Emits an event. The body is its payload.
#[utoipa::path(
    post, path = "/api/admin/events/{topic}", operation_id = "emit_event", tag = "events", request_body = serde_json::Value,
    params(("topic" = String, Path, description = "What it is about."), EmitQuery),
    responses((status = 200, description = "What became of it.", body = EmitAnswer))
)]
async fn emit(caller: Caller<Deploy>, PathParams(topic): PathParams<String>, request: Request<Body>) -> Result<Json<EmitAnswer>, Problem> {
    let topic = parse_topic(&topic)?;
    let grant = caller.for_topic(&topic)?;
    if topic.is_own() {
        return Err(Problem::BadOrder(format!("only the node emits on `{topic}`\n  hint: choose another first word")));
    }
    let query: EmitQuery = asked(request.uri())?;
    query.must_be_ids()?;
    let delay = query.delay()?;
    let body = grant.body(request, MAX_PAYLOAD).await?;
    let payload: Value = match body.is_empty() {
        true => Value::Null,
        false => serde_json::from_slice(&body).map_err(|error| Problem::BadOrder(format!("the payload is not JSON: {error}")))?,
    };
    let payload = payload.to_string();
    must_be_readable(&payload).map_err(Problem::BadOrder)?;
    let app = &grant.app;
    let (is_named, now_us) = (query.id.is_some(), app.ids.now_us());
    let id = query.id.unwrap_or_else(|| DeliveryId(app.ids.next()).to_string());
    let record = grant.actor().does(Action::EventEmit, now_us, json!({ "topic": topic, "id": id }));
    app.history()?.record_audit(&record).await.map_err(away)?;
    let by = Emitter::Token(grant.name().to_owned());
    let event = NewEvent { id: id.clone(), is_named, topic, key: query.key, payload: payload.into(), delay, depth: 1, by };
    let handlers = app.runner.publisher().publish_one(event, now_us).await?;
    Ok(Json(EmitAnswer::of(id, handlers)))
}
