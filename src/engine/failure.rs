//! From the engine's errors to what an author can act on: one sentence, the place, the calls that led there.

use rhai::EvalAltResult;

use super::{meter::Stop, value};
use crate::{
    execution::{Failure, Outcome},
    function::{FilePath, Limits, Position},
};

/// Bytes of a thrown value that are shown.
const SHOWN_VALUE: usize = 2_000;

/// Turns a position of the engine's into ours.
pub fn position(at: rhai::Position) -> Option<Position> {
    Some(Position { line: at.line()? as u32, column: at.position().unwrap_or(1).max(1) as u32 })
}

/// Explains why a run of `file` ended with this error.
pub fn explain(error: &mut EvalAltResult, file: &FilePath) -> (Outcome, Failure) {
    let mut file = file.clone();
    let mut calls = Vec::new();
    let mut error = error;
    loop {
        match error {
            EvalAltResult::ErrorInFunctionCall(name, source, inner, at) => {
                let name = if name.starts_with("anon$") { "a closure" } else { name };
                let place = position(*at).map_or(String::new(), |at| format!(":{}:{}", at.line, at.column));
                calls.push(format!("{name} called at {file}{place}"));
                if !source.is_empty() {
                    file = source.as_str().into();
                }
                error = inner;
            }
            EvalAltResult::ErrorInModule(name, inner, _) => {
                if !name.is_empty() {
                    file = name.as_str().into();
                }
                error = inner;
            }
            other => {
                let at = position(other.take_position());
                let (outcome, message) = sentence(other);
                return (outcome, Failure { message, file, position: at, calls });
            }
        }
    }
}

fn sentence(error: &EvalAltResult) -> (Outcome, String) {
    use EvalAltResult as E;
    match error {
        E::ErrorRuntime(value, _) => (Outcome::Failed, value::to_text(value, SHOWN_VALUE)),
        E::ErrorStackOverflow(_) => (Outcome::SizeExceeded, "calls inside calls passed the limit `call_depth`".into()),
        E::ErrorDataTooLarge(what, _) => (Outcome::SizeExceeded, format!("{} passed its limit", what.to_lowercase())),
        E::ErrorTooManyVariables(_) => (Outcome::SizeExceeded, "too many variables".into()),
        E::ErrorTooManyModules(_) => (Outcome::SizeExceeded, "too many imports".into()),
        E::ErrorDataRace(name, _) => {
            (Outcome::Failed, format!("`{name}` is changed while it is being read; a closure uses the value that it is called on"))
        }
        E::ErrorFunctionNotFound(signature, _) => (Outcome::Failed, format!("no function `{signature}`")),
        other => (Outcome::Failed, value::cut(&other.to_string(), SHOWN_VALUE).to_owned()),
    }
}

/// Says which limit stopped a run.
pub fn stopped(stop: Stop, limits: &Limits) -> (Outcome, String) {
    match stop {
        Stop::Deadline => (Outcome::TimedOut, format!("it ran past its time limit of {}", limits.timeout)),
        Stop::Operations => (Outcome::OperationsExceeded, format!("it passed its limit of {} operations", limits.operations)),
        Stop::Memory => (Outcome::MemoryExceeded, format!("it passed its memory limit of {}", limits.memory)),
        Stop::NodeMemory => (Outcome::Cancelled, "the runs of this node have no memory left for it; it may be tried again".into()),
        Stop::Cancelled => (Outcome::Cancelled, "nobody waits for it any more".into()),
    }
}
