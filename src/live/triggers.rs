//! What starts functions of a table without a request: their schedules, and the events that they handle.

use std::{collections::HashMap, sync::Arc};

use super::function::LiveFunction;
use crate::{
    execution::{NewEvent, is_id},
    function::{
        Digest,
        handler::{Handler, HandlerId},
        schedule::{Schedule, ScheduleId},
    },
    queue::{Publication, Receiver},
};

/// The schedules and handlers of a table, by their ids.
#[derive(Debug, Default)]
pub struct Triggers {
    schedules: HashMap<ScheduleId, (Arc<LiveFunction>, usize)>,
    handlers: HashMap<HandlerId, (Arc<LiveFunction>, usize)>,
}

impl Triggers {
    pub(super) fn of(functions: &[Arc<LiveFunction>]) -> Self {
        let mut triggers = Self::default();
        for live in functions {
            let name = &live.function.name;
            for (at, schedule) in live.function.manifest.schedules.iter().enumerate() {
                triggers.schedules.insert(ScheduleId::new(name, schedule.name.as_deref()), (live.clone(), at));
            }
            for (at, handler) in live.function.manifest.handlers.iter().enumerate() {
                triggers.handlers.insert(HandlerId::new(name, handler.name.as_deref()), (live.clone(), at));
            }
        }
        triggers
    }

    /// Returns the schedule of this id, and its function.
    pub fn schedule(&self, id: &ScheduleId) -> Option<(&Arc<LiveFunction>, &Schedule)> {
        let (live, at) = self.schedules.get(id)?;
        Some((live, live.function.manifest.schedules.get(*at)?))
    }

    /// Returns the handler of this id, and its function.
    pub fn handler(&self, id: &HandlerId) -> Option<(&Arc<LiveFunction>, &Handler)> {
        let (live, at) = self.handlers.get(id)?;
        Some((live, live.function.manifest.handlers.get(*at)?))
    }

    /// Returns all schedules, in no order.
    pub fn schedules(&self) -> impl Iterator<Item = (&ScheduleId, &Schedule)> {
        self.schedules.iter().filter_map(|(id, (live, at))| Some((id, live.function.manifest.schedules.get(*at)?)))
    }

    /// Returns all handlers, in no order.
    pub fn handlers(&self) -> impl Iterator<Item = (&HandlerId, &Handler)> {
        self.handlers.iter().filter_map(|(id, (live, at))| Some((id, live.function.manifest.handlers.get(*at)?)))
    }

    /// Returns all of them, as the queue knows them.
    pub fn receivers(&self) -> Vec<Receiver> {
        let handlers = self.handlers.keys().cloned().map(Receiver::Handler);
        handlers.chain(self.schedules.keys().cloned().map(Receiver::Schedule)).collect()
    }

    /// Addresses an event to every handler that takes it.
    pub fn address(&self, event: NewEvent) -> Publication {
        // Read once, and only where a handler asks for a field of it.
        let mut payload: Option<serde_json::Value> = None;
        let mut handlers = Vec::new();
        for (id, handler) in self.handlers().filter(|(_, handler)| handler.topic.takes(&event.topic)) {
            let of_payload = handler.key.as_ref().and_then(|field| {
                let payload = payload.get_or_insert_with(|| serde_json::from_str(&event.payload).unwrap_or_default());
                key_of(field.split('.').try_fold(&*payload, |value, part| value.get(part))?)
            });
            // The handler knows which order it needs; the emitter's key is for those who ask for none.
            handlers.push((id.clone(), of_payload.or_else(|| event.key.clone())));
        }
        // The same order everywhere.
        handlers.sort_unstable();
        Publication { event, handlers }
    }
}

/// Returns a value as a key; an empty one is none. What is no key as it stands is one by its digest.
fn key_of(value: &serde_json::Value) -> Option<String> {
    let key = match value {
        serde_json::Value::Null => return None,
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match key.is_empty() {
        true => None,
        false if is_id(&key) => Some(key),
        false => Some(Digest::of(key.as_bytes()).to_string()),
    }
}
