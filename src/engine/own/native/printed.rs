//! Values as text and as JSON, and the names of functions.

use super::{Entry, NOT_HERE, NativeResult, Value, changes, property, reads, text::of};
use crate::engine::{
    builtin::bounded::{error, not_json},
    own::{json, limits::longest},
};

pub(super) const OF_ALL: &[Entry] = &[
    reads("to_string", 1, |_, this, _| written(|text| this.print(text, longest()))),
    reads("to_debug", 1, |_, this, _| written(|text| this.debug(text, longest()))),
];

pub(super) const TAKEN: &[Entry] = &[changes("take", 1, |_, this, _| Ok(Some(std::mem::take(this))))];

pub(super) const AS_JSON: &[Entry] = &[reads("to_json", 1, |_, this, _| match json::write(this, longest()) {
    Ok(json) => Ok(Some(Value::from_string(String::from_utf8_lossy(&json).into_owned()))),
    Err(why) => Err(not_json(&why)),
})];

pub(super) const OF_TEXT: &[Entry] = &[reads("parse_json", 1, |_, this, _| match json::read(of(this).as_bytes()) {
    Ok(value) => Ok(Some(value)),
    Err(why) => Err(error(format!("this is not JSON: {why}"))),
})];

pub(super) const OF_FUNCTION: &[Entry] = &[
    property("name", |_, this, _| Ok(name(this).map(Value::text))),
    property("is_anonymous", |_, this, _| Ok(name(this).map(|name| Value::Bool(name.starts_with("anon$"))))),
];

fn name(function: &Value) -> Option<&str> {
    match function {
        Value::Function(function) => Some(&function.name),
        _ => None,
    }
}

fn written(write: impl FnOnce(&mut String) -> bool) -> NativeResult {
    let mut text = String::new();
    if write(&mut text) { Ok(Some(Value::from_string(text))) } else { NOT_HERE }
}
