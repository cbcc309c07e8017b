//! Object maps.

use std::rc::Rc;

use super::{Caller, DONE, Entry, Failure, NOT_HERE, NativeResult, Value, Visit, changes, each::function, int, is_same, reads, visits};
use crate::engine::own::Map;

pub(super) const OF_MAP: &[Entry] = &[
    reads("len", 1, |_, this, _| Ok(map(this).map(|map| int(map.len())))),
    reads("is_empty", 1, |_, this, _| Ok(map(this).map(|map| Value::Bool(map.is_empty())))),
    reads("contains", 2, |_, this, arguments| Ok(of_key(this, arguments, |map, key| Value::Bool(map.get(key).is_some())))),
    reads("get", 2, |_, this, arguments| Ok(of_key(this, arguments, |map, key| map.get(key).cloned().unwrap_or_default()))),
    reads("keys", 1, |_, this, _| Ok(map(this).map(|map| Value::list(map.keys().map(Value::text).collect())))),
    reads("values", 1, |_, this, _| Ok(map(this).map(|map| Value::list(map.values().cloned().collect())))),
    changes("set", 3, |_, this, arguments| {
        let ([key, value], Value::Map(map)) = (arguments, this) else { return NOT_HERE };
        let Some(key) = key.as_str() else { return NOT_HERE };
        Rc::make_mut(map).insert(key, std::mem::take(value));
        DONE
    }),
    changes("remove", 2, |_, this, arguments| {
        let (Some(key), Value::Map(map)) = (arguments[0].as_str(), this) else { return NOT_HERE };
        // To look first spares a copy.
        let is_there = map.get(key).is_some();
        Ok(Some(if is_there { Rc::make_mut(map).remove(key).unwrap_or_default() } else { Value::Unit }))
    }),
    changes("clear", 1, |_, this, _| {
        *this = of_map(Map::default());
        DONE
    }),
    changes("mixin", 2, |_, this, arguments| {
        let (Value::Map(map), [Value::Map(more)]) = (this, arguments) else { return NOT_HERE };
        if !more.is_empty() {
            mix(Rc::make_mut(map), more);
        }
        DONE
    }),
    changes("fill_with", 2, |_, this, arguments| {
        let (Value::Map(map), [Value::Map(more)]) = (&mut *this, &*arguments) else { return NOT_HERE };
        if map.is_empty() {
            *this = arguments[0].clone();
            return DONE;
        }
        if more.iter().any(|(key, _)| map.get(key).is_none()) {
            let map = Rc::make_mut(map);
            for (key, value) in more.iter() {
                if map.get(key).is_none() {
                    map.insert(key, value.clone());
                }
            }
        }
        DONE
    }),
    // Rhai's name for both is `filter`.
    visits("map", 2, |caller, this, arguments| {
        let Some(function) = function(&arguments[0]) else { return NOT_HERE };
        let mut results = Map::default();
        each(caller, "filter", this, function, |key, _, result| drop(results.insert(key, result)))?;
        Ok(Some(of_map(results)))
    }),
    visits("filter", 2, |caller, this, arguments| {
        let Some(function) = function(&arguments[0]) else { return NOT_HERE };
        let mut found = Map::default();
        each(caller, "filter", this, function, |key, value, result| {
            if matches!(result, Value::Bool(true)) {
                found.insert(key, value.clone());
            }
        })?;
        Ok(Some(of_map(found)))
    }),
    changes("drain", 2, |caller, this, arguments| select(caller, "drain", this, &arguments[0], true)),
    changes("retain", 2, |caller, this, arguments| select(caller, "retain", this, &arguments[0], false)),
];

fn of_map(map: Map) -> Value {
    Value::Map(Rc::new(map))
}

fn map(receiver: &Value) -> Option<&Map> {
    match receiver {
        Value::Map(map) => Some(map),
        _ => None,
    }
}

fn of_key(receiver: &Value, arguments: &[Value], answer: impl FnOnce(&Map, &str) -> Value) -> Option<Value> {
    Some(answer(map(receiver)?, arguments.first()?.as_str()?))
}

fn mix(map: &mut Map, more: &Map) {
    for (key, value) in more.iter() {
        map.insert(key, value.clone());
    }
}

/// Calls a function for each entry, which gets the value as `this` or as its second argument, behind the key.
fn each(
    caller: &mut dyn Caller,
    name: &str,
    receiver: &mut Value,
    function: &Value,
    mut then: impl FnMut(&str, &Value, Value),
) -> Result<(), Failure> {
    let Value::Map(map) = receiver else { return Ok(()) };
    let entries = map.clone();
    for (key, before) in entries.iter() {
        let mut value = before.clone();
        let result = caller.visit(Visit {
            native: name,
            function,
            this: Some(&mut value),
            arguments: &mut [Value::text(key)],
            index: None,
            this_at: Some(1),
        });
        if !is_same(&value, before) {
            Rc::make_mut(map).insert(key, value.clone());
        }
        then(key, &value, result?);
    }
    Ok(())
}

/// Takes the entries out for which a function says this.
fn select(caller: &mut dyn Caller, name: &str, receiver: &mut Value, argument: &Value, taken: bool) -> NativeResult {
    let (Some(function), Value::Map(all)) = (function(argument), &*receiver) else { return NOT_HERE };
    let (all, mut seen, mut out) = (all.clone(), 0, Map::default());
    let result = each(caller, name, receiver, function, |key, value, result| {
        seen += 1;
        if matches!(result, Value::Bool(true)) == taken {
            out.insert(key, value.clone());
        }
    });
    // Rhai loses the entry for which the function fails.
    let lost = if result.is_err() { all.keys().nth(seen) } else { None };
    if let Value::Map(map) = receiver
        && (lost.is_some() || !out.is_empty())
    {
        let map = Rc::make_mut(map);
        out.keys().chain(lost).for_each(|key| drop(map.remove(key)));
    }
    result.map(|()| Some(of_map(out)))
}
