//! What takes elements out of an array: `drain`, `retain`, `dedup`.

use super::{
    Caller, DONE, Entry, NOT_HERE, NativeResult, Value, changes,
    each::{Elements, function},
    edit, items,
    range::{part, span},
};
use crate::engine::meter;

pub(super) const OF_LIST: &[Entry] = &[
    changes("drain", 2, |caller, this, arguments| match &arguments[0] {
        function @ Value::Function(_) => choose(caller, "drain", this, function, true),
        Value::Other(_) => cut(this, arguments, |items, part| items.drain(part).collect()),
        _ => NOT_HERE,
    }),
    changes("drain", 3, |_, this, arguments| cut(this, arguments, |items, part| items.drain(part).collect())),
    changes("retain", 2, |caller, this, arguments| match &arguments[0] {
        function @ Value::Function(_) => choose(caller, "retain", this, function, false),
        Value::Other(_) => cut(this, arguments, retain),
        _ => NOT_HERE,
    }),
    changes("retain", 3, |_, this, arguments| cut(this, arguments, retain)),
    changes("dedup", 1, |_, this, _| dedup(this)),
    changes("dedup", 2, |caller, this, arguments| {
        let Some(function) = function(&arguments[0]) else { return NOT_HERE };
        let mut kept: Vec<Value> = Vec::new();
        for item in items(this) {
            let is_same = match kept.last() {
                // After a stop all must end.
                Some(last) if !meter::is_stopped() => {
                    matches!(caller.call(function, None, &mut [last.clone(), item.clone()]), Ok(Value::Bool(true)))
                }
                _ => false,
            };
            if !is_same {
                kept.push(item.clone());
            }
        }
        if kept.len() < items(this).len() {
            *this = Value::list(kept);
        }
        DONE
    }),
];

/// Takes the elements out for which a function says this.
fn choose(caller: &mut dyn Caller, name: &'static str, list: &mut Value, function: &Value, taken: bool) -> NativeResult {
    let (mut out, mut place) = (Vec::new(), 0);
    let mut elements = Elements::of(caller, name, list, function);
    for index in 0..items(elements.list).len() {
        let is = matches!(elements.call_as(place, index, &mut [], Some(0))?, Value::Bool(true));
        match is == taken {
            true => out.extend(edit(elements.list, |list| list.remove(place)).flatten()),
            false => place += 1,
        }
    }
    Ok(Some(Value::list(out)))
}

fn cut(list: &mut Value, arguments: &[Value], cut: impl FnOnce(&mut Vec<Value>, std::ops::Range<usize>) -> Vec<Value>) -> NativeResult {
    let Some(span) = span(arguments) else { return NOT_HERE };
    let part = part(items(list).len(), span);
    if part.is_empty() {
        return Ok(Some(Value::list(Vec::new())));
    }
    Ok(Some(Value::list(edit(list, |list| list.edit(|items| cut(items, part))).unwrap_or_default())))
}

/// Keeps a part and returns the rest.
fn retain(items: &mut Vec<Value>, part: std::ops::Range<usize>) -> Vec<Value> {
    let mut rest: Vec<_> = items.drain(..part.start).collect();
    rest.extend(items.drain(part.len()..));
    rest
}

fn dedup(list: &mut Value) -> NativeResult {
    let mut kept: Vec<Value> = Vec::new();
    for item in items(list) {
        match kept.last().map(|last| last.equals(item)) {
            Some(None) => return NOT_HERE,
            Some(Some(true)) => {}
            _ => kept.push(item.clone()),
        }
    }
    if kept.len() < items(list).len() {
        *list = Value::list(kept);
    }
    DONE
}
