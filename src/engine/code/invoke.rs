//! Calls through pointers to functions.

use std::mem;

use rhai::{Dynamic, EvalAltResult, FnPtr, Position};
use smallvec::SmallVec;

use super::{Code, CodeRef, Machine, Outcome, callee::Callee, machine::Leave, races::in_use};
use crate::engine::{
    ir::FunctionId,
    own::{Failure, Function, Value, native},
};

/// The values that a function is called with.
pub(super) type Arguments = SmallVec<[Value; 6]>;

/// Where functions are called from.
pub(super) struct Site<'s, 'm> {
    pub machine: &'s mut Machine<'m>,
    pub code: &'s Code,
    /// What is free for frames.
    pub free: &'s mut [Value],
    /// Where the call stands.
    pub position: Position,
    /// Whether the elements that a function gets as its `this` are those of a constant.
    pub is_constant: bool,
}

impl<'s, 'm> Site<'s, 'm> {
    pub fn new(machine: &'s mut Machine<'m>, code: &'s Code, free: &'s mut [Value], position: Position) -> Self {
        Self { machine, code, free, position, is_constant: false }
    }
}

/// How many levels a call through a pointer counts beside its own: one for the function that calls, one for a search by name.
#[derive(Clone, Copy)]
pub(super) enum By {
    Script,
    Native,
}

impl Site<'_, '_> {
    /// Calls what a pointer means, from a script.
    pub fn call_pointer(&mut self, function: &Function, this: Option<&mut Value>, arguments: &mut [Value]) -> Outcome {
        self.invoke(function, this, arguments, By::Script)
    }

    /// Calls a function that stands in a map, as a method of the map.
    pub fn call_method(&mut self, function: &Function, this: &mut Value, arguments: &mut [Value]) -> Outcome {
        self.invoke(function, Some(this), arguments, By::Script)
    }

    pub(super) fn invoke(&mut self, function: &Function, this: Option<&mut Value>, arguments: &mut [Value], by: By) -> Outcome {
        if let Some(pointer) = function.native.as_ref().filter(|_| function.target.is_none()) {
            return self.invoke_by_rhai(pointer, this, arguments);
        }
        let count = function.curried().len() + arguments.len();
        let found = self.machine.resolve(self.code, function, count);
        if self.machine.locks > 0 && !matches!(found, Some((_, true))) {
            in_use(&function.name, function.curried().iter().chain(&*arguments))?;
        }
        let Some((callee, is_linked)) = found else {
            return self.invoke_native(function, this, arguments, by);
        };
        let level = self.machine.level;
        if let By::Native = by {
            self.machine.level += if is_linked { 1 } else { 2 };
        }
        let result = if function.curried().is_empty() {
            self.run(&callee, is_linked, this, arguments)
        } else {
            // What another file finds by its name is not made for shared arguments.
            let is_own = function.target.is_some() || matches!(callee, Callee::Here(_));
            let mut all: Arguments = function.curried().iter().map(|value| if is_own { value.clone() } else { value.get() }).collect();
            all.extend(arguments.iter_mut().map(mem::take));
            self.run(&callee, is_linked, this, &mut all)
        };
        self.machine.level = level;
        result
    }

    fn run(&mut self, callee: &Callee, is_linked: bool, this: Option<&mut Value>, arguments: &mut [Value]) -> Outcome {
        match callee {
            Callee::Here(id) => self.machine.call(self.code, &self.code.functions[*id], arguments, this, self.position, self.free),
            Callee::There(code, id) => {
                let result = self.machine.call(code, &code.functions[*id], arguments, this, self.position, self.free);
                match result {
                    // Rhai does not change the file that it names for what is found without its name.
                    Err(Leave::Failed(failure)) if is_linked => Err(Leave::Failed(self.called_here(failure))),
                    result => result,
                }
            }
        }
    }

    #[cold]
    fn called_here(&self, mut failure: Failure) -> Failure {
        if let EvalAltResult::ErrorInFunctionCall(_, source, ..) = &mut *failure {
            *source = self.source();
        }
        failure
    }

    pub(super) fn source(&self) -> String {
        self.code.source.as_deref().unwrap_or_default().into()
    }

    /// Calls a function of another file, which is the innermost that runs meanwhile.
    pub fn call_elsewhere(&mut self, code: &CodeRef, id: FunctionId, arguments: &mut [Value], this: Option<&mut Value>) -> Outcome {
        self.machine.stack.push(code.clone());
        let result = self.machine.call(code, &code.functions[id], arguments, this, self.position, self.free);
        self.machine.stack.pop();
        result
    }

    /// Has Rhai call a pointer of its own: what it has captured is not the run's.
    #[cold]
    fn invoke_by_rhai(&mut self, pointer: &FnPtr, this: Option<&mut Value>, arguments: &mut [Value]) -> Outcome {
        let position = self.position;
        let mut object = this.as_deref().map(Value::to_rhai);
        let mut values: Vec<Dynamic> = arguments.iter_mut().map(|value| mem::take(value).into_rhai()).collect();
        let result = self.machine.with_rhai(self.code, |engine, state| {
            let context = (engine, pointer.fn_name(), None, &state.global, position).into();
            pointer.call_raw(&context, object.as_mut(), &mut values[..])
        })?;
        if let (Some(this), Some(object)) = (this, object) {
            *this = Value::of(object);
        }
        result.map(|value| Value::of(value.flatten())).map_err(|failure| failed_at(failure, position))
    }

    /// Calls the native function of a pointer's name. What is `this` is its first argument; a native function that calls puts a copy behind
    /// the curried ones.
    fn invoke_native(&mut self, function: &Function, this: Option<&mut Value>, arguments: &mut [Value], by: By) -> Outcome {
        self.machine.this_is_constant = false;
        let mut all: Arguments = function.curried().iter().map(Value::get).collect();
        let is_first = all.is_empty() || matches!(by, By::Script);
        let mut place = this;
        match &mut place {
            Some(this) if is_first => all.insert(0, mem::take(*this)),
            Some(this) => all.push(this.clone()),
            None => {}
        }
        all.extend(arguments.iter_mut().map(mem::take));
        let result = self.native(&function.name, &mut all, place.is_some() && is_first);
        if let Some(this) = place.filter(|_| is_first) {
            *this = all.first_mut().map(mem::take).unwrap_or_default();
        }
        result
    }

    /// Calls a native function by its name.
    fn native(&mut self, name: &str, arguments: &mut [Value], is_place: bool) -> Outcome {
        let position = self.position;
        if let Some((first, rest)) = arguments.split_first_mut()
            && let Some(native) = native::lookup(name, rest.len() + 1).and_then(|native| native.of(first))
            && let Some(result) = (native.run)(self, first, rest).map_err(|failure| failed_at(failure, position))?
        {
            self.machine.check(&result, position)?;
            if is_place {
                self.machine.check(first, position)?;
            }
            self.machine.grown()?;
            return Ok(result);
        }
        self.machine.native_by_name(self.code, name, arguments, is_place, position)
    }
}

/// Returns the failure with a place, if it has none.
#[cold]
pub(super) fn failed_at(mut failure: Failure, position: Position) -> Leave {
    if failure.position().is_none() {
        failure.set_position(position);
    }
    Leave::Failed(failure)
}

/// Returns why a function failed. None leaves a loop of its caller's.
#[cold]
pub(super) fn failure(leave: Leave) -> Failure {
    match leave {
        Leave::Failed(failure) => failure,
        Leave::Flow => EvalAltResult::ErrorRuntime(Dynamic::UNIT, Position::NONE).into(),
    }
}
