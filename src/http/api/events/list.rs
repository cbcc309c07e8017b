//! The control plane's part about events: emitting them, topics, what was emitted and what waits.
//!
//! A topic belongs to the functions that handle it: a token for some functions emits and reads where no other handles it. A payload is data of
//! users, and wants an admin of the whole node, as values of the key-value store do.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{Json, body::Body};
use http::{Request, StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::{
    api::events::{DeadLetter, DeadLetterDetail, DeliveryStatus, EmitAnswer, EventDetail, EventPage, EventSummary, TopicList, TopicStatus},
    audit::Action,
    execution::{Emitter, MAX_DELAY, MAX_ID, MAX_PAYLOAD, NewEvent, is_id},
    function::{
        FunctionName, Version,
        handler::function_of,
        quantity::Span,
        topic::{NotATopic, Topic},
    },
    http::{
        api::{
            asked::{PathParams, asked},
            openapi::Routes,
        },
        app::App,
        auth::Denial,
        caller::{About, Admin, Caller, Deploy, Grant, Read},
        problem::{Problem, away},
    },
    queue::DeliveryId,
    store::queue::{DeadLetterFilter, DeadLetterRecord, DeliveryRecord, EventFilter, EventRecord},
};

/// Entries of a page where nobody says how many, and the most.
pub const PAGE: (u32, u32) = (100, 1_000);

/// The routes of events.
pub fn routes() -> Routes {
    Routes::new()
        .routes(routes!(topics))
        .routes(routes!(list))
        .routes(routes!(emit))
        .routes(routes!(one))
        .routes(routes!(payload))
        .routes(routes!(hasten))
        .routes(routes!(discard))
}

/// A topic that a request names.
struct NamedTopic {
    topic: Topic,
    handlers: Vec<String>,
}

impl NamedTopic {
    fn find(app: &App, text: &str) -> Result<Self, Problem> {
        let bad = |error: NotATopic| Problem::BadOrder(format!("{error}\n  hint: {}", error.hint));
        let topic: Topic = text.parse().map_err(bad)?;
        let table = app.live.table();
        let taking = table.triggers().handlers().filter(|(_, handler)| handler.topic.takes(&topic));
        let mut handlers: Vec<String> = taking.map(|(id, _)| id.to_string()).collect();
        handlers.sort_unstable();
        Ok(Self { topic, handlers })
    }
}

impl About for NamedTopic {
    fn functions(&self) -> Vec<FunctionName> {
        match self.handlers.is_empty() {
            // What nobody handles is the whole node's: no token for some functions covers this.
            true => vec![FunctionName::new("")],
            false => self.handlers.iter().map(|id| function_of(id)).collect(),
        }
    }
}

/// Lists topics: those that are handled, and those that something waits for.
#[utoipa::path(
    get, path = "/api/admin/topics", operation_id = "list_topics", tag = "events",
    responses((status = 200, description = "Topics by name.", body = TopicList))
)]
async fn topics(caller: Caller<Read>) -> Result<Json<TopicList>, Problem> {
    let Grant { app, .. } = caller.for_node()?;
    let counts = app.history()?.topic_counts().await.map_err(away)?;
    let table = app.live.table();
    let mut topics: BTreeMap<String, TopicStatus> = BTreeMap::new();
    let status = |topic: String, handlers| TopicStatus { topic, handlers, waiting: 0, running: 0, held: 0 };
    for (id, handler) in table.triggers().handlers() {
        let topic = handler.topic.to_string();
        topics.entry(topic.clone()).or_insert_with(|| status(topic, Vec::new())).handlers.push(id.to_string());
    }
    for count in counts {
        let NamedTopic { topic, handlers } = NamedTopic::find(&app, count.topic.as_str())?;
        let counted =
            TopicStatus { waiting: count.waiting, running: count.running, held: count.held, ..status(topic.to_string(), handlers) };
        topics.insert(topic.to_string(), counted);
    }
    let mut topics: Vec<TopicStatus> = topics.into_values().collect();
    topics.iter_mut().for_each(|topic| topic.handlers.sort_unstable());
    Ok(Json(TopicList { topics }))
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
            let (grant, named) = caller.for_found(|app: Arc<App>| async move { NamedTopic::find(&app, &topic) }).await?;
            (grant, Some(named.topic))
        }
    };
    let (limit, before) = (page_limit(limit)?, cursor.map(|text| page_cursor(&text)).transpose()?);
    if id.as_ref().is_some_and(|id| !is_id(id)) {
        return Ok(Json(EventPage { events: Vec::new(), next: None }));
    }
    let filter = EventFilter { topic, id, before: before.map(|id| id.0), limit: limit + 1 };
    let mut events = app.history()?.events(&filter).await.map_err(away)?;
    let has_more = events.len() > limit as usize;
    events.truncate(limit as usize);
    let next = events.last().filter(|_| has_more).map(|last| DeliveryId(last.seq).to_string());
    Ok(Json(EventPage { events: events.into_iter().map(EventSummary::from).collect(), next }))
}

/// Reads how many entries a page has.
pub fn page_limit(limit: Option<u32>) -> Result<u32, Problem> {
    let limit = limit.unwrap_or(PAGE.0);
    let is_one = (1..=PAGE.1).contains(&limit);
    is_one.then_some(limit).ok_or_else(|| Problem::BadOrder(format!("`limit`: it is from 1 to {}", PAGE.1)))
}

