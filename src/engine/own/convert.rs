//! To and from Rhai's values.

use std::{cell::Cell, rc::Rc};

use rhai::{Array, Blob, Dynamic, FnPtr, ImmutableString};

use super::{Function, Shared, Value};

/// How a pointer to a compiled function becomes one that Rhai can call, and comes back.
#[derive(Clone, Copy)]
pub struct Pointers {
    /// Makes Rhai's of it.
    pub to_rhai: fn(&Rc<Function>) -> Option<FnPtr>,
    /// Returns the one that this was made of.
    pub from_rhai: fn(&FnPtr) -> Option<Rc<Function>>,
}

thread_local! {
    static POINTERS: Cell<Option<Pointers>> = const { Cell::new(None) };
}

/// Says how pointers are converted on this thread from now on, and returns what was before.
pub fn convert_pointers(pointers: Option<Pointers>) -> Option<Pointers> {
    POINTERS.replace(pointers)
}

impl Value {
    /// Takes a value of Rhai's; of a shared one, a copy of what it holds.
    pub fn of(value: Dynamic) -> Self {
        let value = value.flatten();
        if let Some(scalar) = scalar(&value) {
            return scalar;
        }
        if value.is_array() {
            return Self::list(value.into_array().unwrap_or_default().into_iter().map(Self::of).collect());
        }
        if value.is_map() {
            let map = value.try_cast::<rhai::Map>().unwrap_or_default();
            return Self::Map(Rc::new(map.into_iter().map(|(key, value)| (key, Self::of(value))).collect()));
        }
        if value.is_blob() {
            return Self::blob(value.into_blob().unwrap_or_default());
        }
        Self::of_other(&value)
    }

    /// Takes a copy of a value of Rhai's; of a shared one, of what it holds.
    pub fn of_ref(value: &Dynamic) -> Self {
        if let Some(scalar) = scalar(value) {
            return scalar;
        }
        if let Some(array) = value.read_lock::<Array>() {
            Self::list(array.iter().map(Self::of_ref).collect())
        } else if let Some(map) = value.read_lock::<rhai::Map>() {
            Self::Map(Rc::new(map.iter().map(|(key, value)| (key, Self::of_ref(value))).collect()))
        } else if let Some(bytes) = value.read_lock::<Blob>() {
            Self::blob(bytes.clone())
        } else {
            Self::of_other(value)
        }
    }

    fn of_other(value: &Dynamic) -> Self {
        match value.read_lock::<FnPtr>() {
            Some(pointer) => Self::Function(Function::of(&pointer)),
            None => Self::Other(Rc::new(value.flatten_clone())),
        }
    }

    /// Makes a value of Rhai's. A shared variable becomes a copy of what it holds.
    pub fn into_rhai(self) -> Dynamic {
        match self {
            Self::List(list) => match Rc::try_unwrap(list) {
                Ok(list) => Dynamic::from_array(list.into_items().into_iter().map(Self::into_rhai).collect()),
                Err(list) => Self::List(list).to_rhai(),
            },
            Self::Long(text) => match Rc::try_unwrap(text) {
                Ok(text) => text.into(),
                Err(text) => text.as_str().into(),
            },
            Self::Blob(bytes) => Dynamic::from_blob(Rc::unwrap_or_clone(bytes)),
            Self::Other(value) => Rc::unwrap_or_clone(value),
            value => value.to_rhai(),
        }
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
            Self::Function(function) => Function::to_rhai(function),
            Self::Shared(shared) => shared.get().to_rhai(),
            Self::Other(value) => Dynamic::clone(value),
        }
    }
}

/// Takes a value that holds no others.
#[inline]
fn scalar(value: &Dynamic) -> Option<Value> {
    if let Ok(number) = value.as_int() {
        Some(Value::Int(number))
    } else if let Some(text) = value.read_lock::<ImmutableString>() {
        Some(Value::text(&text))
    } else if value.is_unit() {
        Some(Value::Unit)
    } else if let Ok(truth) = value.as_bool() {
        Some(Value::Bool(truth))
    } else if let Ok(number) = value.as_float() {
        Some(Value::Float(number))
    } else {
        value.as_char().ok().map(Value::Char)
    }
}

impl Function {
    /// Takes a pointer of Rhai's. It keeps it, since only Rhai can call it, and since what it has captured is shared with others.
    fn of(pointer: &FnPtr) -> Rc<Self> {
        if let Some(function) = POINTERS.get().and_then(|pointers| (pointers.from_rhai)(pointer)) {
            return function;
        }
        let curried = pointer.iter_curry().map(|value| match value.is_shared() {
            true => Value::Shared(Rc::new(Shared::new(Value::of_ref(value)))),
            false => Value::of_ref(value),
        });
        Rc::new(Self::new(pointer.fn_name().into(), None, curried.collect(), Some(pointer.clone())))
    }

    fn to_rhai(function: &Rc<Self>) -> Dynamic {
        let converted = || POINTERS.get().and_then(|pointers| (pointers.to_rhai)(function));
        if let Some(pointer) = function.native.clone().or_else(converted) {
            return pointer.into();
        }
        // Outside of a run nobody can call it. It has a name, if it is one that Rhai allows, and what it was curried with. What it has
        // captured may hold itself.
        let mut pointer = FnPtr::new(function.name.clone()).unwrap_or_else(|_| nameless());
        pointer.set_curry(function.curried().iter().filter(|value| !value.is_shared()).map(Value::to_rhai));
        pointer.into()
    }
}

fn nameless() -> FnPtr {
    FnPtr::new("closure").expect("the name is an identifier")
}
