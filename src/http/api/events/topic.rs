//! Topics that requests name.

use crate::{
    function::topic::{NotATopic, Topic},
    http::{app::App, problem::Problem},
};

/// Reads a topic.
pub fn parse_topic(text: &str) -> Result<Topic, Problem> {
    text.parse().map_err(|error: NotATopic| Problem::BadOrder(format!("{error}\n  hint: {}", error.hint)))
}

impl App {
    /// Returns the ids of the live handlers that take a topic, in their order.
    pub(super) fn handlers_of(&self, topic: &Topic) -> Vec<String> {
        let table = self.live.table();
        let taking = table.triggers().handlers().filter(|(_, handler)| handler.topic.takes(topic));
        let mut handlers: Vec<String> = taking.map(|(id, _)| id.to_string()).collect();
        handlers.sort_unstable();
        handlers
    }
}
