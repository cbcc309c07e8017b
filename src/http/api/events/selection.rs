//! Whose deliveries and dead letters a request is about.

use crate::{
    http::{
        caller::{Caller, Grant, Level},
        problem::Problem,
    },
    store::{function_name, queue::FunctionSelection},
};

/// Reads `function` and `prefix`, of which there is one at most.
pub fn functions(function: Option<&str>, prefix: Option<&str>) -> Result<FunctionSelection, Problem> {
    match (function, prefix) {
        (Some(_), Some(_)) => Err(Problem::BadOrder("`prefix`: there is a `function`, too\n  hint: send one of them".into())),
        (Some(function), None) => Ok(FunctionSelection::One(function_name(function))),
        (None, Some(prefix)) => Ok(FunctionSelection::Below(prefix.into())),
        (None, None) => Ok(FunctionSelection::All),
    }
}

/// Lets in whoever may touch all of these functions.
pub fn allowed<S: Level>(caller: Caller<S>, functions: &FunctionSelection) -> Result<Grant, Problem> {
    Ok(match functions {
        FunctionSelection::One(function) => caller.for_function(function)?,
        FunctionSelection::Below(begin) => caller.for_all_below(begin)?,
        FunctionSelection::All => caller.for_all_below("")?,
    })
}
