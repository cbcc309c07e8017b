//! What is in texts and arrays, and where.

use super::{
    Caller, Entry, NOT_HERE, NativeResult, Value, each, int, items, property,
    range::{part, place},
    reads,
    text::{of, with_needle},
    visits,
};
use crate::engine::builtin::parts;

pub(super) const OF_TEXT: &[Entry] = &[
    reads("contains", 2, |_, this, arguments| ask(this, &arguments[0], |text, part| text.contains(part))),
    reads("starts_with", 2, |_, this, arguments| ask(this, &arguments[0], |text, part| text.starts_with(part))),
    reads("ends_with", 2, |_, this, arguments| ask(this, &arguments[0], |text, part| text.ends_with(part))),
    reads("index_of", 2, |_, this, arguments| Ok(index_in_text(of(this), &arguments[0], 0))),
    reads("index_of", 3, |_, this, arguments| {
        let [part, Value::Int(start)] = arguments else { return NOT_HERE };
        Ok(index_in_text(of(this), part, *start))
    }),
    reads("get", 2, |_, this, arguments| {
        let (text, [Value::Int(index)]) = (of(this), arguments) else { return NOT_HERE };
        let distance = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
        let character = if *index < 0 { text.chars().nth_back(distance - 1) } else { text.chars().nth(distance) };
        Ok(Some(character.map_or(Value::Unit, Value::Char)))
    }),
];

pub(super) const OF_LIST: &[Entry] = &[
    property("len", |_, this, _| Ok(Some(int(items(this).len())))),
    property("is_empty", |_, this, _| Ok(Some(Value::Bool(items(this).is_empty())))),
    reads("get", 2, |_, this, arguments| {
        let [Value::Int(index)] = *arguments else { return NOT_HERE };
        Ok(Some(items(this).get(place(items(this).len(), index)).cloned().unwrap_or_default()))
    }),
    reads("contains", 2, |_, this, arguments| Ok(position(items(this), &arguments[0], 0).map(|at| Value::Bool(at.is_some())))),
    visits("index_of", 2, |caller, this, arguments| index_in_list(caller, this, &arguments[0], 0)),
    visits("index_of", 3, |caller, this, arguments| {
        let [value, Value::Int(start)] = arguments else { return NOT_HERE };
        index_in_list(caller, this, value, *start)
    }),
    reads("extract", 2, |_, this, arguments| extract(this, arguments)),
    reads("extract", 3, |_, this, arguments| extract(this, arguments)),
];

fn ask(text: &Value, part: &Value, is_so: impl FnOnce(&str, &str) -> bool) -> NativeResult {
    Ok(with_needle(part, |part| Value::Bool(is_so(of(text), part))))
}

fn index_in_text(text: &str, part: &Value, start: i64) -> Option<Value> {
    with_needle(part, |part| Value::Int(parts::index_of(text, start, |rest| rest.find(part))))
}

/// Returns the first element from this index on that equals a value, if one does. None: Rhai is to be asked.
fn position(items: &[Value], value: &Value, start: i64) -> Option<Option<usize>> {
    for (index, item) in items.iter().enumerate().skip(place(items.len(), start)) {
        if item.equals(value)? {
            return Some(Some(index));
        }
    }
    Some(None)
}

fn index_in_list(caller: &mut dyn Caller, list: &mut Value, value: &Value, start: i64) -> NativeResult {
    if let Value::Function(_) = value {
        let from = place(items(list).len(), start);
        return each::first(caller, "index_of", list, value, from, |found| Value::Int(found.map_or(-1, |(index, _)| index as i64)));
    }
    // A text may be the name of a function that finds the element.
    if value.as_str().is_some() && !items(list).is_empty() {
        return NOT_HERE;
    }
    Ok(position(items(list), value, start).map(|at| at.map_or(Value::Int(-1), int)))
}

fn extract(list: &Value, arguments: &[Value]) -> NativeResult {
    let Some(span) = super::range::span(arguments) else { return NOT_HERE };
    let items = items(list);
    Ok(Some(Value::list(items[part(items.len(), span)].to_vec())))
}
