//! Calls of functions of the same file.

use rhai::{EvalAltResult, Position};
use smallvec::SmallVec;

use super::{
    Body, Code, Compiler, Ex, Function, Machine,
    machine::{Leave, Outcome, bound, clear},
};
use crate::engine::{
    ir,
    own::{Failure, Value},
};

/// The fewest places of a piece of stack that is made because another is full.
const PIECE: usize = 512;

impl Compiler<'_> {
    /// Calls a function of the file.
    pub(super) fn call(&mut self, call: &ir::Call) -> Ex {
        let (id, position, base) = (self.version_of(call), call.position, self.frame);
        if self.unit.functions[call.function].body.statements.is_empty() {
            return self.call_of_nothing(&call.arguments);
        }
        match &*call.arguments {
            [] => Box::new(move |machine, code, frame| {
                let function = &code.functions[id];
                machine.run(code, function, &mut frame[base..], position, &mut [])
            }),
            [argument] => {
                let argument = self.expr(argument);
                Box::new(move |machine, code, frame| {
                    let argument = argument(machine, code, frame)?;
                    let function = &code.functions[id];
                    let free = &mut frame[base..];
                    match free.get_mut(..function.frame()) {
                        Some(places) => {
                            places[0] = argument;
                            machine.run_placed(code, function, free, position)
                        }
                        None => machine.run(code, function, free, position, &mut [argument]),
                    }
                })
            }
            arguments => {
                let arguments = self.arguments(arguments);
                Box::new(move |machine, code, frame| {
                    let mut values = arguments.evaluate(machine, code, frame)?;
                    let function = &code.functions[id];
                    machine.run(code, function, &mut frame[base..], position, &mut values)
                })
            }
        }
    }

    /// A function without statements is not entered.
    fn call_of_nothing(&mut self, arguments: &[ir::Expr]) -> Ex {
        let arguments = self.arguments(arguments);
        Box::new(move |machine, code, frame| {
            arguments.evaluate(machine, code, frame)?;
            Ok(Value::Unit)
        })
    }

    /// Prepares arguments of a call that is no method.
    pub(super) fn arguments(&mut self, arguments: &[ir::Expr]) -> Arguments {
        let is_last = matches!(arguments, [ir::Expr::Variable(_) | ir::Expr::This(_), _, ..]);
        Arguments { values: self.list_of(arguments).into(), first_is_last: is_last }
    }

    /// Makes closures of arguments. A `this` that stands first and is read last has to be there before.
    pub(super) fn list_of(&mut self, arguments: &[ir::Expr]) -> Vec<Ex> {
        let mut values: Vec<Ex> = arguments.iter().map(|argument| self.expr(argument)).collect();
        if let [ir::Expr::This(position), _, ..] = arguments {
            let second = values.remove(1);
            values.insert(1, self.bound_before(*position, second));
        }
        values
    }

    /// Evaluates something, if there is a `this`.
    pub(super) fn bound_before(&self, position: Position, value: Ex) -> Ex {
        let this = self.this;
        Box::new(move |machine, code, frame| {
            bound(frame, this, position)?;
            value(machine, code, frame)
        })
    }
}

/// The arguments of a call.
pub struct Arguments {
    values: Box<[Ex]>,
    /// A first argument that is a variable is read after the others.
    first_is_last: bool,
}

/// The values of arguments.
pub type Values = SmallVec<[Value; 4]>;

impl Arguments {
    /// Evaluates them.
    pub fn evaluate(&self, machine: &mut Machine<'_>, code: &Code, frame: &mut [Value]) -> Outcome<Values> {
        let mut values = Values::new();
        if self.first_is_last {
            values.push(Value::Unit);
            for argument in &self.values[1..] {
                values.push(argument(machine, code, frame)?);
            }
            values[0] = self.values[0](machine, code, frame)?;
        } else {
            for argument in &self.values {
                values.push(argument(machine, code, frame)?);
            }
        }
        Ok(values)
    }
}

