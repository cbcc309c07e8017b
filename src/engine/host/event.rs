//! Events, as scripts emit and settle them. The functions are called without a module.

use std::time::Duration;

use super::{
    Call, HostError, HostFunction, HostResult, Kind, Parameter, Type,
    check::{CheckedCall, Literal, Mistake},
    json::to_json,
};
use crate::{
    engine::{
        meter::{self, limits::Stop},
        value::plain::Value,
    },
    execution::{Emitter, MAX_DELAY, MAX_DEPTH, MAX_ID, MAX_PAYLOAD, NewEvent, Verdict, is_id, must_be_readable},
    function::{
        quantity::Span,
        topic::{NotATopic, Topic},
    },
};

/// Emits an event.
pub const EMIT: HostFunction = HostFunction::new(
    "emit",
    &[Parameter::new("topic", Type::Text), Parameter::new("payload", Type::Any), Parameter::optional("options", Type::Map)],
    "string",
    Kind::Held,
    "Emits an event when the run ends well, and gives its id. The options are `key`, `delay` and `id`.",
    emit,
)
.checked(check_emit);

/// Has an event tried again.
pub const RETRY: HostFunction = HostFunction::new(
    "retry",
    &[Parameter::optional("after", Type::Text)],
    "nothing: the run ends",
    Kind::Held,
    "Ends this attempt, and has the event tried again: after this time, or as `[retry]` says.",
    retry,
)
.checked(check_retry);

/// Gives an event up.
pub const DEAD: HostFunction = HostFunction::new(
    "dead",
    &[Parameter::new("reason", Type::Text)],
    "nothing: the run ends",
    Kind::Held,
    "Ends this attempt, and puts the event to the dead letters.",
    dead,
);

/// The options of `emit`.
const OPTIONS: &[&str] = &["key", "delay", "id"];
/// What is said of a text or a number that is no time.
const NO_TIME: &str = "`after` is a time such as \"30s\" or \"5m\"";
/// Most bytes of a reason.
const MAX_REASON: usize = 1024;

fn check_emit(call: &CheckedCall<'_>) -> Option<Mistake> {
    check_topic(call).or_else(|| call.unknown_option(2, OPTIONS))
}

fn check_topic(call: &CheckedCall<'_>) -> Option<Mistake> {
    let Literal::Text(topic) = call.literal(0)? else { return None };
    match topic.parse::<Topic>() {
        Ok(topic) if topic.is_own() => Some(Mistake::at_argument(0, own(&topic)).hint("choose another first word")),
        Ok(_) => None,
        Err(error) => Some(Mistake::at_argument(0, error.to_string()).hint(error.hint)),
    }
}

fn check_retry(call: &CheckedCall<'_>) -> Option<Mistake> {
    let why = match call.literal(0)? {
        Literal::Text(after) => wait(after).err()?,
        Literal::Number => NO_TIME,
        _ => return None,
    };
    Some(Mistake::at_argument(0, why))
}

/// Reads the time after which an event is tried again.
fn wait(after: &str) -> Result<Duration, &'static str> {
    match Span::parse(after) {
        None => Err(NO_TIME),
        Some(Span(after)) if after > MAX_DELAY => Err("`after` is 30 days at most"),
        Some(Span(after)) => Ok(after),
    }
}

fn own(topic: &Topic) -> String {
    format!("only the node emits on `{topic}`")
}

fn emit(call: &mut Call<'_>) -> HostResult {
    let topic: Topic = call.text(0).parse().map_err(|error: NotATopic| error.to_string())?;
    if topic.is_own() {
        return Err(own(&topic).into());
    }
    let payload = to_json(call.argument(1), MAX_PAYLOAD)?;
    must_be_readable(&payload)?;
    let options = call.options(2, OPTIONS)?;
    let named = |name: &'static str| -> Result<Option<String>, HostError> {
        match options.text(name)? {
            Some(text) if !is_id(text) => Err(format!("the option `{name}` has 1 to {MAX_ID} bytes, without control characters").into()),
            text => Ok(text.map(str::to_owned)),
        }
    };
    let (key, id, delay) = (named("key")?, named("id")?, options.span("delay")?.unwrap_or(Duration::ZERO));
    if delay > MAX_DELAY {
        return Err("the option `delay` is 30 days at most".into());
    }
    let emitted = call.with_run(|run| {
        let depth = run.invocation.event.as_ref().map_or(0, |event| event.depth) + 1;
        if depth > MAX_DEPTH {
            return Err(format!("{MAX_DEPTH} events have led to this one: a handler emits what starts it again"));
        }
        let (execution, function) = (run.invocation.own_id(), run.function.name.clone());
        let emitted = run.outbox();
        let is_named = id.is_some();
        let id = id.unwrap_or_else(|| format!("{execution}-{}", emitted.events.len() + 1));
        let at_us = meter::usage().duration.as_micros() as u64;
        // All of it is copied: what the run has made is the run's, and gone with it.
        meter::keep(|| {
            let topic = topic.as_str().parse().map_err(|error: NotATopic| error.to_string())?;
            let (id, key, payload) = (id.clone(), key.clone(), payload.as_str().into());
            emitted.add(NewEvent { id, is_named, topic, key, payload, delay, depth, by: Emitter::Run { function, execution } }, at_us)
        })?;
        Ok(id)
    })?;
    Ok(emitted?.into())
}

fn retry(call: &mut Call<'_>) -> HostResult {
    let after = match call.argument(0) {
        Value::Unit => None,
        _ => Some(wait(call.text(0))?),
    };
    settle(call, Verdict::Retry(after))
}

fn dead(call: &mut Call<'_>) -> HostResult {
    let reason: String = call.text(0).chars().take(MAX_REASON).collect();
    settle(call, Verdict::Dead(reason))
}

/// Ends the run with what becomes of its event.
fn settle(call: &mut Call<'_>, verdict: Verdict) -> HostResult {
    let name = call.name();
    let is_started_by_event = call.with_run(|run| {
        let is_started = run.invocation.event.is_some();
        if is_started {
            meter::keep(|| run.outbox().verdict = Some(verdict.clone()));
        }
        is_started
    })?;
    if !is_started_by_event {
        return Err(format!("`{name}` is for runs that an event or a schedule started, and a caller waits for this one").into());
    }
    meter::interrupt(Stop::Settled);
    Err(HostError::Stopped)
}
