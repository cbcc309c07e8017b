//! Topics, what was emitted, and what becomes of it.

use std::collections::BTreeMap;

use axum::Json;
use http::Uri;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::{
    page::{AskedPage, LONGEST},
    topic::parse_topic,
};
use crate::{
    api::events::{DeliveryStatus, EventDetail, EventPage, EventSummary, TopicList, TopicStatus},
    clock::rfc3339,
    execution::is_id,
    function::{topic::Topic, trigger_id::function_of},
    http::{
        api::{
            asked::{PathParams, asked},
            openapi::Routes,
        },
        app::App,
        caller::{Admin, Caller, Grant, Read},
        problem::{Problem, away},
    },
    queue::DeliveryId,
    store::queue::{DeadLetterFilter, EventFilter, EventRecord, TopicCount},
};

/// The routes of topics and events.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(topics)).routes(routes!(list)).routes(routes!(one)).routes(routes!(payload))
}

/// Lists topics: those that are handled, and those that have deliveries or dead letters.
#[utoipa::path(
    get, path = "/api/admin/topics", operation_id = "list_topics", tag = "events",
    responses((status = 200, description = "Topics by name.", body = TopicList))
)]
async fn topics(caller: Caller<Read>) -> Result<Json<TopicList>, Problem> {
    let Grant { app, .. } = caller.for_node()?;
    let counts = app.history()?.topic_counts().await.map_err(away)?;
    let table = app.live.table();
    let mut topics: BTreeMap<String, TopicStatus> = BTreeMap::new();
    for (id, handler) in table.triggers().handlers() {
        let topic = handler.topic.to_string();
        topics.entry(topic.clone()).or_insert_with(|| TopicStatus::idle(topic)).handlers.push(id.to_string());
    }
    for count in counts {
        let handlers = app.handlers_of(&count.topic);
        topics.insert(count.topic.to_string(), TopicStatus { handlers, ..count.into() });
    }
    let mut topics: Vec<TopicStatus> = topics.into_values().collect();
    topics.iter_mut().for_each(|topic| topic.handlers.sort_unstable());
    Ok(Json(TopicList { topics }))
}

impl TopicStatus {
    /// Tells of a topic that nobody has emitted yet.
    fn idle(topic: String) -> Self {
        Self { topic, handlers: Vec::new(), waiting: 0, retrying: 0, oldest_due: None, running: 0, held: 0, dead: 0 }
    }
}

impl From<TopicCount> for TopicStatus {
    fn from(count: TopicCount) -> Self {
        let TopicCount { topic, waiting, retrying, oldest_due_us, running, held, dead } = count;
        let oldest_due = oldest_due_us.map(rfc3339);
        Self { topic: topic.to_string(), handlers: Vec::new(), waiting, retrying, oldest_due, running, held, dead }
    }
}

/// Which events are asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct EventQuery {
    /// Only those about this. A token for some functions must say so.
    topic: Option<String>,
    /// Only those with this id.
    id: Option<String>,
    /// So many at most.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// What follows the last page.
    cursor: Option<String>,
}

/// Lists events without their payloads, the newest first.
#[utoipa::path(
    get, path = "/api/admin/events", operation_id = "list_events", tag = "events", params(EventQuery),
    responses((status = 200, description = "A page, and where the next one begins.", body = EventPage))
)]
async fn list(caller: Caller<Read>, uri: Uri) -> Result<Json<EventPage>, Problem> {
    let EventQuery { topic, id, limit, cursor } = asked(&uri)?;
    let (Grant { app, .. }, topic) = match topic {
        None => (caller.for_node()?, None),
        Some(topic) => {
            let topic = parse_topic(&topic)?;
            (caller.for_topic(&topic)?, Some(topic))
        }
    };
    let page = AskedPage::read(limit, cursor.as_deref())?;
    if id.as_ref().is_some_and(|id| !is_id(id)) {
        return Ok(Json(EventPage { events: Vec::new(), next: None }));
    }
    let filter = EventFilter { topic, id, before: page.before.map(|id| id.0), limit: page.rows() };
    let mut events = app.history()?.events(&filter).await.map_err(away)?;
    let next = page.cut(&mut events, |event| DeliveryId(event.seq));
    Ok(Json(EventPage { events: events.into_iter().map(EventSummary::from).collect(), next }))
}

impl App {
    /// Finds an event that a request names. Of several with one id it is the newest.
    async fn event(&self, topic: Topic, id: String) -> Result<EventRecord, Problem> {
        let id = Some(id).filter(|id| is_id(id)).ok_or(Problem::UnknownEvent)?;
        let filter = EventFilter { topic: Some(topic), id: Some(id), before: None, limit: 1 };
        self.history()?.events(&filter).await.map_err(away)?.pop().ok_or(Problem::UnknownEvent)
    }
}

/// Tells of an event, and of what becomes of it. Of several with one id it is the newest. A token for some functions sees their deliveries.
#[utoipa::path(
    get, path = "/api/admin/events/{topic}/{id}", operation_id = "get_event", tag = "events",
    params(("topic" = String, Path, description = "What it is about."), ("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The event, with its deliveries and their attempts.", body = EventDetail))
)]
async fn one(caller: Caller<Read>, PathParams((topic, id)): PathParams<(String, String)>) -> Result<Json<EventDetail>, Problem> {
    let topic = parse_topic(&topic)?;
    // Those of other topics are not there.
    let grant = caller.for_topic(&topic).map_err(|_| Problem::UnknownEvent)?;
    let app = &grant.app;
    let event = app.event(topic, id).await?;
    let (store, seq) = (app.history()?, event.seq);
    let is_shown = |receiver: &str| grant.may_touch(&function_of(receiver));
    let mut deliveries = Vec::new();
    for delivery in store.deliveries_of(seq).await.map_err(away)?.into_iter().filter(|delivery| is_shown(&delivery.receiver)) {
        let failed = store.failed_attempts(delivery.id).await.map_err(away)?;
        deliveries.push(DeliveryStatus::of(delivery, failed));
    }
    let filter = DeadLetterFilter { event: Some(seq), limit: LONGEST, ..DeadLetterFilter::default() };
    let mut dead = Vec::new();
    for letter in store.dead_letters(&filter).await.map_err(away)?.into_iter().filter(|letter| is_shown(&letter.receiver)) {
        dead.push(app.letter(letter).await?);
    }
    Ok(Json(EventDetail { event: event.into(), deliveries, dead }))
}

/// Tells the payload of an event.
#[utoipa::path(
    get, path = "/api/admin/events/{topic}/{id}/payload", operation_id = "get_event_payload", tag = "events",
    params(("topic" = String, Path, description = "What it is about."), ("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The payload.", body = serde_json::Value))
)]
async fn payload(caller: Caller<Admin>, PathParams((topic, id)): PathParams<(String, String)>) -> Result<Json<Value>, Problem> {
    let Grant { app, .. } = caller.for_node()?;
    let event = app.event(parse_topic(&topic)?, id).await?;
    let payload = app.history()?.event_payload(event.seq).await.map_err(away)?.ok_or(Problem::UnknownEvent)?;
    Ok(Json(serde_json::from_str(&payload).unwrap_or_default()))
}