/// Reads where a page begins.
pub fn page_cursor(text: &str) -> Result<DeliveryId, Problem> {
    text.parse().map_err(|_| Problem::BadOrder("`cursor`: it is the `next` of the page before".into()))
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
    responses((status = 200, description = "It is kept, and goes to these handlers.", body = EmitAnswer))
)]
async fn emit(caller: Caller<Deploy>, PathParams(topic): PathParams<String>, request: Request<Body>) -> Result<Json<EmitAnswer>, Problem> {
    let (grant, NamedTopic { topic, .. }) = caller.for_found(|app: Arc<App>| async move { NamedTopic::find(&app, &topic) }).await?;
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
    let app = &grant.app;
    let (is_named, now_us) = (query.id.is_some(), app.ids.now_us());
    let id = query.id.unwrap_or_else(|| DeliveryId(app.ids.next()).to_string());
    let record = grant.actor().does(Action::EventEmit, now_us, json!({ "topic": topic, "id": id }));
    app.history()?.record_audit(&record).await.map_err(away)?;
    let by = Emitter::Token(grant.name().to_owned());
    let event = NewEvent { id: id.clone(), is_named, topic, key: query.key, payload: payload.to_string().into(), delay, depth: 1, by };
    let handlers = app.runner.publisher().publish(vec![event], now_us).await?;
    Ok(Json(EmitAnswer { id, handlers: handlers.iter().map(ToString::to_string).collect() }))
}

/// An event that a request names.
struct NamedEvent {
    topic: NamedTopic,
    event: EventRecord,
}

impl NamedEvent {
    async fn find(app: Arc<App>, (topic, id): (String, String)) -> Result<Self, Problem> {
        let topic = NamedTopic::find(&app, &topic)?;
        let id = Some(id).filter(|id| is_id(id)).ok_or(Problem::UnknownEvent)?;
        let filter = EventFilter { topic: Some(topic.topic.clone()), id: Some(id), before: None, limit: 1 };
        let event = app.history()?.events(&filter).await.map_err(away)?.pop().ok_or(Problem::UnknownEvent)?;
        Ok(Self { topic, event })
    }
}

impl About for NamedEvent {
    fn functions(&self) -> Vec<FunctionName> {
        self.topic.functions()
    }

    /// Those of other functions are not there.
    fn refusal(_: Denial) -> Problem {
        Problem::UnknownEvent
    }
}

/// Tells of an event, and of what becomes of it. Of several with one id it is the newest.
#[utoipa::path(
    get, path = "/api/admin/events/{topic}/{id}", operation_id = "get_event", tag = "events",
    params(("topic" = String, Path, description = "What it is about."), ("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The event, with its deliveries and their attempts.", body = EventDetail))
)]
async fn one(caller: Caller<Read>, PathParams(path): PathParams<(String, String)>) -> Result<Json<EventDetail>, Problem> {
    let (Grant { app, .. }, NamedEvent { event, .. }) = caller.for_found(|app| NamedEvent::find(app, path)).await?;
    let (store, seq) = (app.history()?, event.seq);
    let mut deliveries = Vec::new();
    for delivery in store.deliveries_of(seq).await.map_err(away)? {
        let failed = store.failed_attempts(delivery.id).await.map_err(away)?;
        deliveries.push(DeliveryStatus::of(delivery, failed));
    }
    let filter = DeadLetterFilter { event: Some(seq), limit: PAGE.1, ..DeadLetterFilter::default() };
    let mut dead = Vec::new();
    for letter in store.dead_letters(&filter).await.map_err(away)? {
        dead.push(app.letter(letter).await?);
    }
    Ok(Json(EventDetail { event: event.into(), deliveries, dead }))
}

impl App {
    /// Adds its attempts to a dead letter.
    pub(super) async fn letter(&self, letter: DeadLetterRecord) -> Result<DeadLetterDetail, Problem> {
        let failed = self.history()?.failed_attempts(letter.id).await.map_err(away)?;
        let letter = DeadLetter::of(letter, |function| self.live_version(function));
        Ok(DeadLetterDetail { letter, failed: failed.into_iter().map(Into::into).collect() })
    }

    /// Returns the version of a function that is live.
    pub(super) fn live_version(&self, function: &FunctionName) -> Option<Version> {
        let table = self.live.table();
        let live = table.functions().find(|live| live.function.name == *function)?;
        Some(live.function.version)
    }
}

/// Tells the payload of an event.
#[utoipa::path(
    get, path = "/api/admin/events/{topic}/{id}/payload", operation_id = "get_event_payload", tag = "events",
    params(("topic" = String, Path, description = "What it is about."), ("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The payload.", body = serde_json::Value))
)]
async fn payload(caller: Caller<Admin>, PathParams(path): PathParams<(String, String)>) -> Result<Json<Value>, Problem> {
    let Grant { app, .. } = caller.for_node()?;
    let NamedEvent { event, .. } = NamedEvent::find(app.clone(), path).await?;
    let payload = app.history()?.event_payload(event.seq).await.map_err(away)?.ok_or(Problem::UnknownEvent)?;
    Ok(Json(serde_json::from_str(&payload).unwrap_or_default()))
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
