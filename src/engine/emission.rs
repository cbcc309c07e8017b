//! Topics that a script emits as plain text: whether anybody handles them is known when a whole tree is.

use std::sync::Arc;

use super::{host::check::Literal, script::Script};
use crate::function::{Diagnostic, topic::Topic};

/// A call such as `emit("orders.created", …)`.
pub struct PlainEmission {
    /// What it emits.
    pub topic: Topic,
    script: Arc<Script>,
    /// The number of the call in its script.
    call: usize,
}

impl PlainEmission {
    /// Returns what a call of a script emits, if its topic is plain text, and one.
    pub(super) fn of(script: &Arc<Script>, call: usize) -> Option<Self> {
        let of_script = &script.references.host_calls[call];
        let emits = of_script.module.is_empty() && of_script.function.emits();
        let Some(Literal::Text(topic)) = of_script.literal(0).filter(|_| emits) else { return None };
        Some(Self { topic: topic.parse().ok()?, script: script.clone(), call })
    }

    /// Warns of the topic, at its place in the file.
    pub fn warn(&self, message: String) -> Diagnostic {
        let call = &self.script.references.host_calls[self.call];
        let position = call.arguments.first().map_or(call.position, |argument| argument.position);
        self.script.warn_at(position, message)
    }
}
