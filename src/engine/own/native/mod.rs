//! Rhai's functions on values of our own, without a detour over Rhai's.
//!
//! Each gives exactly what the engine's gives: its result, what it makes of the receiver, its error. Where one cannot, it has done nothing
//! and answers `None`, and Rhai is to be asked. Names, counts of arguments and types of receivers are looked up when a script is compiled.
//!
//! Rhai checks the sizes of the result and of the receiver after a call: who calls does. What one call could make far too large is checked
//! here before.

mod blob;
mod each;
mod entries;
mod number;
mod order;
mod pieces;
mod printed;
mod range;
mod search;
mod select;
mod splice;
#[cfg(test)]
mod tests;
mod text;

use std::{collections::HashMap, rc::Rc, sync::LazyLock};

use rhai::{EvalAltResult, Position};

use super::{Failure, List, Value};
use crate::engine::meter;

/// What a function gives: none, if it is not for these arguments; then nothing has happened.
pub type NativeResult = Result<Option<Value>, Failure>;

/// What functions ask of the run that calls them.
pub trait Caller {
    /// Calls a function, as `FnPtr::call_raw` of Rhai's. The arguments are taken.
    fn call(&mut self, function: &Value, this: Option<&mut Value>, arguments: &mut [Value]) -> Result<Value, Failure>;

    /// Has a function visit an element, as `FnPtr::call_raw_with_extra_args` of Rhai's. The arguments are taken.
    fn visit(&mut self, visit: Visit<'_>) -> Result<Value, Failure>;
}

/// A call of a function for an element. Without parameters it finds the element in `this`; with one more than there are arguments, it gets
/// the element there; with two more, the index as the last.
pub struct Visit<'v> {
    /// The native function that calls.
    pub native: &'v str,
    /// The function that it calls.
    pub function: &'v Value,
    /// The element.
    pub this: Option<&'v mut Value>,
    /// What the function gets beside it.
    pub arguments: &'v mut [Value],
    /// The element's index.
    pub index: Option<i64>,
    /// Before which of the arguments the element stands where it is one.
    pub this_at: Option<usize>,
}

/// A function: its receiver, which it may change, and its other arguments, which it may take. None of them is shared.
pub type Run = fn(&mut dyn Caller, &mut Value, &mut [Value]) -> NativeResult;

/// A function for receivers of one type.
#[derive(Clone, Copy)]
pub struct Method {
    /// What it does.
    pub run: Run,
    /// What it does to its receiver.
    pub effect: Effect,
    /// Whether it is also a property.
    pub is_property: bool,
}

/// What a function does to its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Reads,
    /// Nothing. But Rhai hands it its receiver to change: a part of a text comes back into the text.
    Holds,
    /// It lets another function see each element. As its `this`, that function can change it, though constants are allowed.
    Visits,
    /// It changes it, and constants refuse it.
    Changes,
}

/// The functions with one name and one count of arguments.
#[derive(Clone, Copy, Default)]
pub struct Native {
    methods: [Option<Method>; KINDS],
}

impl Native {
    /// Returns the one for this receiver, which must not be a shared variable.
    #[inline]
    pub fn of(&self, receiver: &Value) -> Option<&Method> {
        self.methods[kind(receiver)?].as_ref()
    }

    /// Returns the property of this receiver, which must not be a shared variable.
    #[inline]
    pub fn property_of(&self, receiver: &Value) -> Option<&Method> {
        self.of(receiver).filter(|method| method.is_property)
    }
}

/// Returns the functions with this name and so many arguments, the receiver among them.
pub fn lookup(name: &str, arguments: usize) -> Option<&'static Native> {
    NATIVES.get(arguments)?.get(name)
}

const KINDS: usize = 11;

/// Returns the number of the receiver's type.
#[inline]
fn kind(receiver: &Value) -> Option<usize> {
    Some(match receiver {
        Value::Unit => 0,
        Value::Bool(_) => 1,
        Value::Int(_) => 2,
        Value::Float(_) => 3,
        Value::Char(_) => 4,
        Value::Short(_) | Value::Long(_) => 5,
        Value::List(_) => 6,
        Value::Map(_) => 7,
        Value::Blob(_) => 8,
        Value::Function(_) => 9,
        Value::Other(_) => 10,
        Value::Shared(_) => return None,
    })
}

