//! Pointers to functions: closures, what is called through them, and who calls.
//!
//! Rhai finds what a pointer means when it is called. A closure, or a function whose name stands for it, is found by itself in the file that
//! the run began with. Everything else is found by its name: in the files whose functions are running, from the innermost, and then among
//! Rhai's own functions. The first counts as one level of calls, the second as two, where a function of Rhai's or of the host's calls.

use std::{mem, rc::Rc};

use rhai::{Dynamic, EvalAltResult, FnPtr, Position};
use smallvec::SmallVec;

use super::{
    Code, CodeRef, Compiler, Ex, Machine, Outcome,
    expressions::first_of,
    machine::{Leave, mismatch},
    races::{free, in_use},
};
use crate::engine::{
    ir::{self, Expr, FunctionId},
    own::{
        Failure, Function, Shared, Target, Value,
        native::{self, Caller, Visit},
    },
};

type Arguments = SmallVec<[Value; 6]>;

impl Compiler<'_> {
    /// Makes a closure. What it captures is shared from now on.
    pub fn closure(&mut self, closure: &ir::Closure) -> Ex {
        enum Capture {
            Place { slot: usize, is_constant: bool },
            Value(Ex),
        }
        let request = self.captured_request();
        let capture = |compiler: &mut Self, capture: &Expr| match (capture, request) {
            (Expr::Variable(variable), _) => {
                Capture::Place { slot: variable.slot, is_constant: compiler.places[variable.slot].is_constant }
            }
            (Expr::Request(request), Some(slot)) if request.names.is_empty() => Capture::Place { slot, is_constant: false },
            (value, _) => Capture::Value(compiler.expr(value)),
        };
        let captures: Box<[Capture]> = closure.captures.iter().map(|value| capture(self, value)).collect();
        let (function, name) = (closure.function, self.unit.functions[closure.function].name.clone());
        Box::new(move |machine, code, frame| {
            let mut curried = Vec::with_capacity(captures.len());
            for capture in &captures {
                curried.push(match capture {
                    Capture::Value(value) => value(machine, code, frame)?,
                    Capture::Place { slot, is_constant } => {
                        let place = &mut frame[*slot];
                        if place.is_shared() {
                            free(place)?;
                        } else {
                            let mut shared = Shared::new(mem::take(place));
                            shared.is_constant = *is_constant;
                            *place = Value::Shared(Rc::new(shared));
                        }
                        place.clone()
                    }
                });
            }
            let target = Some(Target { unit: code.number, function });
            machine.grown()?;
            Ok(Value::Function(Rc::new(Function::new(name.clone(), target, curried, None))))
        })
    }

    /// Makes a pointer to a function of the file.
    pub fn function_pointer(&mut self, function: FunctionId) -> Ex {
        self.closure(&ir::Closure { function, captures: Box::default() })
    }

    /// Calls what looks like a function.
    pub fn special_call(&mut self, call: &ir::SpecialCall) -> Ex {
        let arguments: Box<[Ex]> = call.arguments.iter().map(|argument| self.expr(argument)).collect();
        let (position, node, size) = (call.position, call.node.clone(), self.frame);
        match (call.name.as_str(), arguments.len()) {
            ("is_shared", 1) => {
                let argument = self.passed(&call.arguments[0]);
                Box::new(move |machine, code, frame| Ok(Value::Bool(argument(machine, code, frame)?.is_shared())))
            }
            ("type_of", 1) => Box::new(move |machine, code, frame| {
                let value = arguments[0](machine, code, frame)?.flatten();
                Ok(Value::text(machine.type_name(&value)))
            }),
            ("Fn", 1) => Box::new(move |machine, code, frame| {
                let name = arguments[0](machine, code, frame)?.flatten();
                match name.as_str().and_then(|name| FnPtr::new(name).ok()) {
                    Some(pointer) => {
                        let name = pointer.fn_name().into();
                        Ok(Value::Function(Rc::new(Function::new(name, None, Vec::new(), None))))
                    }
                    None => machine.slow(code, &node, &mut [name]),
                }
            }),
            ("call", 1..) | ("curry", 2..) => {
                let calls = call.name == "call";
                let arguments: Box<[Ex]> = call.arguments.iter().map(|argument| self.passed(argument)).collect();
                Box::new(move |machine, code, frame| {
                    let [first, rest @ ..] = &arguments[..] else { return machine.slow(code, &node, &mut []) };
                    let first = first(machine, code, frame)?.flatten();
                    let Value::Function(function) = &first else {
                        // Rhai fails before it looks at the others.
                        let mut values = Arguments::from_elem(Value::Unit, arguments.len());
                        values[0] = first;
                        return machine.slow(code, &node, &mut values);
                    };
                    let mut arguments = rest.iter().map(|argument| argument(machine, code, frame)).collect::<Outcome<Arguments>>()?;
                    let is_here = function.target.is_none_or(|target| target.unit == code.number);
                    let mut site = Site::new(machine, code, &mut frame[size..], position);
                    if arguments.iter().any(Value::is_shared) && !(is_here && (!calls || site.is_linked(function, arguments.len()))) {
                        arguments.iter_mut().for_each(|value| *value = value.get());
                    }
                    if calls {
                        return site.call_pointer(function, None, &mut arguments);
                    }
                    machine.curried(function, arguments, position)
                })
            }
            _ => Box::new(move |machine, code, frame| {
                let mut values = evaluate(&arguments, machine, code, frame)?;
                machine.slow(code, &node, &mut values)
            }),
        }
    }
}

