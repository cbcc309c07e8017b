//! Parts of values: what indexes stand for.

use std::ops::{Range, RangeInclusive};

use super::Value;

/// What a property has that is not there.
const NOTHING: &Value = &Value::Unit;

/// A part of a value.
pub enum Part<'a> {
    /// The value holds it.
    Held(&'a Value),
    /// It is made of the value: a character of a text, a bit of a number.
    Made(Value),
}

impl Part<'_> {
    /// Returns the part, or a copy of it.
    #[inline]
    pub fn into_value(self) -> Value {
        match self {
            Self::Held(value) => value.clone(),
            Self::Made(value) => value,
        }
    }
}

impl std::ops::Deref for Part<'_> {
    type Target = Value;

    #[inline]
    fn deref(&self) -> &Value {
        match self {
            Self::Held(value) => value,
            Self::Made(value) => value,
        }
    }
}

/// Returns what an index stands for; none: Rhai is to be asked, there is nothing, or what is there is rare.
#[inline]
pub fn index<'a>(value: &'a Value, index: &Value) -> Option<Part<'a>> {
    match (value, index) {
        (Value::List(list), Value::Int(index)) => list.get(place(*index, list.len())?).map(Part::Held),
        (Value::Map(map), index) => index.as_str().map(|key| Part::Held(map.get(key).unwrap_or(NOTHING))),
        (value, index) => made(value, index).map(Part::Made),
    }
}

/// Returns the place of the element with an index: a negative one counts from the end.
#[inline(always)]
pub fn place(index: i64, length: usize) -> Option<usize> {
    let place = if index < 0 { index.checked_add(length as i64)? } else { index };
    usize::try_from(place).ok().filter(|place| *place < length)
}

#[inline(never)]
fn made(value: &Value, index: &Value) -> Option<Value> {
    match (value, index) {
        (Value::Blob(bytes), Value::Int(index)) => Some(Value::Int(bytes[place(*index, bytes.len())?].into())),
        (Value::Int(number), Value::Int(index)) => Some(Value::Bool(number & (1 << place(*index, 64)?) != 0)),
        (text, Value::Int(index)) => character(text.as_str()?, *index).map(Value::Char),
        (text, Value::Other(range)) => {
            if let Some(range) = range.read_lock::<Range<i64>>() {
                slice(text, range.start, range.end, false)
            } else if let Some(range) = range.read_lock::<RangeInclusive<i64>>() {
                slice(text, *range.start(), *range.end(), true)
            } else {
                None
            }
        }
        _ => None,
    }
}

fn character(text: &str, index: i64) -> Option<char> {
    let distance = usize::try_from(index.unsigned_abs()).ok()?;
    match index {
        0.. if text.is_ascii() => text.as_bytes().get(distance).map(|byte| char::from(*byte)),
        0.. => text.chars().nth(distance),
        _ => text.chars().rev().nth(distance - 1),
    }
}

/// Returns the characters of a range, as Rhai cuts them.
fn slice(value: &Value, start: i64, end: i64, is_inclusive: bool) -> Option<Value> {
    let text = value.as_str()?;
    let count = text.chars().count();
    let start = if start < 0 { if count == 0 { 0 } else { place(start, count)? } } else { start as usize };
    let end = if end < 0 { place(end, count).unwrap_or(0) } else { end as usize };
    let last = if is_inclusive { count.saturating_sub(1) } else { count };
    if count == 0 || start == 0 && end >= last {
        return Some(value.clone());
    }
    let length = match is_inclusive {
        // Rhai takes no character where both ends are the same.
        true if end > start => end - start + 1,
        true => 0,
        false => end.saturating_sub(start),
    };
    let from = offset(text, start);
    let to = from + offset(&text[from..], length);
    Some(Value::text(&text[from..to]))
}

/// Returns where the character with this number begins.
fn offset(text: &str, number: usize) -> usize {
    text.char_indices().nth(number).map_or(text.len(), |(at, _)| at)
}
