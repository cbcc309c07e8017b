//! Pointers to functions: closures, and words as `Fn`, `call` and `curry`.

use std::{mem, rc::Rc};

use rhai::FnPtr;

use super::{
    Code, Compiler, Ex, Machine, Outcome,
    expressions::first_of,
    invoke::{Arguments, Site},
    races::free,
};
use crate::engine::{
    ir::{self, Expr, FunctionId},
    own::{Function, Shared, Target, Value},
};

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
                    if arguments.iter().any(Value::is_shared)
                        && !(is_here && (!calls || machine.is_linked(code, function, arguments.len())))
                    {
                        arguments.iter_mut().for_each(|value| *value = value.get());
                    }
                    if calls {
                        return Site::new(machine, code, &mut frame[size..], position).call_pointer(function, None, &mut arguments);
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
