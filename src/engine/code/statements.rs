//! Blocks, declarations, assignments, and the ways out.

use rhai::{EvalAltResult, ImmutableString, Locked, Position, Shared};

use super::{
    Compiler, Ex, Machine,
    functions::put_int,
    machine::{Flow, Leave, Outcome, clear},
    races::{adds_itself, free},
    slow,
    types::Type,
};
use crate::engine::{
    ir,
    own::{self, Value},
};

impl Compiler<'_> {
    /// Runs the statements of a block, whose variables end with it. Its value is that of the last.
    pub fn block(&mut self, block: &ir::Block) -> Ex {
        let slots = block.slots.clone();
        // Numbers need no dropping.
        let holds = self.version.places[slots.clone()].contains(&Type::Any);
        let run = self.statements(&block.statements);
        if !holds {
            return run;
        }
        Box::new(move |machine, code, frame| {
            let result = run(machine, code, frame);
            clear(&mut frame[slots.clone()]);
            result
        })
    }

    /// Runs statements; the value is that of the last.
    pub fn statements(&mut self, statements: &[ir::Statement]) -> Ex {
        let mut all: Vec<Ex> = statements.iter().map(|statement| self.statement(statement)).collect();
        let Some(last) = all.pop() else { return Box::new(|_, _, _| Ok(Value::Unit)) };
        match <[Ex; 1]>::try_from(all) {
            Ok([first]) => Box::new(move |machine, code, frame| {
                first(machine, code, frame)?;
                last(machine, code, frame)
            }),
            Err(all) if all.is_empty() => last,
            Err(all) => {
                let all = all.into_boxed_slice();
                Box::new(move |machine, code, frame| {
                    for statement in &all {
                        statement(machine, code, frame)?;
                    }
                    last(machine, code, frame)
                })
            }
        }
    }

    /// Runs a statement.
    pub fn statement(&mut self, statement: &ir::Statement) -> Ex {
        match statement {
            ir::Statement::Nothing => Box::new(|_, _, _| Ok(Value::Unit)),
            ir::Statement::Let { slot, value, is_global } => self.declare(*slot, value, *is_global),
            ir::Statement::Assign(assign) => self.assign(assign),
            ir::Statement::AssignIn(assign) => self.assign_in(assign),
            ir::Statement::AssignNowhere(assign) => {
                let (value, target) = (self.expr(&assign.value), self.expr(&assign.target));
                let (name, position) = (assign.name.clone(), assign.position);
                Box::new(move |machine, code, frame| {
                    value(machine, code, frame)?;
                    target(machine, code, frame)?;
                    Err(to_constant(&name, position))
                })
            }
            ir::Statement::Expr(expr) => self.expr(expr),
            ir::Statement::While { condition, body } => self.while_loop(condition.as_ref(), body),
            ir::Statement::Do { body, condition, until } => self.do_loop(body, condition, *until),
            ir::Statement::For(over) => self.for_loop(over),
            ir::Statement::Break(value) => self.leave(Flow::Break, value.as_ref()),
            ir::Statement::Continue => self.leave(Flow::Continue, None),
            ir::Statement::Return(value) => self.leave(Flow::Return, value.as_ref()),
            ir::Statement::Throw(value, position) => {
                let (value, position) = (value.as_ref().map(|value| self.expr(value)), *position);
                Box::new(move |machine, code, frame| {
                    let value = match &value {
                        Some(value) => value(machine, code, frame)?,
                        None => Value::Unit,
                    };
                    Err(EvalAltResult::ErrorRuntime(value.into_rhai(), position).into())
                })
            }
            ir::Statement::Try(attempt) => self.attempt(attempt),
            ir::Statement::Import(import) => self.import(import),
        }
    }

    fn leave(&mut self, flow: Flow, value: Option<&ir::Expr>) -> Ex {
        match value {
            Some(value) => {
                let value = self.expr(value);
                Box::new(move |machine, code, frame| {
                    machine.result = value(machine, code, frame)?;
                    machine.flow = flow;
                    Err(Leave::Flow)
                })
            }
            None => Box::new(move |machine, _, _| {
                machine.result = Value::Unit;
                machine.flow = flow;
                Err(Leave::Flow)
            }),
        }
    }

    fn declare(&mut self, slot: ir::Slot, value: &ir::Expr, is_global: bool) -> Ex {
        if !is_global && self.is_int(slot) && self.of(value) == Type::Int {
            return self.put_int(slot, value);
        }
        let value = self.expr(value);
        if self.places[slot].is_constant && !is_global {
            return Box::new(move |machine, code, frame| {
                let value = value(machine, code, frame)?;
                machine.additions.forget(&value);
                frame[slot] = value;
                Ok(Value::Unit)
            });
        }
        if !is_global {
            return Box::new(move |machine, code, frame| {
                frame[slot] = value(machine, code, frame)?;
                Ok(Value::Unit)
            });
        }
        let name = self.places[slot].name.clone();
        Box::new(move |machine, code, frame| {
            let value = value(machine, code, frame)?;
            machine.additions.forget(&value);
            let constants = machine.state(code).global.constants.get_or_insert_with(|| Shared::new(Locked::default()));
            if let Ok(mut constants) = constants.write() {
                constants.insert(name.clone(), value.to_rhai());
            }
            frame[slot] = value;
            Ok(Value::Unit)
        })
    }

    fn assign(&mut self, assign: &ir::Assign) -> Ex {
        let (slot, position) = (assign.slot, assign.position);
        let place = &self.places[slot];
        let (is_shared, is_constant, name) = (place.is_shared, place.is_constant, place.name.clone());
        if is_constant {
            let value = self.expr(&assign.value);
            return Box::new(move |machine, code, frame| {
                value(machine, code, frame)?;
                Err(to_constant(&name, position))
            });
        }
        match &assign.op {
            None if is_shared => {
                let value = self.expr(&assign.value);
                Box::new(move |machine, code, frame| {
                    let value = value(machine, code, frame)?;
                    free(&frame[slot])?;
                    if matches!(&frame[slot], Value::Shared(shared) if shared.is_constant) {
                        return Err(to_constant(&name, position));
                    }
                    frame[slot].set(value);
                    Ok(Value::Unit)
                })
            }
            None if self.is_int(slot) && self.of(&assign.value) == Type::Int => self.put_int(slot, &assign.value),
            None => {
                let value = self.expr(&assign.value);
                Box::new(move |machine, code, frame| {
                    frame[slot] = value(machine, code, frame)?;
                    Ok(Value::Unit)
                })
            }
            Some(op) if is_shared => self.assign_shared(assign, op),
            Some(op) => self.assign_with(slot, op, &assign.value),
        }
    }

    fn is_int(&self, slot: ir::Slot) -> bool {
        self.version.places[slot] == Type::Int
    }

    fn put_int(&mut self, slot: ir::Slot, value: &ir::Expr) -> Ex {
        let value = self.int(value);
        Box::new(move |machine, code, frame| {
            let number = value(machine, code, frame)?;
            put_int(&mut frame[slot], number);
            Ok(Value::Unit)
        })
    }

    fn assign_shared(&mut self, assign: &ir::Assign, op: &ir::OpAssign) -> Ex {
        let (slot, position, name) = (assign.slot, assign.position, self.places[assign.slot].name.clone());
        let value = self.expr(&assign.value);
        let op = op.clone();
        Box::new(move |machine, code, frame| {
            let value = value(machine, code, frame)?;
            free(&frame[slot])?;
            let Value::Shared(shared) = &frame[slot] else {
                return machine.assign(code, &op, &mut frame[slot], value);
            };
            // The place may be dropped meanwhile, by what Rhai calls.
            let shared = shared.clone();
            if shared.is_constant {
                return Err(to_constant(&name, position));
            }
            shared.lock();
            let is_free = adds_itself(&op, &shared.get(), &value);
            shared.unlock();
            is_free?;
            let mut inner = std::mem::take(&mut *shared.borrow_mut());
            let result = machine.assign(code, &op, &mut inner, value);
            shared.set(inner);
            result
        })
    }

    fn assign_with(&mut self, slot: ir::Slot, op: &ir::OpAssign, value: &ir::Expr) -> Ex {
        let op = op.clone();
        let types = (self.version.places[slot], self.of(value));
        match (op.op, value) {
            (ir::Op::Add, ir::Expr::Constant(ir::Constant::Int(number))) => {
                let number = *number;
                Box::new(move |machine, code, frame| {
                    if let Value::Int(place) = &mut frame[slot]
                        && let Some(sum) = place.checked_add(number)
                    {
                        *place = sum;
                        return Ok(Value::Unit);
                    }
                    machine.assign(code, &op, &mut frame[slot], Value::Int(number))
                })
            }
            (ir::Op::Add, _) if types == (Type::Int, Type::Int) => {
                let value = self.int(value);
                Box::new(move |machine, code, frame| {
                    let number = value(machine, code, frame)?;
                    if let Value::Int(place) = &mut frame[slot]
                        && let Some(sum) = place.checked_add(number)
                    {
                        *place = sum;
                        return Ok(Value::Unit);
                    }
                    machine.assign(code, &op, &mut frame[slot], Value::Int(number))
                })
            }
            (ir::Op::Add, _) if matches!(types, (Type::Float, Type::Float | Type::Int)) => {
                let value = self.float(value);
                Box::new(move |machine, code, frame| {
                    let number = value(machine, code, frame)?;
                    if let Value::Float(place) = &mut frame[slot] {
                        *place += number;
                        return Ok(Value::Unit);
                    }
                    machine.assign(code, &op, &mut frame[slot], Value::Float(number))
                })
            }
            (ir::Op::Add, _) => {
                let value = self.expr(value);
                Box::new(move |machine, code, frame| {
                    let value = value(machine, code, frame)?;
                    if let (Value::Int(place), Value::Int(number)) = (&mut frame[slot], &value)
                        && let Some(sum) = place.checked_add(*number)
                    {
                        *place = sum;
                        return Ok(Value::Unit);
                    }
                    machine.assign(code, &op, &mut frame[slot], value)
                })
            }
            _ => {
                let value = self.expr(value);
                Box::new(move |machine, code, frame| {
                    let value = value(machine, code, frame)?;
                    machine.assign(code, &op, &mut frame[slot], value)
                })
            }
        }
    }
}

impl Machine<'_> {
    /// Does what `place op= value` does.
    pub fn assign(&mut self, code: &super::Code, op: &ir::OpAssign, place: &mut Value, value: Value) -> Outcome {
        if own::assign(op.op, place, &value) {
            self.grown()?;
            return Ok(Value::Unit);
        }
        let mut operands = [std::mem::take(place), value];
        let result = self.slow_statement(code, &op.node, &mut operands, slow::Operands::Changed);
        *place = std::mem::take(&mut operands[0]);
        result
    }
}

/// Returns the error of an assignment to a constant.
#[cold]
pub fn to_constant(name: &ImmutableString, position: Position) -> Leave {
    EvalAltResult::ErrorAssignmentToConstant(name.to_string(), position).into()
}
