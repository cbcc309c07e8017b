//! Why a function did not answer.

use crate::{execution::Outcome, executor::ExecuteError};

/// Says why it did not run.
pub fn not_run(refused: &ExecuteError) -> String {
    match refused {
        ExecuteError::MalformedBody(why) => why.clone(),
        ExecuteError::FunctionBusy { .. } | ExecuteError::NodeBusy { .. } | ExecuteError::NodeWaits { .. } => {
            "too many requests at once\n  hint: try again soon".into()
        }
        ExecuteError::Leaks { .. } => "the function leaks memory and was stopped until it changes".into(),
        ExecuteError::NotLoaded => "the function is being replaced\n  hint: try again".into(),
    }
}

/// Says how its run ended.
pub fn ended(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Failed | Outcome::Ok | Outcome::Rejected => "the function failed",
        Outcome::TimedOut => "the function ran past its time limit",
        Outcome::OperationsExceeded => "the function passed its limit of operations",
        Outcome::MemoryExceeded => "the function passed its memory limit",
        Outcome::SizeExceeded => "the function passed a size limit",
        Outcome::Cancelled => "the node cannot carry this out now, and dropped the run\n  hint: try again soon",
    }
}
