//! Blobs.

use std::rc::Rc;

use super::{
    DONE, Entry, NOT_HERE, NativeResult, Value, changes, int,
    pieces::collect,
    property,
    range::{part, place, span},
    reads,
};
use crate::engine::{builtin::bounded::too_large, own::limits::allowed};

pub(super) const OF_BLOB: &[Entry] = &[
    property("len", |_, this, _| Ok(Some(int(bytes(this).len())))),
    property("is_empty", |_, this, _| Ok(Some(Value::Bool(bytes(this).is_empty())))),
    reads("contains", 2, |_, this, arguments| Ok(byte(&arguments[0]).map(|byte| Value::Bool(bytes(this).contains(&byte))))),
    reads("get", 2, |_, this, arguments| {
        let [Value::Int(index)] = *arguments else { return NOT_HERE };
        Ok(Some(number(bytes(this).get(place(bytes(this).len(), index)).copied())))
    }),
    reads("to_array", 1, |_, this, _| collect(bytes(this).iter().map(|byte| Value::Int((*byte).into())))),
    reads("as_string", 1, |_, this, _| Ok(Some(Value::from_string(String::from_utf8_lossy(bytes(this)).into_owned())))),
    reads("extract", 2, |_, this, arguments| extract(this, arguments)),
    reads("extract", 3, |_, this, arguments| extract(this, arguments)),
    changes("set", 3, |_, this, arguments| {
        let ([Value::Int(index), _], Some(byte)) = (&*arguments, byte(&arguments[1])) else { return NOT_HERE };
        let at = place(bytes(this).len(), *index);
        if at < bytes(this).len() {
            edit(this, |bytes| bytes[at] = byte);
        }
        DONE
    }),
    changes("push", 2, |_, this, arguments| push(this, &arguments[0])),
    changes("append", 2, |_, this, arguments| match &arguments[0] {
        Value::Int(_) => push(this, &arguments[0]),
        Value::Blob(more) => append(this, more),
        Value::Char(character) => append(this, character.encode_utf8(&mut [0; 4]).as_bytes()),
        more => more.as_str().map_or(NOT_HERE, |text| append(this, text.as_bytes())),
    }),
    changes("insert", 3, |_, this, arguments| {
        let ([Value::Int(index), _], Some(byte)) = (&*arguments, byte(&arguments[1])) else { return NOT_HERE };
        let at = place(bytes(this).len(), *index);
        edit(this, |bytes| bytes.insert(at, byte));
        DONE
    }),
    changes("pad", 3, |_, this, arguments| {
        let ([Value::Int(length), _], Some(byte)) = (&*arguments, byte(&arguments[1])) else { return NOT_HERE };
        let length = usize::try_from(*length).unwrap_or(0);
        if length > allowed().array {
            return Err(too_large("Size of BLOB"));
        }
        if length > bytes(this).len() {
            edit(this, |bytes| bytes.resize(length, byte));
        }
        DONE
    }),
    changes("pop", 1, |_, this, _| Ok(Some(number(edit(this, Vec::pop).flatten())))),
    changes("shift", 1, |_, this, _| Ok(Some(remove(this, 0)))),
    changes("remove", 2, |_, this, arguments| {
        let [Value::Int(index)] = *arguments else { return NOT_HERE };
        // Unlike elsewhere, what is before the first byte is none.
        let is_there = index >= 0 || index.unsigned_abs() <= bytes(this).len() as u64;
        Ok(Some(if is_there { remove(this, place(bytes(this).len(), index)) } else { Value::Int(0) }))
    }),
    changes("clear", 1, |_, this, _| {
        *this = Value::blob(Vec::new());
        DONE
    }),
    changes("reverse", 1, |_, this, _| {
        edit(this, |bytes| bytes.reverse());
        DONE
    }),
    changes("truncate", 2, |_, this, arguments| {
        let [Value::Int(length)] = *arguments else { return NOT_HERE };
        edit(this, |bytes| bytes.truncate(usize::try_from(length).unwrap_or(0)));
        DONE
    }),
    changes("chop", 2, |_, this, arguments| {
        let [Value::Int(length)] = *arguments else { return NOT_HERE };
        let surplus = bytes(this).len().saturating_sub(usize::try_from(length).unwrap_or(0));
        edit(this, |bytes| drop(bytes.drain(..surplus)));
        DONE
    }),
    changes("split", 2, |_, this, arguments| {
        let [Value::Int(index)] = *arguments else { return NOT_HERE };
        let at = place(bytes(this).len(), index);
        Ok(Some(Value::blob(edit(this, |bytes| bytes.split_off(at)).unwrap_or_default())))
    }),
    changes("drain", 2, |_, this, arguments| drain(this, arguments)),
    changes("drain", 3, |_, this, arguments| drain(this, arguments)),
];

/// Returns the bytes that a receiver has: the tables ask for those of blobs alone.
fn bytes(receiver: &Value) -> &[u8] {
    match receiver {
        Value::Blob(bytes) => bytes,
        _ => &[],
    }
}

/// Changes a blob, in place if nobody else holds it.
fn edit<T>(receiver: &mut Value, change: impl FnOnce(&mut Vec<u8>) -> T) -> Option<T> {
    match receiver {
        Value::Blob(bytes) => Some(change(Rc::make_mut(bytes))),
        _ => None,
    }
}

/// Returns the byte that a number means: its lowest.
fn byte(value: &Value) -> Option<u8> {
    if let Value::Int(number) = *value { Some((number & 0xff) as u8) } else { None }
}

/// Nothing is 0.
fn number(byte: Option<u8>) -> Value {
    Value::Int(byte.unwrap_or(0).into())
}

fn push(receiver: &mut Value, value: &Value) -> NativeResult {
    let Some(byte) = byte(value) else { return NOT_HERE };
    edit(receiver, |bytes| bytes.push(byte));
    DONE
}

fn append(receiver: &mut Value, more: &[u8]) -> NativeResult {
    edit(receiver, |bytes| bytes.extend_from_slice(more));
    DONE
}

fn remove(receiver: &mut Value, index: usize) -> Value {
    let is_there = index < bytes(receiver).len();
    number(if is_there { edit(receiver, |bytes| bytes.remove(index)) } else { None })
}

fn extract(receiver: &Value, arguments: &[Value]) -> NativeResult {
    let Some(span) = span(arguments) else { return NOT_HERE };
    let bytes = bytes(receiver);
    Ok(Some(Value::blob(bytes[part(bytes.len(), span)].to_vec())))
}

fn drain(receiver: &mut Value, arguments: &[Value]) -> NativeResult {
    // A start needs a length here.
    let ([Value::Int(_), Value::Int(_)] | [Value::Other(_)]) = arguments else { return NOT_HERE };
    let Some(span) = span(arguments) else { return NOT_HERE };
    let part = part(bytes(receiver).len(), span);
    Ok(Some(Value::blob(edit(receiver, |bytes| bytes.drain(part).collect()).unwrap_or_default())))
}
