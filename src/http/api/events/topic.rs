//! Topics that requests name. A topic belongs to the functions that handle it.

use crate::{
    function::{
        FunctionName,
        schedule::function_of,
        topic::{NotATopic, Topic},
    },
    http::{app::App, caller::About, problem::Problem},
};

/// A topic that a request names.
pub struct NamedTopic {
    /// The topic.
    pub topic: Topic,
    /// The ids of the live handlers that take it, in their order.
    pub handlers: Vec<String>,
}

impl NamedTopic {
    /// Reads the topic, and finds who handles it.
    pub fn find(app: &App, text: &str) -> Result<Self, Problem> {
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
