//! To and from Rhai's values.

use std::rc::Rc;

use rhai::{Dynamic, FnPtr};

use super::{Function, Map, Shared, Value};

impl Value {
    /// Takes a value of Rhai's.
    pub fn of(value: Dynamic) -> Self {
        if let Ok(number) = value.as_int() {
            Self::Int(number)
        } else if let Ok(truth) = value.as_bool() {
            Self::Bool(truth)
        } else if value.is_unit() {
            Self::Unit
        } else if let Ok(number) = value.as_float() {
            Self::Float(number)
        } else if let Ok(character) = value.as_char() {
            Self::Char(character)
        } else if let Ok(text) = value.as_immutable_string_ref() {
            Self::text(&text)
        } else if let Ok(items) = value.as_array_ref() {
            Self::list(items.iter().cloned().map(Self::of).collect())
        } else if let Ok(entries) = value.as_map_ref() {
            Self::Map(Rc::new(entries.iter().map(|(key, value)| (key.to_string(), Self::of(value.clone()))).collect::<Map>()))
        } else if let Ok(bytes) = value.as_blob_ref() {
            Self::blob(bytes.clone())
        } else if let Some(function) = value.read_lock::<FnPtr>() {
            let curried = function.iter_curry().map(|value| match value.is_shared() {
                true => Self::Shared(Rc::new(Shared::new(Self::of(value.flatten_clone())))),
                false => Self::of(value.clone()),
            });
            Self::Function(Rc::new(Function { name: function.fn_name().into(), target: None, curried: curried.collect(), native: None }))
        } else {
            Self::Other(Rc::new(value.flatten_clone()))
        }
    }

    /// Makes a value of Rhai's.
    pub fn into_rhai(self) -> Dynamic {
        self.to_rhai()
    }

    /// Makes a value of Rhai's of a copy.
    pub fn to_rhai(&self) -> Dynamic {
        match self {
            Self::Unit => Dynamic::UNIT,
            Self::Bool(truth) => (*truth).into(),
            Self::Int(number) => (*number).into(),
            Self::Float(number) => (*number).into(),
            Self::Char(character) => (*character).into(),
            Self::Short(text) => text.as_str().into(),
            Self::Long(text) => text.as_str().into(),
            Self::List(list) => Dynamic::from_array(list.iter().map(Self::to_rhai).collect()),
            Self::Map(map) => Dynamic::from_map(map.iter().map(|(key, value)| (key.into(), value.to_rhai())).collect()),
            Self::Blob(bytes) => Dynamic::from_blob(bytes.to_vec()),
            Self::Function(function) => function.to_rhai(),
            Self::Shared(shared) => shared.borrow().to_rhai(),
            Self::Other(value) => Dynamic::clone(value),
        }
    }
}

impl Function {
    fn to_rhai(&self) -> Dynamic {
        if let Some(native) = &self.native {
            return native.clone().into();
        }
        let Ok(mut pointer) = FnPtr::new(self.name.clone()) else { return Dynamic::UNIT };
        pointer.set_curry(self.curried.iter().map(Value::to_rhai));
        pointer.into()
    }
}
