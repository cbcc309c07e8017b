//! `[[on]]`: which events a function handles.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use super::trigger_id::HandlerId;
use super::{
    schedule::{is_name, not_a_name},
    tables::TableKind,
    topic::TopicPattern,
};

/// Most handlers of one function.
pub const MAX_HANDLERS: usize = 32;
/// Most bytes of the name of a field that gives the key.
const LONGEST_KEY: usize = 128;

/// One subscription of a function, as its file writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Handler {
    /// Tells the handlers of one function apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The events that it takes.
    #[schema(value_type = String)]
    pub topic: TopicPattern,
    /// The field of the payload that says which events come one after the other. It counts before the key of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// The keys of `[[on]]`. In a file of `_events/`, whose path is a topic, `topic` may be missing.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenHandler {
    name: Option<String>,
    topic: Option<TopicPattern>,
    key: Option<String>,
}

impl TableKind for WrittenHandler {
    const KEY: &'static str = "on";
    const MAIN: &'static str = "topic";

    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

impl WrittenHandler {
    /// Returns the handler that it is in a file whose path says this topic, or none. The error is for the section.
    pub fn resolve(&self, of_path: Option<&TopicPattern>) -> Result<Handler, String> {
        let Self { name, topic, key } = self.clone();
        if let Some(name) = name.as_deref().filter(|name| !is_name(name)) {
            return Err(not_a_name("handler", name));
        }
        if key.as_deref().is_some_and(|key| key.is_empty() || key.len() > LONGEST_KEY) {
            return Err("`key` is no name of a field\nhint: name the field of the payload whose events come one after the other".into());
        }
        let topic = topic.or_else(|| of_path.cloned());
        let topic = topic.ok_or("the key `topic` is missing\nhint: add `topic = \"orders.created\"`, or another topic")?;
        Ok(Handler { name, topic, key })
    }
}
