//! Selects executions, in the same way for the API, the command line and the live tail.

mod parse;
mod status;

pub use parse::parse_time;
pub use status::{StatusFilter, StatusOrOutcome};

use crate::{
    execution::{Execution, Outcome, Trigger},
    function::{FunctionName, VersionPrefix},
    id::{DeploymentId, ExecutionId},
};

/// Selects executions. A condition that is none selects all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecutionFilter {
    /// Only of this function.
    pub function: Option<FunctionName>,
    /// Only of functions whose name begins with this text.
    pub prefix: Option<String>,
    /// Only of versions that begin so.
    pub version: Option<VersionPrefix>,
    /// Only those that ran on this deployment.
    pub deployment: Option<DeploymentId>,
    /// Only those of the node with this number.
    pub node: Option<i64>,
    /// Only with such a status.
    pub status: Option<StatusFilter>,
    /// Only those with this outcome.
    pub outcome: Option<Outcome>,
    /// Only those with this trigger.
    pub trigger: Option<Trigger>,
    /// Only those of the request with this id.
    pub request_id: Option<String>,
    /// Only those with exactly this text in a log line or in the message of their failure.
    pub text: Option<String>,
    /// Only those requested at this time or later, in microseconds since 1970.
    pub since_us: Option<i64>,
    /// Only those requested before this time.
    pub until_us: Option<i64>,
    /// Only those that logged something or failed.
    pub has_output: bool,
    /// Only this one and newer ones, for a reader that goes on from here.
    pub from: Option<ExecutionId>,
    /// Only older ones than this, for the next page.
    pub before: Option<ExecutionId>,
    /// Only newer ones than this, those next to it first.
    pub after: Option<ExecutionId>,
    /// The most executions that are returned.
    pub limit: u32,
}

/// A key or a value that is not a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}\n  hint: {hint}")]
pub struct FilterError {
    /// The key.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

impl ExecutionFilter {
    /// Returns whether the conditions select an execution. The bounds of a page (`from`, `before`, `after`, `limit`) are not looked at.
    pub fn matches(&self, execution: &Execution) -> bool {
        let time_us = execution.id.time_us();
        self.since_us.is_none_or(|since| time_us >= since)
            && self.until_us.is_none_or(|until| time_us < until)
            && self.function.as_ref().is_none_or(|function| execution.function == *function)
            && self.prefix.as_ref().is_none_or(|prefix| execution.function.as_str().starts_with(prefix))
            && self.version.as_ref().is_none_or(|version| version.matches(execution.version))
            && self.deployment.is_none_or(|deployment| execution.deployment == deployment)
            && self.node.is_none_or(|node| execution.id.node() == node)
            && self.status.is_none_or(|status| status.range().contains(&execution.status))
            && self.outcome.is_none_or(|outcome| execution.outcome == outcome)
            && self.trigger.is_none_or(|trigger| execution.trigger == trigger)
            && self.request_id.as_ref().is_none_or(|id| has_request_id(execution, id))
            && self.text.as_ref().is_none_or(|text| contains_text(execution, text))
            && (!self.has_output || !execution.logs.is_empty() || execution.logs_dropped > 0 || execution.failure.is_some())
    }
}

/// A request without an id of its own has that of its execution.
fn has_request_id(execution: &Execution, id: &str) -> bool {
    match &execution.request_id {
        Some(own) => own == id,
        None => id.parse::<ExecutionId>().is_ok_and(|id| id == execution.id),
    }
}

/// Returns whether an execution has this text in a log line, or in the message of its failure.
pub(super) fn contains_text(execution: &Execution, text: &str) -> bool {
    execution.logs.iter().any(|line| line.message.contains(text))
        || execution.failure.as_ref().is_some_and(|failure| failure.message.contains(text))
}

/// Returns the function of a text that is its name, or the path of its file below the root.
pub fn function_name(text: &str) -> FunctionName {
    FunctionName::of_file(text).unwrap_or_else(|| FunctionName::new(text))
}
