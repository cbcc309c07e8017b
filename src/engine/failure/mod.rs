//! From the engine's errors to what an author can act on: one sentence, the place, the calls that led there.

mod cause;
mod subject;

use rhai::{Dynamic, EvalAltResult, ImmutableString};

use super::{class::MAX_VARIABLES, host::WRONG_KIND, meter::limits::Stop, place::position, script::Script, value::text, words};
use crate::{
    execution::{Failure, FailureCall, Outcome},
    function::{FilePath, Limits},
};

/// Bytes of a message, and of a thrown value, that are shown.
const SHOWN_VALUE: usize = 2_000;

/// Explains why a run of `file` ended with this error. `scripts` finds what was compiled of a file.
pub fn explain<'a>(error: &mut EvalAltResult, file: &FilePath, scripts: impl Fn(&FilePath) -> Option<&'a Script>) -> (Outcome, Failure) {
    let mut file = file.clone();
    let mut calls = Vec::new();
    // Where the last call is, for an error that has no place of its own.
    let mut last_call = None;
    let mut error = error;
    loop {
        match error {
            EvalAltResult::ErrorInFunctionCall(name, source, inner, at) => {
                let name = if name.starts_with(CLOSURE) { "a closure" } else { name };
                let position = position(*at);
                calls.push(FailureCall { function: name.into(), file: file.clone(), position });
                last_call = position.map(|at| (file.clone(), at));
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
                let (script, place) = (scripts(&file), other.take_position());
                let (file, at) = match (position(place), last_call) {
                    (None, Some((file, at))) => (file, Some(at)),
                    (at, _) => (file, at),
                };
                let (outcome, message) = sentence(other, place, script);
                // A caller may choose the name of a function that is looked for, too.
                let message = text::cut(&message, SHOWN_VALUE).to_owned();
                return (outcome, Failure { message, file, position: at, calls });
            }
        }
    }
}

fn sentence(error: &EvalAltResult, at: rhai::Position, script: Option<&Script>) -> (Outcome, String) {
    use EvalAltResult as E;
    match error {
        E::ErrorRuntime(value, _) if value.is_unit() => (Outcome::Failed, "it threw without a value".into()),
        E::ErrorRuntime(value, _) => (Outcome::Failed, of_host(value).unwrap_or_else(|| text::to_line(value, SHOWN_VALUE))),
        E::ErrorStackOverflow(_) => (Outcome::SizeExceeded, "calls inside calls passed the limit `call_depth`".into()),
        E::ErrorDataTooLarge(what, _) => (Outcome::SizeExceeded, too_large(what)),
        E::ErrorTooManyVariables(_) => (Outcome::SizeExceeded, format!("more than {MAX_VARIABLES} variables at once")),
        E::ErrorTooManyModules(_) => (Outcome::SizeExceeded, "too many imports".into()),
        E::ErrorDataRace(name, _) => {
            let what = shared(name);
            (
                Outcome::Failed,
                format!("{what} is in use; a closure cannot use the value that it is called on: read what it needs of it before"),
            )
        }
        E::ErrorNonPureMethodCallOnConstant(name, _) => (
            Outcome::Failed,
            format!("`{name}` changes what it is called on, and this is a constant, or the request; copy it first: `let copy = …;`"),
        ),
        E::ErrorFunctionNotFound(signature, _) if signature.starts_with(CLOSURE) => (Outcome::Failed, closure_not_found(signature, script)),
        other => {
            let said = cause::explain(other, at, script).unwrap_or_else(|| words::lower_first(&other.to_string()));
            (Outcome::Failed, text::cut(&without_closure_names(&said), SHOWN_VALUE).to_owned())
        }
    }
}

/// Keys of maps that host functions throw, beside `kind` and `message`.
const OF_HOST: [&str; 5] = ["hint", "code", "constraint", "line", "column"];

/// Writes a map that a host function threw as a sentence: `dns: …`.
fn of_host(value: &Dynamic) -> Option<String> {
    let map = value.read_lock::<rhai::Map>()?;
    let text = |key: &str| map.get(key)?.read_lock::<ImmutableString>().map(|text| text.to_string());
    let (kind, message) = (text("kind")?, text("message")?);
    if map.keys().any(|key| !["kind", "message"].contains(&key.as_str()) && !OF_HOST.contains(&key.as_str())) {
        return None;
    }
    let kind = if kind == WRONG_KIND { String::new() } else { format!("{kind}: ") };
    let hint = text("hint").map_or(String::new(), |hint| format!("; {hint}"));
    Some(format!("{kind}{message}{hint}"))
}

/// Says why a closure was not found that is called so: `anon$… (i64, string)`.
fn closure_not_found(signature: &str, script: Option<&Script>) -> String {
    let name = signature.split_once(' ').map_or(signature, |(name, _)| name);
    // What it captures, and what a method is called on, are among the arguments here: no number would be what the author sees.
    match script.is_some_and(|script| script.makes_closure(name)) {
        true => "a closure is called with another number of arguments than it takes".into(),
        false => "a closure that a module made can be called in that module alone; let the module call it, or pass a closure in".into(),
    }
}

/// Says which limit a value has passed with all that is in it.
fn too_large(what: &str) -> String {
    let (parts, limit) = match what {
        "Length of string" => ("the texts", "string"),
        "Size of array/BLOB" => ("the elements and bytes", "array"),
        "Size of object map" => ("the entries of maps", "map"),
        other => return format!("{} passed its limit", other.to_lowercase()),
    };
    format!("{parts} in one value passed the limit `{limit}`")
}

/// Names a value that the engine names by its variable, or as `argument #1 of function 'map'`.
fn shared(name: &str) -> String {
    match name.split_once(" of function '").map(|(_, function)| function.trim_end_matches('\'')) {
        None if name.is_empty() => "a value".into(),
        None => format!("`{name}`"),
        Some(function) if function.starts_with(CLOSURE) => "a value".into(),
        Some(function) => format!("the value that `{function}` works on"),
    }
}

/// How the names begin that the compiler gives to closures.
const CLOSURE: &str = "anon$";

/// Calls closures what they are, and not by the compiler's names for them.
fn without_closure_names(message: &str) -> String {
    let mut parts = message.split(CLOSURE);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "a closure" + part.trim_start_matches(|c: char| c.is_ascii_hexdigit()))
}

/// Says which limit stopped a run.
pub fn stopped(stop: Stop, limits: &Limits) -> (Outcome, String) {
    match stop {
        Stop::Deadline => (Outcome::TimedOut, format!("it ran past its time limit of {}", limits.timeout)),
        Stop::Operations => (Outcome::OperationsExceeded, format!("it passed its limit of {} operations", limits.operations)),
        Stop::Memory => (Outcome::MemoryExceeded, format!("it passed its memory limit of {}", limits.memory)),
        Stop::NodeMemory => (Outcome::Cancelled, "the runs of this node have no memory left for it; it may be tried again".into()),
        Stop::CpuTime => (Outcome::TimedOut, "it used all the CPU time that it was given".into()),
        Stop::Departed => (Outcome::Failed, "it departed from the run that it repeats".into()),
        Stop::Settled => (Outcome::Failed, "it ended with what becomes of its event".into()),
        Stop::Cancelled => (Outcome::Cancelled, "nobody waits for it any more".into()),
    }
}
