//! Variables that a closure uses while a method works on them, which Rhai refuses.
//!
//! Only a variable that closures have captured has another user. Rhai locks it while it goes along a chain that begins there.

use rhai::{EvalAltResult, Position};

use super::machine::{Leave, Outcome};
use crate::engine::{ir, own::Value};

/// Fails if a method runs on this shared variable.
#[inline(always)]
pub fn free(place: &Value) -> Outcome<()> {
    match place {
        Value::Shared(shared) if shared.is_locked() => Err(data_race(String::new())),
        _ => Ok(()),
    }
}

/// Makes the error of a variable that is used while a method runs on it.
#[cold]
pub fn data_race(what: String) -> Leave {
    EvalAltResult::ErrorDataRace(what, Position::NONE).into()
}

/// Fails if a function would get a variable that a method runs on.
pub(super) fn in_use<'v>(name: &str, mut arguments: impl Iterator<Item = &'v Value>) -> Outcome<()> {
    match arguments.position(is_locked) {
        Some(at) => Err(data_race(format!("argument #{} of function '{name}'", at + 1))),
        None => Ok(()),
    }
}

/// Fails if what an assignment adds to a shared variable, or to a part of it, holds the variable. Rhai does not look at arrays and blobs that
/// something is added to.
pub(super) fn adds_itself(op: &ir::OpAssign, place: &Value, value: &Value) -> Outcome<()> {
    if !matches!(value, Value::List(_) | Value::Map(_) | Value::Function(_)) || matches!(place, Value::List(_)) {
        return Ok(());
    }
    let written = match &*op.node {
        rhai::Stmt::Assignment(assignment) => assignment.0.get_op_assignment_info().map_or("", |(.., written, _, _)| written),
        _ => "",
    };
    in_use(written, [value].into_iter())
}

/// Returns whether a value holds a variable that a method runs on.
fn is_locked(value: &Value) -> bool {
    match value {
        Value::Shared(shared) => shared.is_locked(),
        Value::List(list) => list.iter().any(is_locked),
        Value::Map(map) => map.values().any(is_locked),
        Value::Function(function) => function.curried().iter().any(is_locked),
        _ => false,
    }
}
