//! Texts and characters: what they are like, and what changes all of one.

use super::{DONE, Entry, NOT_HERE, NativeResult, Value, changes, int, property, range::span, reads};
use crate::engine::{
    builtin::{pad, parts},
    own::limits::longest,
};

pub(super) const OF_TEXT: &[Entry] = &[
    property("len", |_, this, _| Ok(Some(int(count(of(this)))))),
    property("is_empty", |_, this, _| Ok(Some(Value::Bool(of(this).is_empty())))),
    property("bytes", |_, this, _| Ok(Some(int(of(this).len())))),
    reads("to_upper", 1, |_, this, _| Ok(Some(upper(of(this)).map_or_else(|| this.clone(), Value::from_string)))),
    reads("to_lower", 1, |_, this, _| Ok(Some(lower(of(this)).map_or_else(|| this.clone(), Value::from_string)))),
    changes("make_upper", 1, |_, this, _| replace(this, upper)),
    changes("make_lower", 1, |_, this, _| replace(this, lower)),
    changes("trim", 1, |_, this, _| {
        replace(this, |text| {
            let trimmed = text.trim();
            (trimmed.len() < text.len()).then(|| trimmed.to_owned())
        })
    }),
    changes("clear", 1, |_, this, _| {
        *this = Value::text("");
        DONE
    }),
    changes("truncate", 2, |_, this, arguments| {
        let [Value::Int(length)] = *arguments else { return NOT_HERE };
        replace(this, |text| {
            let end = parts::part(text, 0, length).end;
            (end < text.len()).then(|| text[..end].to_owned())
        })
    }),
    changes("crop", 2, |_, this, arguments| crop(this, arguments)),
    changes("crop", 3, |_, this, arguments| crop(this, arguments)),
    changes("pop", 1, |_, this, _| {
        let Some(last) = of(this).chars().next_back() else { return DONE };
        let rest = Value::text(&of(this)[..of(this).len() - last.len_utf8()]);
        *this = rest;
        Ok(Some(Value::Char(last)))
    }),
    changes("pop", 2, |_, this, arguments| {
        let [Value::Int(length)] = *arguments else { return NOT_HERE };
        if length <= 0 {
            return Ok(Some(Value::text("")));
        }
        let (rest, end) = of(this).split_at(parts::part(of(this), length.saturating_neg(), 0).start);
        let (rest, end) = (Value::text(rest), Value::text(end));
        *this = rest;
        Ok(Some(end))
    }),
    changes("set", 3, |_, this, arguments| {
        let [Value::Int(index), Value::Char(character)] = *arguments else { return NOT_HERE };
        replace(this, |text| {
            // Unlike elsewhere, what is before the first character is none.
            let is_there = index >= 0 || index.unsigned_abs() <= count(text) as u64;
            let at = if is_there { parts::part(text, index, 1) } else { 0..0 };
            (!at.is_empty()).then(|| [&text[..at.start], character.encode_utf8(&mut [0; 4]), &text[at.end..]].concat())
        })
    }),
    changes("append", 2, |_, this, arguments| match &arguments[0] {
        Value::Blob(bytes) => append(this, &String::from_utf8_lossy(bytes)),
        Value::List(_) | Value::Map(_) | Value::Function(_) | Value::Other(_) => NOT_HERE,
        item => match item.as_str() {
            Some(text) => append(this, text),
            None => {
                let mut text = String::new();
                if item.print(&mut text, longest()) { append(this, &text) } else { NOT_HERE }
            }
        },
    }),
    changes("pad", 3, |_, this, arguments| {
        let [Value::Int(length), with] = arguments else { return NOT_HERE };
        let Some(padding) = with_needle(with, |with| pad::padding(of(this), *length, with, longest())) else {
            return NOT_HERE;
        };
        append(this, &padding?)
    }),
    reads("max", 2, |_, this, arguments| Ok(greater(this, &arguments[0]).map(|is| if is { this } else { &arguments[0] }.clone()))),
    reads("min", 2, |_, this, arguments| Ok(greater(&arguments[0], this).map(|is| if is { this } else { &arguments[0] }.clone()))),
];

pub(super) const OF_CHAR: &[Entry] = &[
    reads("to_upper", 1, |_, this, _| Ok(character(this, |character| alone(character.to_uppercase(), character)))),
    reads("to_lower", 1, |_, this, _| Ok(character(this, |character| alone(character.to_lowercase(), character)))),
    changes("make_upper", 1, |_, this, _| change_character(this, |character| alone(character.to_uppercase(), character))),
    changes("make_lower", 1, |_, this, _| change_character(this, |character| alone(character.to_lowercase(), character))),
    reads("to_int", 1, |_, this, _| match *this {
        Value::Char(character) => Ok(Some(Value::Int(u32::from(character).into()))),
        _ => NOT_HERE,
    }),
    reads("max", 2, |_, this, arguments| Ok(either(this, &arguments[0], char::max))),
    reads("min", 2, |_, this, arguments| Ok(either(this, &arguments[0], char::min))),
];

/// Returns the text that a receiver is: the tables ask for one of no other.
pub(super) fn of(receiver: &Value) -> &str {
    receiver.as_str().unwrap_or_default()
}

/// Returns how many characters a text has.
pub(super) fn count(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

/// Calls with the text that is looked for or put in: a text or a character.
pub(super) fn with_needle<T>(value: &Value, call: impl FnOnce(&str) -> T) -> Option<T> {
    match value {
        Value::Char(character) => Some(call(character.encode_utf8(&mut [0; 4]))),
        value => value.as_str().map(call),
    }
}

fn upper(text: &str) -> Option<String> {
    (!text.chars().all(char::is_uppercase)).then(|| text.to_uppercase())
}

fn lower(text: &str) -> Option<String> {
    (!text.chars().all(char::is_lowercase)).then(|| text.to_lowercase())
}

fn replace(receiver: &mut Value, with: impl FnOnce(&str) -> Option<String>) -> NativeResult {
    if let Some(text) = with(of(receiver)) {
        *receiver = Value::from_string(text);
    }
    DONE
}

fn crop(receiver: &mut Value, arguments: &[Value]) -> NativeResult {
    let Some((start, length)) = span(arguments) else { return NOT_HERE };
    replace(receiver, |text| Some(text[parts::part(text, start, length)].to_owned()))
}

fn append(receiver: &mut Value, text: &str) -> NativeResult {
    if receiver.push_str(text) { DONE } else { NOT_HERE }
}

/// Whether a text is not before another.
fn greater(left: &Value, right: &Value) -> Option<bool> {
    Some(left.as_str()? >= right.as_str()?)
}

fn character(value: &Value, change: impl FnOnce(char) -> char) -> Option<Value> {
    let Value::Char(character) = *value else { return None };
    Some(Value::Char(change(character)))
}

fn change_character(receiver: &mut Value, change: impl FnOnce(char) -> char) -> NativeResult {
    let Some(changed) = character(receiver, change) else { return NOT_HERE };
    *receiver = changed;
    DONE
}

fn either(left: &Value, right: &Value, choose: impl FnOnce(char, char) -> char) -> Option<Value> {
    let (Value::Char(left), Value::Char(right)) = (left, right) else { return None };
    Some(Value::Char(choose(*left, *right)))
}

/// Returns the one character that another becomes, or this other if there are more.
fn alone(mut becomes: impl Iterator<Item = char>, character: char) -> char {
    match (becomes.next(), becomes.next()) {
        (Some(one), None) => one,
        _ => character,
    }
}