impl Compiler<'_> {
    /// Evaluates what `call(f, x)`, `curry(f, x)` and `is_shared(x)` get as it is, shared or not.
    fn passed(&mut self, argument: &Expr) -> Ex {
        match argument {
            Expr::Coalesce(choices) => {
                let choices: Box<[Ex]> = choices.iter().map(|choice| self.passed(choice)).collect();
                first_of(choices)
            }
            Expr::Variable(variable) if self.places[variable.slot].is_shared => {
                let slot = variable.slot;
                Box::new(move |_, _, frame| {
                    free(&frame[slot])?;
                    Ok(frame[slot].clone())
                })
            }
            argument => self.expr(argument),
        }
    }
}

/// Evaluates arguments in their order.
pub(super) fn evaluate(arguments: &[Ex], machine: &mut Machine<'_>, code: &Code, frame: &mut [Value]) -> Outcome<Arguments> {
    let mut values = Arguments::new();
    for argument in arguments {
        values.push(argument(machine, code, frame)?.flatten());
    }
    Ok(values)
}

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

/// A function that a pointer means.
enum Callee {
    /// One of the same file.
    Here(FunctionId),
    There(CodeRef, FunctionId),
}

/// How many levels a call through a pointer counts beside its own: one for the function that calls, one for a search by name.
#[derive(Clone, Copy)]
enum By {
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

