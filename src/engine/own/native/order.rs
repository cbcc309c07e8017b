//! Sorting.

use std::{
    any::TypeId,
    cmp::Ordering,
    panic::{AssertUnwindSafe, catch_unwind},
};

use rhai::{EvalAltResult, FnPtr, ImmutableString, Position};

use super::{Caller, DONE, Entry, NOT_HERE, NativeResult, Value, changes, each::function, edit, items, reads};
use crate::engine::{builtin::bounded::error, meter};

pub(super) const OF_LIST: &[Entry] = &[
    changes("sort", 1, |_, this, _| sort(this, |order| order)),
    changes("sort_desc", 1, |_, this, _| sort(this, Ordering::reverse)),
    reads("order", 1, |_, this, _| sorted(this, |list| sort(list, |order| order))),
    reads("order_desc", 1, |_, this, _| sorted(this, |list| sort(list, Ordering::reverse))),
    changes("sort", 2, |caller, this, arguments| sort_by(caller, this, &arguments[0])),
    changes("sort_by", 2, |caller, this, arguments| sort_by(caller, this, &arguments[0])),
    reads("order", 2, |caller, this, arguments| sorted(this, |list| sort_by(caller, list, &arguments[0]))),
    reads("order_by", 2, |caller, this, arguments| sorted(this, |list| sort_by(caller, list, &arguments[0]))),
];

/// Sorts a copy.
fn sorted(list: &Value, sort: impl FnOnce(&mut Value) -> NativeResult) -> NativeResult {
    let mut list = list.clone();
    Ok(sort(&mut list)?.map(|_| list))
}

fn sort(list: &mut Value, direction: fn(Ordering) -> Ordering) -> NativeResult {
    let [first, .., _] = items(list) else { return DONE };
    let compare: fn(&Value, &Value) -> Ordering = match first {
        Value::Int(_) => |one, other| match (one, other) {
            (Value::Int(one), Value::Int(other)) => one.cmp(other),
            _ => Ordering::Equal,
        },
        Value::Float(_) => |one, other| match (one, other) {
            (Value::Float(one), Value::Float(other)) => one.partial_cmp(other).unwrap_or(Ordering::Equal),
            _ => Ordering::Equal,
        },
        Value::Char(_) => |one, other| match (one, other) {
            (Value::Char(one), Value::Char(other)) => one.cmp(other),
            _ => Ordering::Equal,
        },
        Value::Bool(_) => |one, other| match (one, other) {
            (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
            _ => Ordering::Equal,
        },
        Value::Short(_) | Value::Long(_) => |one, other| one.as_str().cmp(&other.as_str()),
        Value::Unit => |_, _| Ordering::Equal,
        // They cannot be sorted, and Rhai says so with the name of their type.
        _ => return NOT_HERE,
    };
    if items(list).iter().any(|item| type_id(item) != type_id(first)) {
        let message = "elements of different types cannot be sorted".into();
        return Err(EvalAltResult::ErrorFunctionNotFound(message, Position::NONE).into());
    }
    reorder(list, |one, other| direction(compare(one, other)))
}

fn sort_by(caller: &mut dyn Caller, list: &mut Value, comparator: &Value) -> NativeResult {
    let Some(comparator) = function(comparator) else { return NOT_HERE };
    reorder(list, |one, other| {
        // The sorting goes on when a comparison fails; after a stop it must end.
        if meter::is_stopped() {
            return Ordering::Equal;
        }
        match caller.call(comparator, None, &mut [one.clone(), other.clone()]) {
            Ok(Value::Int(order)) => order.cmp(&0),
            Ok(Value::Bool(true)) => Ordering::Less,
            Ok(Value::Bool(false)) => Ordering::Greater,
            // What Rhai does where there is no answer.
            _ => type_id(one).cmp(&type_id(other)),
        }
    })
}

fn reorder(list: &mut Value, mut compare: impl FnMut(&Value, &Value) -> Ordering) -> NativeResult {
    // The standard library may panic where the order is none.
    let mut sort = || edit(list, |list| list.reorder(|items| items.sort_by(&mut compare)));
    match catch_unwind(AssertUnwindSafe(&mut sort)) {
        Ok(_) => DONE,
        Err(_) => Err(error("error in comparer for sorting")),
    }
}

/// Returns what Rhai knows the type by.
fn type_id(value: &Value) -> TypeId {
    match value {
        Value::Unit => TypeId::of::<()>(),
        Value::Bool(_) => TypeId::of::<bool>(),
        Value::Int(_) => TypeId::of::<i64>(),
        Value::Float(_) => TypeId::of::<f64>(),
        Value::Char(_) => TypeId::of::<char>(),
        Value::Short(_) | Value::Long(_) => TypeId::of::<ImmutableString>(),
        Value::List(_) => TypeId::of::<rhai::Array>(),
        Value::Map(_) => TypeId::of::<rhai::Map>(),
        Value::Blob(_) => TypeId::of::<rhai::Blob>(),
        Value::Function(_) => TypeId::of::<FnPtr>(),
        Value::Shared(shared) => type_id(&shared.borrow()),
        Value::Other(value) => value.type_id(),
    }
}
