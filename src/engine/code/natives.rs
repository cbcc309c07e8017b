//! Functions that are none of the script's: Rhai's own, and the host's.

use std::mem;

use rhai::{Dynamic, EvalAltResult, EvalContext, Position};
use smallvec::SmallVec;

use super::{
    Code, Compiler, Ex, Machine, Outcome,
    invoke::{Site, failed_at},
    machine::Leave,
    pointers::evaluate,
    slow,
};
use crate::engine::{
    host::{self, HostFunction},
    ir,
    own::{Value, native},
};

impl Compiler<'_> {
    /// Calls a function of Rhai or of the host.
    pub fn native_call(&mut self, call: &ir::NativeCall) -> Ex {
        let count = call.arguments.len();
        if let Some(function) = host::global(&call.name).filter(|function| function.counts().contains(&count)) {
            return self.host_call(function, "", &call.arguments, call.position);
        }
        let (node, position, size, this, name) = (call.node.clone(), call.position, self.frame, self.this, call.name.clone());
        let native = native::lookup(&call.name, count);
        let by_reference = match call.arguments.first() {
            Some(ir::Expr::Variable(variable)) => Some((variable.slot, self.places[variable.slot].is_constant)),
            Some(ir::Expr::This(_)) => Some((self.this, false)),
            _ => None,
        };
        let mut rest = self.list_of(&call.arguments);
        let first = (!rest.is_empty()).then(|| rest.remove(0));
        let rest: Box<[Ex]> = rest.into();
        Box::new(move |machine, code, frame| {
            let Some(first) = &first else { return machine.slow(code, &node, &mut []) };
            let Some((slot, mut is_constant)) = by_reference else {
                let mut receiver = first(machine, code, frame)?.flatten();
                let mut arguments = evaluate(&rest, machine, code, frame)?;
                let site = Site::new(machine, code, &mut frame[size..], position);
                return site.call_native(native, &node, &mut receiver, &mut arguments, false);
            };
            let mut arguments = evaluate(&rest, machine, code, frame)?;
            // Reads it as a variable, with all that can be wrong with that.
            let mut receiver = first(machine, code, frame)?;
            if slot == this && matches!(frame[this + 1], Value::Bool(false)) {
                let changes = native.and_then(|native| native.of(&receiver)).is_some_and(|native| native.effect == native::Effect::Changes);
                if changes {
                    return Err(EvalAltResult::ErrorNonPureMethodCallOnConstant(name.to_string(), position).into());
                }
                is_constant = true;
            }
            // Of a constant, or of a variable that closures have captured, it gets a copy.
            if is_constant || frame[slot].is_shared() {
                receiver = receiver.flatten();
                let site = Site::new(machine, code, &mut frame[size..], position);
                return site.call_native(native, &node, &mut receiver, &mut arguments, false);
            }
            let (own, free) = frame.split_at_mut(size);
            // It is held once, so that it can be changed where it is.
            own[slot] = Value::Unit;
            let result = Site::new(machine, code, free, position).call_native(native, &node, &mut receiver, &mut arguments, true);
            own[slot] = receiver;
            result
        })
    }

    /// Calls a function of the host.
    pub(super) fn host_call(
        &mut self,
        function: &'static HostFunction,
        of: &'static str,
        arguments: &[ir::Expr],
        position: Position,
    ) -> Ex {
        let (arguments, size) = (self.arguments_first_last(arguments), self.frame);
        Box::new(move |machine, code, frame| {
            let mut values = evaluate_first_last(&arguments, machine, code, frame)?;
            Site::new(machine, code, &mut frame[size..], position).call_host(function, of, &mut values)
        })
    }

    /// Makes closures of arguments; `true`: the first is a variable, which is read after the others.
    pub(super) fn arguments_first_last(&mut self, arguments: &[ir::Expr]) -> (Box<[Ex]>, bool) {
        let is_last = matches!(arguments.first(), Some(ir::Expr::Variable(_) | ir::Expr::This(_)));
        (self.list_of(arguments).into(), is_last)
    }
}

