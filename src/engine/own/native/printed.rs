//! Values as text and as JSON.

use super::{Entry, NOT_HERE, NativeResult, Value, reads, text::of};
use crate::engine::{
    builtin::bounded::error,
    own::{json, limits::longest},
};

pub(super) const OF_ALL: &[Entry] = &[
    reads("to_string", 1, |_, this, _| written(|text| this.print(text, longest()))),
    reads("to_debug", 1, |_, this, _| written(|text| this.debug(text, longest()))),
];

pub(super) const AS_JSON: &[Entry] = &[reads("to_json", 1, |_, this, _| match json::write(this, longest()) {
    Ok(json) => Ok(Some(Value::from_string(String::from_utf8_lossy(&json).into_owned()))),
    Err(why) => Err(error(format!("this value cannot be written as JSON: {why}"))),
})];

pub(super) const OF_TEXT: &[Entry] = &[reads("parse_json", 1, |_, this, _| match json::read(of(this).as_bytes()) {
    Ok(value) => Ok(Some(value)),
    Err(why) => Err(error(format!("this is not JSON: {why}"))),
})];

fn written(write: impl FnOnce(&mut String) -> bool) -> NativeResult {
    let mut text = String::new();
    if write(&mut text) { Ok(Some(Value::from_string(text))) } else { NOT_HERE }
}
