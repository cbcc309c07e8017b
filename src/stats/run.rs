//! What is counted of one execution.

use super::minute_of;
use crate::{
    execution::{Execution, Outcome, Trigger},
    function::{FunctionName, Version},
};

/// What is counted of one execution, without the rest of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What it is counted for.
    pub key: RunKey,
    /// When it was asked for, in microseconds since 1970.
    pub asked_us: i64,
    /// What the caller got.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub duration_us: u64,
    /// Operations of the engine.
    pub operations: u64,
    /// The most memory that it held at once.
    pub memory_bytes: u64,
    /// How long it waited for something outside of itself.
    pub waited_us: u64,
}

/// What an execution is counted for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunKey {
    /// The minute since 1970 in which it was asked for.
    pub minute: i64,
    /// The node that ran it.
    pub node: i64,
    /// Which function.
    pub function: FunctionName,
    /// With which content.
    pub version: Version,
    /// What asked for it.
    pub trigger: Trigger,
}

impl Run {
    /// Takes from an execution what is counted.
    pub fn of(execution: &Execution) -> Self {
        let asked = execution.effects.iter().filter(|effect| !effect.replayed);
        Self {
            key: RunKey {
                minute: minute_of(execution.id.time_us()),
                node: execution.id.node(),
                function: execution.function.clone(),
                version: execution.version,
                trigger: execution.trigger,
            },
            asked_us: execution.id.time_us(),
            status: execution.status,
            outcome: execution.outcome,
            duration_us: execution.duration_us,
            operations: execution.operations,
            memory_bytes: execution.peak_memory_bytes,
            waited_us: asked.fold(0, |sum, effect| sum.saturating_add(effect.duration_us)),
        }
    }
}
