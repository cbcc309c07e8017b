//! What a function is told of what started it: `ctx.event`, and a request with the payload as its body.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    execution::{Emitter, EventInfo, HttpRequest, Params},
    function::{
        FunctionName,
        schedule::{Schedule, ScheduleId},
    },
    id::id_text,
    queue::{Delivery, StoredEvent, Tick},
};

/// The next due times that a run is told.
const NEXT: usize = 5;

/// Makes what a run is told of an event.
pub fn of_event(delivery: &Delivery, event: &StoredEvent) -> EventInfo {
    let payload: Value = serde_json::from_str(&event.payload).unwrap_or_default();
    let by = match &event.by {
        Emitter::Run { function, execution } => {
            json!({ "function": function, "execution": std::str::from_utf8(&id_text(execution.0)).unwrap_or_default() })
        }
        Emitter::Token(name) => json!({ "token": name }),
        Emitter::Database => json!({ "database": true }),
        Emitter::Node => json!({ "node": true }),
    };
    let told = json!({
        "type": "event",
        "topic": event.topic,
        "id": event.id,
        "key": event.key,
        "payload": payload,
        "attempt": delivery.attempt,
        "emitted_at": rfc3339(event.emitted_us),
        "emitted_by": by,
        "depth": event.depth,
    });
    EventInfo { json: told.to_string().into(), depth: event.depth }
}

/// Makes what a run is told of a due time.
pub fn of_tick(attempt: u32, id: &ScheduleId, schedule: &Schedule, tick: &Tick, now_us: i64) -> EventInfo {
    let due = tick.due_us;
    let mut next = Vec::new();
    let mut after = due;
    while let Some(at_us) = schedule.next(id, after).filter(|_| next.len() < NEXT) {
        next.push(rfc3339(at_us));
        after = at_us;
    }
    let told = json!({
        "type": "schedule",
        "name": schedule.name,
        "id": id.as_str(),
        "due": rfc3339(due),
        "late_ms": now_us.saturating_sub(due).max(0) / 1_000,
        "missed": tick.missed,
        "attempt": attempt,
        "previous": schedule.previous(id, due).map(rfc3339),
        "next": next,
        "zone": schedule.when.zone(),
        "input": input(schedule, tick),
    });
    EventInfo { json: told.to_string().into(), depth: 0 }
}

/// Returns what a run of a schedule gets as its body.
pub fn input(schedule: &Schedule, tick: &Tick) -> Value {
    match &tick.input {
        Some(input) => serde_json::from_str(input).unwrap_or_default(),
        None => schedule.input.clone().unwrap_or_default(),
    }
}

/// Makes the request of a run that none asked for: the payload is posted to the function's name.
pub fn request(function: &FunctionName, payload: impl Into<Bytes>) -> HttpRequest {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let path: String = function.as_str().split('/').map(|part| format!("/{}", urlencoded(part))).collect();
    HttpRequest { method: Method::POST, uri: path.parse().unwrap_or_default(), params: Params::new(), headers, body: payload.into() }
}

fn urlencoded(part: &str) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    part.bytes().map(|byte| if is_plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn rfc3339(us: i64) -> String {
    Timestamp::from_microsecond(us).map(|time| format!("{time:.3}")).unwrap_or_default()
}
