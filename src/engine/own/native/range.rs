//! Ranges, as receivers and as arguments.

use std::ops::{Range, RangeInclusive};

use super::{Entry, NativeResult, Value, changes, property};
use crate::engine::builtin::parts;

pub(super) const OF_RANGE: &[Entry] = &[
    property("start", |_, this, _| Ok(look(this, |range| Value::Int(range.start), |range| Value::Int(*range.start())))),
    property("end", |_, this, _| Ok(look(this, |range| Value::Int(range.end), |range| Value::Int(*range.end())))),
    property("is_inclusive", |_, this, _| Ok(look(this, |_| Value::Bool(false), |_| Value::Bool(true)))),
    property("is_exclusive", |_, this, _| Ok(look(this, |_| Value::Bool(true), |_| Value::Bool(false)))),
    property("is_empty", |_, this, _| Ok(look(this, |range| Value::Bool(range.is_empty()), |range| Value::Bool(range.is_empty())))),
    // Rhai takes it for a change.
    changes("contains", 2, |_, this, arguments| contains(this, &arguments[0])),
];

/// Returns what is asked of a range, if this is one.
fn look<T>(value: &Value, exclusive: impl FnOnce(&Range<i64>) -> T, inclusive: impl FnOnce(&RangeInclusive<i64>) -> T) -> Option<T> {
    let Value::Other(value) = value else { return None };
    match value.read_lock::<Range<i64>>() {
        Some(range) => Some(exclusive(&range)),
        None => value.read_lock::<RangeInclusive<i64>>().map(|range| inclusive(&range)),
    }
}

fn contains(range: &Value, number: &Value) -> NativeResult {
    let Value::Int(number) = number else { return Ok(None) };
    Ok(look(range, |range| Value::Bool(range.contains(number)), |range| Value::Bool(range.contains(number))))
}

/// Returns the start and the length that arguments stand for: both of them, a start alone or a range.
pub(super) fn span(arguments: &[Value]) -> Option<(i64, i64)> {
    match arguments {
        [Value::Int(start), Value::Int(length)] => Some((*start, *length)),
        [Value::Int(start)] => Some((*start, i64::MAX)),
        [range] => look(range, parts::exclusive, parts::inclusive),
        _ => None,
    }
}

/// Returns the part of so many elements that a start and a length mean. A negative start counts from the end.
pub(super) fn part(count: usize, (start, length): (i64, i64)) -> Range<usize> {
    let distance = usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX);
    let start = if start < 0 { count.saturating_sub(distance) } else { distance.min(count) };
    let length = usize::try_from(length).unwrap_or(0);
    start..start + length.min(count - start)
}

/// Returns which element an index means, or the count if it is none. A negative one counts from the end, and too far is the first.
pub(super) fn place(count: usize, index: i64) -> usize {
    part(count, (index, 0)).start
}
