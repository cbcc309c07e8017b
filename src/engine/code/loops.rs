//! Loops.

use std::{
    ops::{ControlFlow, Range, RangeInclusive},
    rc::Rc,
    sync::Arc,
};

use rhai::{Dynamic, EvalAltResult, Position};

use super::{
    Code, Compiler, Ex, Machine,
    functions::put_int,
    machine::{Flow, Leave, Outcome},
};
use crate::engine::{
    ir::{self, Slot},
    own::Value,
};

/// What a turn of a loop came to: whether the loop goes on, or its value.
type Turn = Outcome<ControlFlow<Value>>;

/// Says whether a loop goes on after its body.
#[inline(always)]
fn after(machine: &mut Machine<'_>, body: Outcome) -> Turn {
    match body {
        Ok(_) => Ok(ControlFlow::Continue(())),
        Err(Leave::Flow) => left(machine),
        Err(failed) => Err(failed),
    }
}

fn left(machine: &mut Machine<'_>) -> Turn {
    match machine.flow {
        Flow::Continue => Ok(ControlFlow::Continue(())),
        Flow::Break => Ok(ControlFlow::Break(std::mem::take(&mut machine.result))),
        Flow::Return => Err(Leave::Flow),
    }
}

impl Compiler<'_> {
    pub(super) fn while_loop(&mut self, condition: Option<&ir::Condition>, body: &ir::Block) -> Ex {
        let cost = body.cost.max(1);
        let body = self.block(body);
        let Some(condition) = condition else {
            return Box::new(move |machine, code, frame| {
                loop {
                    machine.count(cost)?;
                    let result = body(machine, code, frame);
                    if let ControlFlow::Break(value) = after(machine, result)? {
                        return Ok(value);
                    }
                }
            });
        };
        let condition = self.condition(condition);
        Box::new(move |machine, code, frame| {
            while condition(machine, code, frame)? {
                machine.count(cost)?;
                let result = body(machine, code, frame);
                if let ControlFlow::Break(value) = after(machine, result)? {
                    return Ok(value);
                }
            }
            Ok(Value::Unit)
        })
    }

    pub(super) fn do_loop(&mut self, body: &ir::Block, condition: &ir::Condition, until: bool) -> Ex {
        let cost = body.cost.max(1);
        let (body, condition) = (self.block(body), self.condition(condition));
        Box::new(move |machine, code, frame| {
            loop {
                machine.count(cost)?;
                match body(machine, code, frame) {
                    Ok(_) => {}
                    Err(Leave::Flow) => match left(machine)? {
                        // Rhai does not look at the condition then.
                        ControlFlow::Continue(()) => continue,
                        ControlFlow::Break(value) => return Ok(value),
                    },
                    Err(failed) => return Err(failed),
                }
                if condition(machine, code, frame)? == until {
                    return Ok(Value::Unit);
                }
            }
        })
    }

    pub(super) fn for_loop(&mut self, over: &ir::For) -> Ex {
        let is_shared = |slot: Slot| self.places[slot].is_shared;
        let (slot, position) = (over.slot, over.position);
        let counter = over.counter.map(|slot| (slot, is_shared(slot)));
        let turns = Turns { slot, is_shared: is_shared(slot), counter, cost: over.body.cost.max(1), body: self.block(&over.body) };
        match &over.over {
            ir::Over::Range { from, to, is_inclusive, node } => {
                let (from, to, is_inclusive, node) = (self.expr(from), self.expr(to), *is_inclusive, Arc::clone(node));
                Box::new(move |machine, code, frame| {
                    let (from, to) = (from(machine, code, frame)?, to(machine, code, frame)?);
                    match (&from, &to) {
                        (Value::Int(from), Value::Int(to)) => turns.numbers(machine, code, frame, *from, *to, is_inclusive),
                        _ => {
                            let range = machine.slow(code, &node, &mut [from, to])?;
                            turns.over(machine, code, frame, range, position)
                        }
                    }
                })
            }
            ir::Over::Value(value) => {
                let value = self.expr(value);
                Box::new(move |machine, code, frame| {
                    let value = value(machine, code, frame)?;
                    turns.over(machine, code, frame, value, position)
                })
            }
        }
    }
}