/// Evaluates arguments in the order in which Rhai does.
pub(super) fn evaluate_first_last(
    (arguments, is_last): &(Box<[Ex]>, bool),
    machine: &mut Machine<'_>,
    code: &Code,
    frame: &mut [Value],
) -> Outcome<SmallVec<[Value; 6]>> {
    match &arguments[..] {
        [first, rest @ ..] if *is_last => {
            let mut values = SmallVec::new();
            values.push(Value::Unit);
            for argument in rest {
                values.push(argument(machine, code, frame)?.flatten());
            }
            values[0] = first(machine, code, frame)?.flatten();
            Ok(values)
        }
        arguments => evaluate(arguments, machine, code, frame),
    }
}

impl Site<'_, '_> {
    /// Calls a native function on values that are there; what it is called on is at a place, or nobody's.
    fn call_native(
        mut self,
        native: Option<&native::Native>,
        node: &rhai::Expr,
        receiver: &mut Value,
        arguments: &mut [Value],
        is_place: bool,
    ) -> Outcome {
        let position = self.position;
        if let Some(method) = native.and_then(|native| native.of(receiver))
            && let Some(result) = (method.run)(&mut self, receiver, arguments).map_err(|failure| failed_at(failure, position))?
        {
            self.machine.check(&result, position)?;
            if is_place {
                self.machine.check(receiver, position)?;
            }
            self.machine.grown()?;
            return Ok(result);
        }
        let mut operands: SmallVec<[Value; 6]> = SmallVec::with_capacity(arguments.len() + 1);
        operands.push(mem::take(receiver));
        operands.extend(arguments.iter_mut().map(mem::take));
        if !is_place {
            return self.machine.slow(self.code, node, &mut operands);
        }
        let result = self.machine.slow_with(self.code, node, &mut operands, slow::Operands::Changed);
        *receiver = mem::take(&mut operands[0]);
        result
    }

    /// Calls a function of the host.
    pub(super) fn call_host(&mut self, function: &'static HostFunction, of: &'static str, arguments: &mut [Value]) -> Outcome {
        let position = self.position;
        self.machine.settle()?;
        let result = host::by_script(function, of, self, arguments).map_err(|failure| failed_at(failure, position))?;
        self.machine.check(&result, position)?;
        self.machine.grown()?;
        Ok(result)
    }
}

impl Machine<'_> {
    /// Calls one of Rhai's functions, or the host's, by its name. The arguments are what it made of them after it.
    pub(super) fn native_by_name(
        &mut self,
        code: &Code,
        name: &str,
        arguments: &mut [Value],
        is_place: bool,
        position: Position,
    ) -> Outcome {
        let mut values: SmallVec<[Dynamic; 6]> = arguments.iter_mut().map(|value| mem::take(value).into_rhai()).collect();
        let result = self.with_rhai(code, |engine, state| {
            let mut arguments: SmallVec<[&mut Dynamic; 6]> = values.iter_mut().collect();
            let (global, caches, scope) = state.parts();
            EvalContext::new(engine, global, caches, scope, None).call_native_fn_raw(name, is_place, &mut arguments)
        })?;
        if let (true, Some(first), Some(value)) = (is_place, arguments.first_mut(), values.first_mut()) {
            *first = Value::of(value.take());
        }
        match result {
            Ok(value) => Ok(Value::of(value.flatten())),
            Err(mut failure) => {
                set_places(&mut failure, position);
                Err(Leave::Failed(failure))
            }
        }
    }
}

/// Gives a failure the place of the call. A function that it did not find was looked for there, too.
#[cold]
fn set_places(failure: &mut EvalAltResult, position: Position) {
    if let EvalAltResult::ErrorInFunctionCall(_, _, inner, _) = failure
        && let EvalAltResult::ErrorFunctionNotFound(..) = **inner
    {
        set_places(inner, position);
    }
    if failure.position().is_none() {
        failure.set_position(position);
    }
}
