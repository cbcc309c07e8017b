//! Values of Rhai as host functions see them, and back.

use rhai::{Array, Blob, Dynamic, EvalAltResult, FnPtr};

use crate::engine::{
    meter, own,
    value::{
        MAX_DEPTH,
        plain::{Closure, Map, Object, Other, Value},
    },
};

/// A value on its way, or the error that a script sees.
type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

/// Stops a value that grows past the memory of its run: between two operations nobody else looks.
fn has_memory() -> Result<()> {
    if meter::has_memory() { Ok(()) } else { Err(EvalAltResult::ErrorTerminated(Dynamic::UNIT, rhai::Position::NONE).into()) }
}

/// Takes a value out of Rhai.
pub fn from_rhai(value: Dynamic) -> Result<Value> {
    from_rhai_at(value, 0)
}

fn from_rhai_at(value: Dynamic, depth: usize) -> Result<Value> {
    if depth > MAX_DEPTH {
        return Err(format!("a value is nested deeper than {MAX_DEPTH}, or holds itself").into());
    }
    // What is shared is copied.
    let value = value.flatten();
    if value.is_unit() {
        return Ok(Value::Unit);
    }
    if value.is_string() {
        return Ok(Value::Text(value.into_immutable_string().unwrap_or_default()));
    }
    if let Ok(number) = value.as_int() {
        return Ok(Value::Int(number));
    }
    if let Ok(number) = value.as_float() {
        return Ok(Value::Float(number));
    }
    if let Ok(truth) = value.as_bool() {
        return Ok(Value::Bool(truth));
    }
    if let Ok(character) = value.as_char() {
        return Ok(Value::Text(character.to_string().into()));
    }
    if value.is_map() {
        let mut map = Map::new();
        for (key, value) in value.try_cast::<rhai::Map>().unwrap_or_default() {
            map.insert(key, from_rhai_at(value, depth + 1)?);
            has_memory()?;
        }
        return Ok(Value::Map(map));
    }
    if value.is_array() {
        let mut items = Vec::new();
        for item in value.try_cast::<Array>().unwrap_or_default() {
            items.push(from_rhai_at(item, depth + 1)?);
            has_memory()?;
        }
        return Ok(Value::Array(items));
    }
    if value.is_blob() {
        return Ok(Value::Blob(value.try_cast::<Blob>().unwrap_or_default()));
    }
    if value.is_fnptr() {
        return value.try_cast::<FnPtr>().map(|closure| Value::Closure(Closure(closure))).ok_or_else(|| "it is no function".into());
    }
    Ok(match value.try_cast_result::<Object>() {
        Ok(object) => Value::Object(object),
        Err(other) => Value::Other(Other(other)),
    })
}

/// Gives a value to Rhai.
pub fn to_rhai(value: Value) -> Result<Dynamic> {
    Ok(match value {
        Value::Unit => Dynamic::UNIT,
        Value::Bool(truth) => Dynamic::from_bool(truth),
        Value::Int(number) => Dynamic::from_int(number),
        Value::Float(number) => Dynamic::from_float(number),
        Value::Text(text) => text.into(),
        Value::Blob(bytes) => Dynamic::from_blob(bytes),
        Value::Array(items) => {
            let mut array = Array::new();
            for item in items {
                array.push(to_rhai(item)?);
                has_memory()?;
            }
            Dynamic::from_array(array)
        }
        Value::Map(map) => {
            let mut entries = rhai::Map::new();
            for (key, value) in map {
                entries.insert(key, to_rhai(value)?);
                has_memory()?;
            }
            Dynamic::from_map(entries)
        }
        Value::Object(object) => Dynamic::from(object),
        Value::Closure(Closure(closure)) => Dynamic::from(closure),
        Value::Other(Other(other)) => other,
    })
}

/// Takes a value of a run.
pub fn from_own(value: own::Value) -> Result<Value> {
    from_own_at(value, 0)
}

fn from_own_at(value: own::Value, depth: usize) -> Result<Value> {
    if depth > MAX_DEPTH {
        return Err(format!("a value is nested deeper than {MAX_DEPTH}, or holds itself").into());
    }
    Ok(match value.flatten() {
        own::Value::Unit => Value::Unit,
        own::Value::Bool(truth) => Value::Bool(truth),
        own::Value::Int(number) => Value::Int(number),
        own::Value::Float(number) => Value::Float(number),
        own::Value::Char(character) => Value::Text(character.to_string().into()),
        own::Value::Short(text) => Value::Text(text.as_str().into()),
        own::Value::Long(text) => Value::Text(text.as_str().into()),
        own::Value::Blob(bytes) => Value::Blob(bytes.to_vec()),
        own::Value::List(list) => {
            let mut items = Vec::new();
            for item in list.iter() {
                items.push(from_own_at(item.clone(), depth + 1)?);
                has_memory()?;
            }
            Value::Array(items)
        }
        own::Value::Map(entries) => {
            let mut map = Map::new();
            for (key, value) in entries.iter() {
                map.insert(key.into(), from_own_at(value.clone(), depth + 1)?);
                has_memory()?;
            }
            Value::Map(map)
        }
        other => return from_rhai_at(other.into_rhai(), depth),
    })
}

/// Gives a value to a run.
pub fn to_own(value: Value) -> Result<own::Value> {
    Ok(match value {
        Value::Unit => own::Value::Unit,
        Value::Bool(truth) => own::Value::Bool(truth),
        Value::Int(number) => own::Value::Int(number),
        Value::Float(number) => own::Value::Float(number),
        Value::Text(text) => text.as_str().into(),
        Value::Blob(bytes) => own::Value::blob(bytes),
        Value::Array(items) => {
            let mut list = Vec::new();
            for item in items {
                list.push(to_own(item)?);
                has_memory()?;
            }
            own::Value::list(list)
        }
        Value::Map(map) => {
            let mut entries = own::Map::default();
            for (key, value) in map {
                entries.insert(&key, to_own(value)?);
                has_memory()?;
            }
            own::Value::Map(entries.into())
        }
        other => own::Value::of(to_rhai(other)?),
    })
}
