//! The values of a run: counted, and copied when written to.
//!
//! Rhai copies a value wherever it is passed or assigned. These are passed by count, and who writes to one that others hold copies it first,
//! so scripts see the same. They belong to one thread. A [`Value`] has 16 bytes, with texts of up to 14 bytes inside of it.

mod builder;
mod convert;
mod drop;
mod equality;
mod function;
pub mod json;
mod key;
pub mod limits;
mod list;
mod map;
pub mod native;
mod numbers;
mod operators;
pub mod path;
mod print;
mod scan;
mod shapes;
mod shared;
mod sizes;
#[cfg(test)]
mod tests;
mod text;

use std::rc::Rc;

use rhai::{Dynamic, EvalAltResult};

pub use builder::Builder;
pub use convert::{Pointers, convert_pointers};
pub use function::{Function, Target};
pub use key::{Key, Keys};
pub use list::List;
pub use map::Map;
pub use numbers::compare as compare_floats;
pub use operators::{assign, binary};
pub use shapes::end_run;
pub use shared::Shared;
pub use text::Short;

/// An error of Rhai's. Functions of values leave its place open: who calls them sets it as Rhai does.
pub type Failure = Box<EvalAltResult>;

/// A value.
#[derive(Default)]
pub enum Value {
    /// `()`
    #[default]
    Unit,
    /// `true`, `false`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a point.
    Float(f64),
    /// A character.
    Char(char),
    /// A text of at most 14 bytes. Longer ones are never here.
    Short(Short),
    /// A text of more than 14 bytes, or one that was longer before.
    Long(Rc<String>),
    /// An array.
    List(Rc<List>),
    /// An object map.
    Map(Rc<Map>),
    /// Bytes.
    Blob(Rc<Vec<u8>>),
    /// A pointer to a function, with the arguments it was curried with.
    Function(Rc<Function>),
    /// A variable that closures have captured. It stands in variables and among the arguments of functions, in no array or map.
    Shared(Rc<Shared>),
    /// Any other value of Rhai: a range, a timestamp, a value of the host.
    Other(Rc<Dynamic>),
}

const _: () = assert!(size_of::<Value>() == 16);
const _: () = assert!(size_of::<Result<Value, Option<Failure>>>() == 16);

/// Numbers are copied where they are read; the rest is out of line.
impl Clone for Value {
    #[inline(always)]
    fn clone(&self) -> Self {
        match self {
            Self::Int(number) => Self::Int(*number),
            Self::Float(number) => Self::Float(*number),
            Self::Bool(truth) => Self::Bool(*truth),
            other => other.copy(),
        }
    }
}

impl Value {
    #[inline(never)]
    fn copy(&self) -> Self {
        match self {
            Self::Unit => Self::Unit,
            Self::Bool(truth) => Self::Bool(*truth),
            Self::Int(number) => Self::Int(*number),
            Self::Float(number) => Self::Float(*number),
            Self::Char(character) => Self::Char(*character),
            Self::Short(text) => Self::Short(*text),
            Self::Long(text) => Self::Long(text.clone()),
            Self::List(list) => Self::List(list.clone()),
            Self::Map(map) => Self::Map(map.clone()),
            Self::Blob(bytes) => Self::Blob(bytes.clone()),
            Self::Function(function) => Self::Function(function.clone()),
            Self::Shared(shared) => Self::Shared(shared.clone()),
            Self::Other(value) => Self::Other(value.clone()),
        }
    }

    /// Makes an array.
    pub fn list(items: Vec<Self>) -> Self {
        Self::List(Rc::new(List::from(items)))
    }

    /// Makes a blob.
    pub fn blob(bytes: Vec<u8>) -> Self {
        Self::Blob(Rc::new(bytes))
    }

    /// Returns the whole number that this is.
    #[inline(always)]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns the map that this is.
    #[inline(always)]
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Whether this is a shared variable.
    #[inline(always)]
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(_))
    }

    /// Whether this is `()`. A shared variable is not, whatever it holds.
    #[inline(always)]
    pub fn is_unit(&self) -> bool {
        matches!(self, Self::Unit)
    }

    /// Returns the value itself, of a shared variable a copy of what it holds.
    #[inline(always)]
    pub fn flatten(self) -> Self {
        match self {
            Self::Shared(shared) => shared.get(),
            value => value,
        }
    }

    /// Returns a copy of the value, of a shared variable a copy of what it holds.
    #[inline(always)]
    pub fn get(&self) -> Self {
        match self {
            Self::Shared(shared) => shared.get(),
            value => value.clone(),
        }
    }

    /// Calls with the value, of a shared variable with what it holds.
    #[inline]
    pub fn with<T>(&self, read: impl FnOnce(&Self) -> T) -> T {
        match self {
            Self::Shared(shared) => read(&shared.borrow()),
            value => read(value),
        }
    }

    /// Puts a value in the place of this one; a shared variable holds it from now on.
    #[inline]
    pub fn set(&mut self, value: Self) {
        match self {
            Self::Shared(shared) => shared.set(value),
            place => *place = value,
        }
    }

    /// Returns the name of its type, as Rhai knows it: the engine may have another name for a type of the host.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Unit => "()",
            Self::Bool(_) => "bool",
            Self::Int(_) => "i64",
            Self::Float(_) => "f64",
            Self::Char(_) => "char",
            Self::Short(_) | Self::Long(_) => "string",
            Self::List(_) => "array",
            Self::Map(_) => "map",
            Self::Blob(_) => "blob",
            Self::Function(_) => "Fn",
            Self::Shared(shared) => shared.borrow().type_name(),
            Self::Other(value) => value.type_name(),
        }
    }
}

/// An operator with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `**`
    Power,
    /// `<<`
    ShiftLeft,
    /// `>>`
    ShiftRight,
    /// `&`
    And,
    /// `|`
    Or,
    /// `^`
    Xor,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `..`
    Range,
    /// `..=`
    RangeInclusive,
}

/// Wraps a range.
fn range(range: Dynamic) -> Value {
    Value::Other(Rc::new(range))
}
