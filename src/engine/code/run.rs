//! Runs a file.

use std::cell::Cell;

use rhai::EvalAltResult;

use super::{
    Body, Code, Machine,
    machine::{Leave, Outcome},
};
use crate::engine::{
    meter,
    own::{Failure, Value},
};

/// How many places the stack of a thread has.
const STACK: usize = 1024;

thread_local! {
    /// The stack of the next run. It holds nothing that needs dropping.
    static NEXT: Cell<Vec<Value>> = const { Cell::new(Vec::new()) };
}

/// Runs what stands outside of the functions of a file.
pub fn run(code: &Code, engine: &rhai::Engine) -> Result<Value, Failure> {
    let mut machine = Machine::new(engine);
    let mut stack = NEXT.take();
    let places = code.functions[code.main].frame().max(STACK);
    if stack.len() < places {
        meter::beside(|| stack.resize_with(places, Value::default));
    }
    super::bridge::begin();
    machine.begin(code);
    let result = main(&mut machine, code, &mut stack);
    super::bridge::end();
    if result.is_err() {
        // What was left in a hurry has not dropped its values.
        stack.iter_mut().for_each(|place| *place = Value::Unit);
    }
    NEXT.set(stack);
    let settled = machine.settle();
    match result.and_then(|value| settled.map(|()| value)) {
        Ok(value) => Ok(value),
        Err(Leave::Failed(failure)) => Err(failure),
        Err(Leave::Flow) => Ok(Value::Unit),
    }
}

fn main(machine: &mut Machine<'_>, code: &Code, stack: &mut [Value]) -> Outcome {
    let main = &code.functions[code.main];
    machine.count(main.cost)?;
    stack[main.this + 1] = Value::Unit;
    let result = match &main.body {
        Body::Any(body) => body(machine, code, stack),
        Body::Ints(body) => body(machine, code, stack).map(Value::Int),
    };
    super::machine::clear(&mut stack[..main.this]);
    match result {
        Ok(value) => Ok(value),
        Err(Leave::Flow) => Ok(std::mem::take(&mut machine.result)),
        Err(Leave::Failed(failure)) => match *failure {
            EvalAltResult::Exit(value, _) => Ok(Value::of(value)),
            failure => Err(failure.into()),
        },
    }
}