/// The tables of the types, in the order of their numbers.
static TABLES: [&[&[Entry]]; KINDS] = [
    &[printed::OF_ALL, printed::AS_JSON, printed::TAKEN],
    &[printed::OF_ALL, printed::AS_JSON, printed::TAKEN],
    &[printed::OF_ALL, printed::AS_JSON, printed::TAKEN, number::OF_INT],
    &[printed::OF_ALL, printed::AS_JSON, printed::TAKEN, number::OF_FLOAT],
    &[printed::OF_ALL, printed::AS_JSON, printed::TAKEN, text::OF_CHAR],
    &[
        printed::OF_ALL,
        printed::AS_JSON,
        printed::TAKEN,
        printed::OF_TEXT,
        number::OF_TEXT,
        text::OF_TEXT,
        pieces::OF_TEXT,
        search::OF_TEXT,
    ],
    &[printed::OF_ALL, printed::AS_JSON, printed::TAKEN, search::OF_LIST, splice::OF_LIST, each::OF_LIST, select::OF_LIST, order::OF_LIST],
    &[printed::OF_ALL, printed::AS_JSON, printed::TAKEN, entries::OF_MAP],
    &[printed::AS_JSON, printed::TAKEN, blob::OF_BLOB],
    &[printed::OF_ALL, printed::AS_JSON, printed::TAKEN, printed::OF_FUNCTION],
    &[printed::AS_JSON, printed::TAKEN, range::OF_RANGE],
];

/// By the count of arguments, the receiver among them.
static NATIVES: LazyLock<[HashMap<&'static str, Native>; MAX_ARGUMENTS + 1]> = LazyLock::new(|| meter::beside(natives));

const MAX_ARGUMENTS: usize = 4;

fn natives() -> [HashMap<&'static str, Native>; MAX_ARGUMENTS + 1] {
    let mut natives: [HashMap<_, Native>; _] = Default::default();
    for (kind, tables) in TABLES.iter().enumerate() {
        for entry in tables.iter().copied().flatten() {
            natives[entry.arguments].entry(entry.name).or_default().methods[kind] = Some(entry.method);
        }
    }
    natives
}

/// A line of a table.
struct Entry {
    name: &'static str,
    /// The receiver among them.
    arguments: usize,
    method: Method,
}

/// A function that changes nothing.
const fn reads(name: &'static str, arguments: usize, run: Run) -> Entry {
    Entry { name, arguments, method: Method { run, effect: Effect::Reads, is_property: false } }
}

/// A function that changes nothing, though it could.
const fn holds(name: &'static str, arguments: usize, run: Run) -> Entry {
    Entry { name, arguments, method: Method { run, effect: Effect::Holds, is_property: false } }
}

/// A function that lets another one see the elements of its receiver.
const fn visits(name: &'static str, arguments: usize, run: Run) -> Entry {
    Entry { name, arguments, method: Method { run, effect: Effect::Visits, is_property: false } }
}

/// A function that changes its receiver.
const fn changes(name: &'static str, arguments: usize, run: Run) -> Entry {
    Entry { name, arguments, method: Method { run, effect: Effect::Changes, is_property: false } }
}

/// A function that is a property too.
const fn property(name: &'static str, run: Run) -> Entry {
    Entry { name, arguments: 1, method: Method { run, effect: Effect::Reads, is_property: true } }
}

/// Makes an error of a computation.
fn arithmetic(message: String) -> Failure {
    EvalAltResult::ErrorArithmetic(message, Position::NONE).into()
}

fn int(number: usize) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Returns the elements that a receiver has: the tables ask for those of arrays alone.
fn items(receiver: &Value) -> &[Value] {
    match receiver {
        Value::List(list) => list,
        _ => &[],
    }
}

/// Changes an array, in place if nobody else holds it.
fn edit<T>(receiver: &mut Value, change: impl FnOnce(&mut List) -> T) -> Option<T> {
    match receiver {
        Value::List(list) => Some(change(Rc::make_mut(list))),
        _ => None,
    }
}

/// Nothing to give.
const DONE: NativeResult = Ok(Some(Value::Unit));
/// Rhai is to be asked.
const NOT_HERE: NativeResult = Ok(None);

/// Whether two values are one: nothing was written to either since one was made of the other.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Unit, Value::Unit) => true,
        (Value::Bool(one), Value::Bool(other)) => one == other,
        (Value::Int(one), Value::Int(other)) => one == other,
        (Value::Float(one), Value::Float(other)) => one.to_bits() == other.to_bits(),
        (Value::Char(one), Value::Char(other)) => one == other,
        (Value::Short(one), Value::Short(other)) => one == other,
        (Value::Long(one), Value::Long(other)) => Rc::ptr_eq(one, other),
        (Value::List(one), Value::List(other)) => Rc::ptr_eq(one, other),
        (Value::Map(one), Value::Map(other)) => Rc::ptr_eq(one, other),
        (Value::Blob(one), Value::Blob(other)) => Rc::ptr_eq(one, other),
        (Value::Function(one), Value::Function(other)) => Rc::ptr_eq(one, other),
        (Value::Other(one), Value::Other(other)) => Rc::ptr_eq(one, other),
        _ => false,
    }
}
