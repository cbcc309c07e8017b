//! The class of status that a question about statistics is about.

use super::times::bad;
use crate::{
    execution::STATUS_CLASSES,
    http::problem::Problem,
    store::{StatusFilter, StatusOrOutcome},
};

/// Reads a class, and returns which of the [`STATUS_CLASSES`] it is. Executions are counted by these.
pub(super) fn class(text: &str) -> Result<usize, Problem> {
    let known = STATUS_CLASSES.map(|class| format!("`{class}`")).join(", ");
    let wrong = |what: &str, hint: &str| Err(bad("status", what, hint));
    match text.parse::<StatusOrOutcome>() {
        Ok(StatusOrOutcome::Status(class @ StatusFilter::Class(_))) => {
            let place = STATUS_CLASSES.iter().position(|known| *known == class.to_string());
            place.ok_or_else(|| bad("status", format!("nothing is answered with `{class}`"), &format!("use one of {known}")))
        }
        Ok(StatusOrOutcome::Status(StatusFilter::Exactly(status))) => wrong(
            "executions are counted by class, not by each status",
            &format!("write `{}xx`; `picloud executions --status {status}` lists those with this one", status / 100),
        ),
        Ok(StatusOrOutcome::Outcome(outcome)) => wrong(
            "executions are counted by class, not by outcome over time",
            &format!("`total.by_outcome` has their number, and `picloud executions --status {}` lists them", outcome.as_str()),
        ),
        Err(_) => wrong(&format!("`{text}` is no class"), &format!("use one of {known}")),
    }
}
