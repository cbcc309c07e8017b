//! `try` and `catch`.

use rhai::{Dynamic, EvalAltResult};

use super::{
    Code, Compiler, Ex,
    machine::{Leave, Outcome},
};
use crate::engine::{
    ir,
    own::{Failure, Value},
};

impl Compiler<'_> {
    pub(super) fn attempt(&mut self, attempt: &ir::Try) -> Ex {
        let (body, handler, caught) = (self.block(&attempt.body), self.block(&attempt.handler), attempt.caught);
        Box::new(move |machine, code, frame| {
            let level = machine.level;
            match body(machine, code, frame) {
                Err(Leave::Failed(mut failure)) if failure.is_catchable() => {
                    machine.level = level;
                    if let Some(slot) = caught {
                        frame[slot] = value_of(&mut failure, code);
                    }
                    let result = handler(machine, code, frame);
                    if let Some(slot) = caught {
                        frame[slot] = Value::Unit;
                    }
                    handled(failure, result)
                }
                other => other,
            }
        })
    }
}

/// What the handler gives: nothing, or the failure again if it throws without a value.
fn handled(mut failure: Failure, result: Outcome) -> Outcome {
    match result {
        Ok(_) => Ok(Value::Unit),
        Err(Leave::Failed(thrown)) => match *thrown {
            EvalAltResult::ErrorRuntime(value, position) if value.is_unit() => {
                failure.set_position(position);
                Err(failure.into())
            }
            thrown => Err(thrown.into()),
        },
        Err(flow) => Err(flow),
    }
}

/// Returns what a handler gets of a failure: what was thrown, or a map that describes it.
fn value_of(failure: &mut EvalAltResult, code: &Code) -> Value {
    if let EvalAltResult::ErrorRuntime(value, _) = failure.unwrap_inner() {
        return Value::of(value.clone());
    }
    let mut map = rhai::Map::new();
    let position = failure.take_position();
    map.insert("message".into(), failure.to_string().into());
    if let Some(source) = &code.source {
        map.insert("source".into(), source.clone().into());
    }
    if let Some(line) = position.line() {
        map.insert("line".into(), (line as i64).into());
        map.insert("position".into(), (position.position().unwrap_or(0) as i64).into());
    }
    describe(failure, &mut map);
    Value::of(map.into())
}

/// Adds what Rhai tells of its failures.
fn describe(failure: &EvalAltResult, map: &mut rhai::Map) {
    let shown = format!("{failure:?}");
    map.insert("error".into(), shown.split('(').next().unwrap_or_default().into());
    let mut tell = |name: &str, value: Dynamic| drop(map.insert(name.into(), value));
    match failure {
        EvalAltResult::ErrorFunctionNotFound(name, _) | EvalAltResult::ErrorNonPureMethodCallOnConstant(name, _) => {
            tell("function", name.into());
        }
        EvalAltResult::ErrorInFunctionCall(name, source, ..) => {
            tell("function", name.into());
            tell("source", source.into());
        }
        EvalAltResult::ErrorMismatchDataType(requested, actual, _) | EvalAltResult::ErrorMismatchOutputType(requested, actual, _) => {
            tell("requested", requested.into());
            tell("actual", actual.into());
        }
        EvalAltResult::ErrorArrayBounds(length, index, _)
        | EvalAltResult::ErrorStringBounds(length, index, _)
        | EvalAltResult::ErrorBitFieldBounds(length, index, _) => {
            tell("length", (*length as i64).into());
            tell("index", (*index).into());
        }
        EvalAltResult::ErrorVariableExists(name, _)
        | EvalAltResult::ErrorForbiddenVariable(name, _)
        | EvalAltResult::ErrorVariableNotFound(name, _)
        | EvalAltResult::ErrorPropertyNotFound(name, _)
        | EvalAltResult::ErrorDataRace(name, _)
        | EvalAltResult::ErrorAssignmentToConstant(name, _) => tell("variable", name.into()),
        EvalAltResult::ErrorIndexNotFound(index, _) => tell("index", index.clone()),
        EvalAltResult::ErrorInModule(name, ..) | EvalAltResult::ErrorModuleNotFound(name, _) => tell("module", name.into()),
        EvalAltResult::ErrorDotExpr(property, _) => tell("property", property.into()),
        EvalAltResult::ErrorIndexingType(name, _) | EvalAltResult::ErrorDataTooLarge(name, _) => tell("type", name.into()),
        _ => {}
    }
}
