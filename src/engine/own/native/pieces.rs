//! Texts in pieces: split, cut out, replaced, taken apart.

use super::{
    DONE, Entry, NOT_HERE, NativeResult, Value, changes, holds,
    range::span,
    reads,
    text::{of, with_needle},
};
use crate::engine::{
    builtin::{bounded::too_large, parts, search},
    own::limits::{allowed, longest},
};

pub(super) const OF_TEXT: &[Entry] = &[
    holds("split", 1, |_, this, _| match of(this) {
        // An empty text has one piece, one of spaces has none.
        "" => whole(this),
        text => pieces(text.split_whitespace()),
    }),
    holds("split", 2, |_, this, arguments| match arguments[0] {
        Value::Int(index) => Ok(Some(halves(of(this), index))),
        _ => split(this, &arguments[0], |text, at| pieces(text.split(at))),
    }),
    holds("split_rev", 2, |_, this, arguments| split(this, &arguments[0], |text, at| pieces(text.rsplit(at)))),
    holds("split", 3, |_, this, arguments| {
        let [at, Value::Int(segments)] = arguments else { return NOT_HERE };
        split_at_most(this, at, *segments, |text, at, segments| pieces(text.splitn(segments, at)))
    }),
    holds("split_rev", 3, |_, this, arguments| {
        let [at, Value::Int(segments)] = arguments else { return NOT_HERE };
        split_at_most(this, at, *segments, |text, at, segments| pieces(text.rsplitn(segments, at)))
    }),
    reads("sub_string", 2, |_, this, arguments| Ok(sub_string(of(this), arguments))),
    reads("sub_string", 3, |_, this, arguments| Ok(sub_string(of(this), arguments))),
    holds("to_chars", 1, |_, this, _| collect(of(this).chars().map(Value::Char))),
    holds("to_blob", 1, |_, this, _| match of(this) {
        text if text.len() > allowed().array => Err(too_large("Size of BLOB")),
        text => Ok(Some(Value::blob(text.as_bytes().to_vec()))),
    }),
    changes("replace", 3, |_, this, arguments| {
        let limit = longest();
        let with = |find: &str| with_needle(&arguments[1], |substitute| search::replaced(of(this), find, substitute, limit));
        let Some(replaced) = with_needle(&arguments[0], with).flatten() else { return NOT_HERE };
        if let Some(text) = replaced? {
            *this = Value::from_string(text);
        }
        DONE
    }),
    changes("remove", 2, |_, this, arguments| {
        let Some(rest) = with_needle(&arguments[0], |part| (!part.is_empty()).then(|| of(this).replace(part, ""))) else {
            return NOT_HERE;
        };
        if let Some(text) = rest {
            *this = Value::from_string(text);
        }
        DONE
    }),
];

/// Makes an array of no more items than one may have.
pub(super) fn collect(items: impl Iterator<Item = Value>) -> NativeResult {
    let (mut list, allowed) = (Vec::new(), allowed().array);
    for item in items {
        if list.len() >= allowed {
            return Err(too_large("Size of array"));
        }
        list.push(item);
    }
    Ok(Some(Value::list(list)))
}

fn pieces<'a>(pieces: impl Iterator<Item = &'a str>) -> NativeResult {
    collect(pieces.map(Value::text))
}

fn whole(text: &Value) -> NativeResult {
    Ok(Some(Value::list(vec![text.clone()])))
}

fn split(text: &Value, at: &Value, pieces: impl FnOnce(&str, &str) -> NativeResult) -> NativeResult {
    with_needle(at, |at| if of(text).is_empty() { whole(text) } else { pieces(of(text), at) }).unwrap_or(NOT_HERE)
}

fn split_at_most(text: &Value, at: &Value, segments: i64, pieces: impl FnOnce(&str, &str, usize) -> NativeResult) -> NativeResult {
    match usize::try_from(segments) {
        Ok(segments) if segments > 1 => split(text, at, |text, at| pieces(text, at, segments)),
        _ => split(text, at, |_, _| whole(text)),
    }
}

fn halves(text: &str, index: i64) -> Value {
    let at = match index {
        // Nothing is behind the last character, and all of the text behind what is before the first.
        0 => text.len(),
        _ => parts::part(text, index, 0).start,
    };
    let (before, after) = text.split_at(at);
    Value::list(vec![Value::text(before), Value::text(after)])
}

fn sub_string(text: &str, arguments: &[Value]) -> Option<Value> {
    let (start, length) = span(arguments)?;
    Some(Value::text(&text[parts::part(text, start, length)]))
}