    fn invoke(&mut self, function: &Function, this: Option<&mut Value>, arguments: &mut [Value], by: By) -> Outcome {
        if let Some(pointer) = function.native.as_ref().filter(|_| function.target.is_none()) {
            return self.invoke_by_rhai(pointer, this, arguments);
        }
        let count = function.curried().len() + arguments.len();
        let found = self.resolve(function, count);
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

    fn source(&self) -> String {
        self.code.source.as_deref().unwrap_or_default().into()
    }

    /// Calls a function of another file, which is the innermost that runs meanwhile.
    pub fn call_elsewhere(&mut self, code: &CodeRef, id: FunctionId, arguments: &mut [Value], this: Option<&mut Value>) -> Outcome {
        self.machine.stack.push(code.clone());
        let result = self.machine.call(code, &code.functions[id], arguments, this, self.position, self.free);
        self.machine.stack.pop();
        result
    }

    /// Finds the function of a script that a pointer means with so many arguments; `true`: it is found without its name.
    fn resolve(&self, function: &Function, arguments: usize) -> Option<(Callee, bool)> {
        if let Some(Target { unit, function: id }) = function.target {
            let is_main = self.machine.is_main(self.code, unit);
            if unit == self.code.number {
                if self.code.functions[id].parameters == arguments {
                    return Some((Callee::Here(id), is_main));
                }
            } else if (is_main || self.machine.stack.iter().any(|code| code.number == unit))
                && let Some(code) = self.machine.unit(unit)
                && code.functions[id].parameters == arguments
            {
                return Some((Callee::There(code.clone(), id), is_main));
            }
        }
        if let Some(id) = self.code.find(&function.name, arguments) {
            return Some((Callee::Here(id), false));
        }
        self.machine.stack.iter().rev().find_map(|code| Some((Callee::There(code.clone(), code.find(&function.name, arguments)?), false)))
    }

    /// Whether a pointer means, with so many arguments beside its own, what is found without its name.
    fn is_linked(&self, function: &Function, arguments: usize) -> bool {
        matches!(self.resolve(function, function.curried().len() + arguments), Some((_, true)))
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

impl Caller for Site<'_, '_> {
    fn call(&mut self, function: &Value, this: Option<&mut Value>, arguments: &mut [Value]) -> Result<Value, Failure> {
        match function {
            Value::Function(function) => self.invoke(function, this, arguments, By::Native).map_err(failure),
            other => Err(failure(mismatch("Fn", other, self.position))),
        }
    }

    fn visit(&mut self, visit: Visit<'_>) -> Result<Value, Failure> {
        let (Value::Function(function), native) = (visit.function, visit.native) else {
            return self.call(visit.function, visit.this, visit.arguments);
        };
        self.invoke_for(function, visit)
            .map_err(|leave| EvalAltResult::ErrorInFunctionCall(native.into(), self.source(), failure(leave), Position::NONE).into())
    }
}

impl Site<'_, '_> {
    /// The same for a closure of the file that the run began with, which is where it is called: it is found without a search.
    #[inline]
    fn invoke_closure_for(&mut self, function: &Function, visit: &mut Visit<'_>) -> Option<Outcome> {
        let &mut Visit { ref this, ref mut arguments, index, this_at, .. } = visit;
        let target = function.target.filter(|target| target.unit == self.code.number && self.machine.is_main(self.code, target.unit))?;
        let callee = &self.code.functions[target.function];
        let takes = callee.parameters.checked_sub(function.curried().len() + arguments.len())?;
        let (at, this) = match (takes, this_at, this) {
            (1 | 2, Some(at), Some(this)) => (at.min(arguments.len()), &**this),
            _ => return None,
        };
        let mut all: Arguments = function.curried().iter().cloned().collect();
        all.extend(arguments[..at].iter_mut().map(mem::take));
        all.push(this.clone());
        all.extend(arguments[at..].iter_mut().map(mem::take));
        if takes == 2 {
            all.push(Value::Int(index?));
        }
        let level = self.machine.level;
        self.machine.level += 1;
        let result = self.machine.call(self.code, callee, &mut all, None, self.position, self.free);
        self.machine.level = level;
        Some(result)
    }

    /// Calls a function with what it has parameters for.
    fn invoke_for(&mut self, function: &Function, mut visit: Visit<'_>) -> Outcome {
        if let Some(result) = self.invoke_closure_for(function, &mut visit) {
            return result;
        }
        let Visit { mut this, arguments, index, this_at, .. } = visit;
        let takes = |site: &Self, count: usize| site.resolve(function, function.curried().len() + count).is_some();
        let count = arguments.len();
        let is_anonymous = function.name.starts_with("anon$");
        if takes(self, count) {
            self.machine.this_is_constant = self.is_constant && this.is_some();
            return self.invoke(function, this, arguments, By::Native);
        }
        if !is_anonymous {
            // It may be one of Rhai's, which tells by itself whether it is for these.
            let mut copies: Arguments = arguments.iter().cloned().collect();
            match self.invoke(function, this.as_deref_mut(), &mut copies, By::Native) {
                Err(Leave::Failed(failure)) if is_not_found(&failure, &function.name) => {}
                result => return result,
            }
        }
        let mut all: Arguments = arguments.iter_mut().map(mem::take).collect();
        if let (Some(at), Some(this)) = (this_at, this.as_deref_mut()) {
            all.insert(at.min(all.len()), this.clone());
            if takes(self, count + 1) {
                return self.invoke(function, None, &mut all, By::Native);
            }
            if !is_anonymous {
                match self.invoke(function, None, &mut all.clone(), By::Native) {
                    Err(Leave::Failed(failure)) if is_not_found(&failure, &function.name) => {}
                    result => return result,
                }
            }
        }
        all.extend(index.map(Value::Int));
        let this = if this_at.is_some() { None } else { this };
        self.invoke(function, this, &mut all, By::Native)
    }
}

fn is_not_found(failure: &Failure, name: &str) -> bool {
    matches!(&**failure, EvalAltResult::ErrorFunctionNotFound(signature, _) if signature.starts_with(name))
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
    /// Whether a file is the one that the run began with.
    pub(super) fn is_main(&self, code: &Code, unit: u64) -> bool {
        self.stack.first().map_or(code.number, |main| main.number) == unit
    }

    /// Returns a file that this run has come by.
    pub fn unit(&self, number: u64) -> Option<&CodeRef> {
        self.units.iter().find(|code| code.number == number)
    }

    /// Whether a function takes arguments beside those that it is curried with.
    pub(super) fn takes_some(&self, function: &Function) -> bool {
        let of = |target: Target| Some(self.unit(target.unit)?.functions[target.function].parameters > function.curried().len());
        function.target.and_then(of).unwrap_or(false)
    }

    /// Returns the name of a value's type.
    pub(super) fn type_name<'n>(&'n self, value: &'n Value) -> &'n str {
        match value {
            Value::Other(value) => self.engine.map_type_name(value.type_name()),
            value => value.type_name(),
        }
    }
}