impl Machine<'_> {
    /// Calls a function with arguments, which it takes, and `this`, which it may change. The slice is what is free for its frame; if that is
    /// too short, it gets another. There must be as many arguments as it has parameters.
    pub fn call(
        &mut self,
        code: &Code,
        function: &Function,
        arguments: &mut [Value],
        this: Option<&mut Value>,
        position: Position,
        free: &mut [Value],
    ) -> Outcome {
        let may_change = !std::mem::take(&mut self.this_is_constant);
        if function.is_empty {
            return Ok(Value::Unit);
        }
        if free.len() < function.frame() {
            return self.on_new_piece(function, |machine, piece| {
                machine.this_is_constant = !may_change;
                machine.call(code, function, arguments, this, position, piece)
            });
        }
        for (place, argument) in free.iter_mut().zip(arguments) {
            *place = std::mem::take(argument);
        }
        let Some(this) = this.filter(|_| function.has_this) else { return self.run_placed(code, function, free, position) };
        free[function.this] = std::mem::take(this);
        free[function.this + 1] = Value::Bool(may_change);
        let result = self.enter_any(code, function, free, position);
        *this = std::mem::take(&mut free[function.this]);
        result
    }

    /// The same without `this`.
    #[inline]
    pub(super) fn run(
        &mut self,
        code: &Code,
        function: &Function,
        free: &mut [Value],
        position: Position,
        arguments: &mut [Value],
    ) -> Outcome {
        if free.len() < function.frame() {
            return self.on_new_piece(function, |machine, piece| machine.run(code, function, piece, position, arguments));
        }
        for (place, argument) in free.iter_mut().zip(arguments) {
            *place = std::mem::take(argument);
        }
        self.run_placed(code, function, free, position)
    }

    /// Calls a function whose arguments have their places.
    #[inline(always)]
    fn run_placed(&mut self, code: &Code, function: &Function, free: &mut [Value], position: Position) -> Outcome {
        if function.has_this {
            free[function.this + 1] = Value::Unit;
        }
        self.enter_any(code, function, free, position)
    }

    #[inline(always)]
    fn enter_any(&mut self, code: &Code, function: &Function, free: &mut [Value], position: Position) -> Outcome {
        if let Err(stop) = self.count(function.cost).map_err(|stop| at(stop, position)).and_then(|()| self.enter(position)) {
            clear(&mut free[..function.parameters]);
            return Err(stop);
        }
        let result = match &function.body {
            Body::Any(body) => body(self, code, free),
            Body::Ints(body) => body(self, code, free).map(Value::Int),
        };
        self.level -= 1;
        if function.holds {
            clear(&mut free[..function.this]);
        }
        result.or_else(|leave| self.left(code, function, leave, position))
    }

    /// Returns what a function gives that was left.
    #[inline(never)]
    pub(super) fn left(&mut self, code: &Code, function: &Function, leave: Leave, position: Position) -> Outcome {
        match leave {
            Leave::Flow => Ok(std::mem::take(&mut self.result)),
            Leave::Failed(failure) => Err(failed_in(code, function, failure, position)),
        }
    }

    /// Does something with a stack of its own: the one that there is has no room.
    #[cold]
    #[inline(never)]
    fn on_new_piece(&mut self, function: &Function, work: impl FnOnce(&mut Self, &mut [Value]) -> Outcome) -> Outcome {
        let mut piece: Vec<Value> = Vec::new();
        piece.resize_with(PIECE.max(function.frame() * 2), Value::default);
        self.grown()?;
        work(self, &mut piece)
    }
}

/// Puts a whole number in a place that mostly has one.
#[inline(always)]
pub fn put_int(place: &mut Value, number: i64) {
    match place {
        Value::Int(held) => *held = number,
        place => *place = Value::Int(number),
    }
}

/// Gives a stop the place of the call in which it came.
#[cold]
fn at(stop: Leave, position: Position) -> Leave {
    match stop {
        Leave::Failed(mut failure) => {
            failure.set_position(position);
            Leave::Failed(failure)
        }
        Leave::Flow => Leave::Flow,
    }
}

/// Returns a failure as the caller of the function sees it.
#[cold]
#[inline(never)]
fn failed_in(code: &Code, function: &Function, mut failure: Failure, position: Position) -> Leave {
    if matches!(*failure, EvalAltResult::Exit(..)) || failure.is_system_exception() {
        failure.set_position(position);
        return failure.into();
    }
    let source = code.source.as_ref().map(ToString::to_string).unwrap_or_default();
    EvalAltResult::ErrorInFunctionCall(function.name.to_string(), source, failure, position).into()
}
