//! Links of chains: properties, indexes, methods. At the end there may be an assignment.

use std::sync::Arc;

use rhai::{ImmutableString, Position, Stmt};

use super::Machine;
use crate::engine::{
    ir::{self, FunctionId},
    own::{Key, Value, native},
};

/// A link of a chain.
pub(super) struct Link {
    pub step: Step,
    pub is_optional: bool,
    /// Whether what it is asked of may be changed by it or by what comes after it.
    pub changes: bool,
    /// The link for Rhai.
    pub node: ir::Node,
}

/// What is asked.
pub(super) enum Step {
    Property { key: Key, getter: Option<&'static native::Native> },
    Index,
    Method(Box<Method>),
}

/// An assignment at the end of a chain.
pub(super) struct Assignment {
    pub op: Option<ir::OpAssign>,
    /// Where the operator stands.
    pub position: Position,
    /// What a constant is called, and where it stands.
    pub name: ImmutableString,
    pub root_position: Position,
    pub node: Arc<Stmt>,
}

/// A method as a chain calls it.
pub(super) struct Method {
    pub name: ImmutableString,
    /// How many operands are its arguments.
    pub arguments: usize,
    pub position: Position,
    /// Whether what it is called on may be changed by it.
    pub may_change: bool,
    pub word: Word,
    /// Where a map keeps a function of this name.
    pub entry: Key,
    /// The functions of the file that it may mean: those for a type first.
    pub functions: Box<[(Option<ImmutableString>, FunctionId)]>,
    pub native: Option<&'static native::Native>,
}

/// Names that Rhai itself answers.
#[derive(PartialEq, Eq)]
pub(super) enum Word {
    Call,
    Curry,
    IsShared,
    TypeOf,
    None,
}

impl Method {
    pub fn new(unit: &ir::Unit, name: &ImmutableString, arguments: usize, position: Position) -> Self {
        let word = match (name.as_str(), arguments) {
            ("call", _) => Word::Call,
            ("curry", _) => Word::Curry,
            ("is_shared", 0) => Word::IsShared,
            ("type_of", 0) => Word::TypeOf,
            _ => Word::None,
        };
        let is_meant = |function: &ir::Function| function.name == *name && function.parameters.len() == arguments;
        let functions = unit.functions[..unit.main].iter().enumerate().filter(|(_, function)| is_meant(function));
        let mut functions: Vec<_> = functions.map(|(id, function)| (function.this_type.clone(), id)).collect();
        functions.sort_by_key(|(this_type, _)| this_type.is_none());
        let native = native::lookup(name, arguments + 1);
        let may_change = match word {
            Word::IsShared | Word::TypeOf => false,
            _ => !functions.is_empty() || native.is_none(),
        };
        Self { name: name.clone(), arguments, position, may_change, word, entry: Key::new(name), functions: functions.into(), native }
    }

    /// Returns whether what it does to this value needs a place to change.
    pub fn needs_place(&self, value: &Value, arguments: &[Value], machine: &Machine<'_>) -> bool {
        if machine.has_typed_methods() {
            return true;
        }
        match value {
            Value::Map(map) if matches!(map.find(&self.entry), Some(Value::Function(_))) => return true,
            Value::Other(_) => {
                let method = self.native.and_then(|native| native.of(value));
                return method.is_some_and(|method| method.effect == native::Effect::Changes);
            }
            _ => {}
        }
        if matches!(self.word, Word::IsShared | Word::TypeOf) {
            return false;
        }
        match self.native.and_then(|native| native.of(value)).map(|method| method.effect) {
            Some(native::Effect::Reads) => false,
            Some(native::Effect::Holds) => is_no_text(value),
            // Without a parameter for the element, a closure may change it through `this`. Of a map's entries it gets the keys first.
            Some(native::Effect::Visits) => {
                let before = usize::from(matches!(value, Value::Map(_)));
                !matches!(arguments.first(), Some(Value::Function(function)) if machine.takes_more(function, before))
            }
            Some(native::Effect::Changes) | None => true,
        }
    }
}

/// Whether it is a text without characters, as is a part of a text whose range ends before it begins: put back, the text grows.
pub(super) fn is_no_text(part: &Value) -> bool {
    part.as_str() == Some("")
}