/// The turns of a `for` loop.
struct Turns {
    slot: Slot,
    is_shared: bool,
    counter: Option<(Slot, bool)>,
    cost: u32,
    body: Ex,
}

impl Turns {
    fn over(&self, machine: &mut Machine<'_>, code: &Code, frame: &mut [Value], value: Value, position: Position) -> Outcome {
        match &value {
            Value::List(list) => {
                let list = Rc::clone(list);
                drop(value);
                self.all(machine, code, frame, (0..list.len()).map(|at| list[at].clone()))
            }
            Value::Short(text) => {
                let text = *text;
                self.all(machine, code, frame, text.as_str().chars().map(Value::Char))
            }
            Value::Long(text) => self.all(machine, code, frame, text.chars().map(Value::Char)),
            Value::Blob(bytes) => self.all(machine, code, frame, bytes.iter().map(|byte| Value::of(Dynamic::from(*byte)))),
            Value::Other(other) => {
                if let Some(range) = other.read_lock::<Range<i64>>() {
                    return self.numbers(machine, code, frame, range.start, range.end, false);
                }
                if let Some(range) = other.read_lock::<RangeInclusive<i64>>() {
                    let is_inclusive = !range.is_empty();
                    return self.numbers(machine, code, frame, *range.start(), *range.end(), is_inclusive);
                }
                let items = machine.items(code, value.clone(), position)?;
                self.all(machine, code, frame, items.into_iter())
            }
            _ => Err(EvalAltResult::ErrorFor(position).into()),
        }
    }

    /// Goes through whole numbers.
    fn numbers(&self, machine: &mut Machine<'_>, code: &Code, frame: &mut [Value], from: i64, to: i64, is_inclusive: bool) -> Outcome {
        let Some(last) = (if is_inclusive { Some(to) } else { to.checked_sub(1) }) else { return Ok(Value::Unit) };
        if self.is_shared || self.counter.is_some() {
            return self.all(machine, code, frame, (from..=last).map(Value::Int));
        }
        for number in from..=last {
            machine.count(self.cost)?;
            put_int(&mut frame[self.slot], number);
            let result = (self.body)(machine, code, frame);
            if let ControlFlow::Break(value) = after(machine, result)? {
                return Ok(value);
            }
        }
        Ok(Value::Unit)
    }

    /// Goes through values. The variables end with the loop.
    fn all(&self, machine: &mut Machine<'_>, code: &Code, frame: &mut [Value], values: impl Iterator<Item = Value>) -> Outcome {
        let result = self.each(machine, code, frame, values);
        frame[self.slot] = Value::Unit;
        if let Some((counter, _)) = self.counter {
            frame[counter] = Value::Unit;
        }
        result
    }

    fn each(&self, machine: &mut Machine<'_>, code: &Code, frame: &mut [Value], values: impl Iterator<Item = Value>) -> Outcome {
        // What an earlier loop left there is another variable.
        frame[self.slot] = Value::Unit;
        if let Some((counter, _)) = self.counter {
            frame[counter] = Value::Unit;
        }
        for (at, value) in values.enumerate() {
            machine.count(self.cost)?;
            if let Some((counter, is_shared)) = self.counter {
                put(&mut frame[counter], is_shared, Value::Int(at as i64));
            }
            put(&mut frame[self.slot], self.is_shared, value);
            let result = (self.body)(machine, code, frame);
            if let ControlFlow::Break(value) = after(machine, result)? {
                return Ok(value);
            }
        }
        Ok(Value::Unit)
    }
}

/// Gives the variable of a loop its next value. A closure of an earlier turn that captured it sees the new one, too.
#[inline(always)]
fn put(place: &mut Value, is_shared: bool, value: Value) {
    if is_shared { place.set(value) } else { *place = value }
}
