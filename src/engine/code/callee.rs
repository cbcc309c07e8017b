//! Which function a pointer means.
//!
//! Rhai finds that when it is called. A closure, or a function whose name stands for it, is found by itself in the file that the run began
//! with. Everything else is found by its name: in the files whose functions are running, from the innermost, and then among Rhai's own
//! functions. The first counts as one level of calls, the second as two, where a function of Rhai's or of the host's calls.

use super::{Code, CodeRef, Machine};
use crate::engine::{
    ir::FunctionId,
    own::{Function, Target},
};

/// A function that a pointer means.
pub(super) enum Callee {
    /// One of the same file.
    Here(FunctionId),
    There(CodeRef, FunctionId),
}

impl Code {
    /// Finds a function, for any type of `this`, by its name and the number of its parameters.
    pub fn find(&self, name: &str, parameters: usize) -> Option<FunctionId> {
        self.named(name, parameters).find(|id| self.functions[*id].this_type.is_none())
    }

    /// Returns the functions with this name and so many parameters. They are sorted by both, behind the closures.
    pub fn named(&self, name: &str, parameters: usize) -> impl Iterator<Item = FunctionId> {
        let functions = &self.functions[..self.main];
        let is_closure = |name: &str| name.starts_with("anon$");
        let first = match is_closure(name) {
            true => functions.iter().position(|function| function.name == name).unwrap_or(functions.len()),
            false => functions.partition_point(|function| {
                is_closure(&function.name) || (function.name.as_str(), function.parameters) < (name, parameters)
            }),
        };
        let are_meant = functions[first..].iter().take_while(move |function| function.name == name && function.parameters == parameters);
        first..first + are_meant.count()
    }
}

impl Machine<'_> {
    /// Finds the function of a script that a pointer means with so many arguments; `true`: it is found without its name.
    pub(super) fn resolve(&self, code: &Code, function: &Function, arguments: usize) -> Option<(Callee, bool)> {
        if let Some(Target { unit, function: id }) = function.target {
            let is_main = self.is_main(code, unit);
            if unit == code.number {
                if code.functions[id].parameters == arguments {
                    return Some((Callee::Here(id), is_main));
                }
            } else if (is_main || self.stack.iter().any(|code| code.number == unit))
                && let Some(code) = self.unit(unit)
                && code.functions[id].parameters == arguments
            {
                return Some((Callee::There(code.clone(), id), is_main));
            }
        }
        if let Some(id) = code.find(&function.name, arguments) {
            return Some((Callee::Here(id), false));
        }
        self.stack.iter().rev().find_map(|code| Some((Callee::There(code.clone(), code.find(&function.name, arguments)?), false)))
    }

    /// Whether a pointer means, with so many arguments beside its own, what is found without its name.
    pub(super) fn is_linked(&self, code: &Code, function: &Function, arguments: usize) -> bool {
        matches!(self.resolve(code, function, function.curried().len() + arguments), Some((_, true)))
    }

    /// Whether a file is the one that the run began with.
    pub(super) fn is_main(&self, code: &Code, unit: u64) -> bool {
        self.stack.first().map_or(code.number, |main| main.number) == unit
    }

    /// Returns a file that this run has come by.
    pub fn unit(&self, number: u64) -> Option<&CodeRef> {
        self.units.iter().find(|code| code.number == number)
    }

    /// Whether a function takes more than so many arguments beside those that it is curried with.
    pub(super) fn takes_more(&self, function: &Function, than: usize) -> bool {
        let of = |target: Target| Some(self.unit(target.unit)?.functions[target.function].parameters > function.curried().len() + than);
        function.target.and_then(of).unwrap_or(false)
    }
}
