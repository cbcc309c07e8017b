//! Numbers without a wrapper, where the types of a version say what an expression gives.

use std::sync::Arc;

use rhai::Position;

use super::{
    Body, Closure, Code, Compiler, Ex, Function, Machine, Outcome,
    functions::put_int,
    operators::by_comparison,
    types::{Type, VersionId},
};
use crate::engine::{
    ir::{self, Block, Constant, Expr, Node, Op, Statement, UnaryOp},
    own::{self, Value},
};

/// An expression that gives whole numbers.
pub type Ints = Closure<i64>;

/// An expression that gives numbers with a point.
pub type Floats = Closure<f64>;

impl Compiler<'_> {
    /// Returns what an expression gives.
    pub fn of(&self, expr: &Expr) -> Type {
        self.types.of_expr(expr, &self.version.places)
    }

    /// Evaluates an expression that gives whole numbers.
    pub fn int(&mut self, expr: &Expr) -> Ints {
        match expr {
            Expr::Constant(Constant::Int(number)) => {
                let number = *number;
                Box::new(move |_, _, _| Ok(number))
            }
            Expr::Variable(variable) => {
                let slot = variable.slot;
                Box::new(move |_, _, frame| Ok(int_of(&frame[slot])))
            }
            Expr::Block(block) => self.int_block(block),
            Expr::If(choice) if !choice.otherwise.statements.is_empty() => self.int_choice(choice),
            Expr::Unary(unary) if unary.op == UnaryOp::Plus => self.int(&unary.operand),
            Expr::Binary(binary) if (self.of(&binary.left), self.of(&binary.right)) == (Type::Int, Type::Int) => match binary.op {
                Op::Add => self.int_binary(binary, i64::checked_add),
                Op::Subtract => self.int_binary(binary, i64::checked_sub),
                Op::Multiply => self.int_binary(binary, i64::checked_mul),
                Op::Divide => self.int_binary(binary, i64::checked_div),
                Op::Remainder => self.int_binary(binary, i64::checked_rem),
                Op::And => self.int_binary(binary, |left, right| Some(left & right)),
                Op::Or => self.int_binary(binary, |left, right| Some(left | right)),
                Op::Xor => self.int_binary(binary, |left, right| Some(left ^ right)),
                _ => self.int_of(expr),
            },
            Expr::Call(call) => self.int_call(call),
            _ => self.int_of(expr),
        }
    }

    fn int_of(&mut self, expr: &Expr) -> Ints {
        unwrapped(self.expr(expr))
    }

    fn int_choice(&mut self, choice: &ir::If) -> Ints {
        if let Expr::Binary(binary) = &choice.condition.expr
            && let (Expr::Variable(variable), Expr::Constant(Constant::Int(with))) = (&binary.left, &binary.right)
            && self.of(&binary.left) == Type::Int
        {
            let (slot, with) = (variable.slot, *with);
            // Other operators decide nothing.
            by_comparison!(
                binary.op,
                |numbers| return self.int_choice_by(choice, move |frame| numbers(int_of(&frame[slot]), with)),
                otherwise {}
            );
        }
        let (then, otherwise) = (self.choice_of(&choice.then), self.choice_of(&choice.otherwise));
        let condition = self.condition(&choice.condition);
        Box::new(move |machine, code, frame| {
            let chosen = if condition(machine, code, frame)? { &then } else { &otherwise };
            chosen.get(machine, code, frame)
        })
    }

    /// A choice by a number in a variable and one that is written there.
    fn int_choice_by(&mut self, choice: &ir::If, condition: impl Fn(&[Value]) -> bool + Send + Sync + 'static) -> Ints {
        let (then, otherwise) = (self.choice_of(&choice.then), self.choice_of(&choice.otherwise));
        Box::new(
            move |machine, code, frame| if condition(frame) { then.get(machine, code, frame) } else { otherwise.get(machine, code, frame) },
        )
    }

    fn choice_of(&mut self, block: &Block) -> Choice {
        match &*block.statements {
            [Statement::Expr(Expr::Variable(variable))] => Choice::Slot(variable.slot),
            [Statement::Expr(Expr::Constant(Constant::Int(number)))] => Choice::Int(*number),
            _ => Choice::Other(self.int_block(block)),
        }
    }

    fn int_block(&mut self, block: &Block) -> Ints {
        match &*block.statements {
            [Statement::Expr(value)] => self.int(value),
            _ => unwrapped(self.block(block)),
        }
    }

    /// The body of a function that gives whole numbers. Its variables end with the call.
    pub(super) fn int_body(&mut self, statements: &[Statement]) -> Ints {
        match statements {
            [before @ .., Statement::Expr(value)] if self.of(value) == Type::Int => {
                let value = self.int(value);
                if before.is_empty() {
                    return value;
                }
                let before = self.statements(before);
                Box::new(move |machine, code, frame| {
                    before(machine, code, frame)?;
                    value(machine, code, frame)
                })
            }
            _ => unwrapped(self.statements(statements)),
        }
    }

    pub(super) fn int_binary(
        &mut self,
        binary: &ir::Binary,
        result: impl Fn(i64, i64) -> Option<i64> + Copy + Send + Sync + 'static,
    ) -> Ints {
        let (op, node) = (binary.op, Arc::clone(&binary.node));
        match (&binary.left, &binary.right) {
            (Expr::Variable(left), Expr::Constant(Constant::Int(right))) => {
                let (left, right) = (left.slot, *right);
                Box::new(move |machine, code, frame| {
                    let left = int_of(&frame[left]);
                    result(left, right).map_or_else(|| beyond(machine, code, op, &node, left, right), Ok)
                })
            }
            (Expr::Variable(left), Expr::Variable(right)) => {
                let (left, right) = (left.slot, right.slot);
                Box::new(move |machine, code, frame| {
                    let (left, right) = (int_of(&frame[left]), int_of(&frame[right]));
                    result(left, right).map_or_else(|| beyond(machine, code, op, &node, left, right), Ok)
                })
            }
            (left, Expr::Constant(Constant::Int(right))) => {
                let (left, right) = (self.int(left), *right);
                Box::new(move |machine, code, frame| {
                    let left = left(machine, code, frame)?;
                    result(left, right).map_or_else(|| beyond(machine, code, op, &node, left, right), Ok)
                })
            }
            (left, right) => {
                let (left, right) = (self.int(left), self.int(right));
                Box::new(move |machine, code, frame| {
                    let left = left(machine, code, frame)?;
                    let right = right(machine, code, frame)?;
                    result(left, right).map_or_else(|| beyond(machine, code, op, &node, left, right), Ok)
                })
            }
        }
    }

    fn int_call(&mut self, call: &ir::Call) -> Ints {
        let [argument] = &*call.arguments else { return unwrapped(self.call(call)) };
        if self.of(argument) != Type::Int {
            return unwrapped(self.call(call));
        }
        // What is mostly given to a function that calls itself needs no closure of its own.
        if let Expr::Binary(binary) = argument
            && let (Expr::Variable(left), Expr::Constant(Constant::Int(right)), Op::Subtract) = (&binary.left, &binary.right, binary.op)
            && self.of(&binary.left) == Type::Int
        {
            let (left, right, node) = (left.slot, *right, Arc::clone(&binary.node));
            return self.int_call_with(call, move |machine, code, frame| {
                let left = int_of(&frame[left]);
                left.checked_sub(right).map_or_else(|| beyond(machine, code, Op::Subtract, &node, left, right), Ok)
            });
        }
        let argument = self.int(argument);
        self.int_call_with(call, argument)
    }

    fn int_call_with(
        &self,
        call: &ir::Call,
        argument: impl Fn(&mut Machine<'_>, &Code, &mut [Value]) -> Outcome<i64> + Send + Sync + 'static,
    ) -> Ints {
        let (id, position, base) = (self.version_of(call), call.position, self.frame);
        Box::new(move |machine, code, frame| {
            let argument = argument(machine, code, frame)?;
            let (function, free) = (&code.functions[id], &mut frame[base..]);
            if let Body::Ints(body) = &function.body
                && function.is_plain
                && free.len() >= function.frame()
                && machine.enters(function.cost)
            {
                put_int(&mut free[0], argument);
                let result = body(machine, code, free);
                machine.level -= 1;
                return match result {
                    Ok(number) => Ok(number),
                    Err(leave) => machine.left(code, function, leave, position).map(|value| int_of(&value)),
                };
            }
            machine.run_with_int(code, function, free, position, argument)
        })
    }

    /// Returns which version of a function a call is for.
    pub(super) fn version_of(&self, call: &ir::Call) -> VersionId {
        self.types.version(call.function, &self.types.of_arguments(call, &self.version.places))
    }

    /// Evaluates an expression that gives numbers, as ones with a point.
    pub fn float(&mut self, expr: &Expr) -> Floats {
        match (expr, self.of(expr)) {
            (Expr::Constant(Constant::Float(number)), _) => {
                let number = *number;
                Box::new(move |_, _, _| Ok(number))
            }
            (_, Type::Int) => {
                let number = self.int(expr);
                Box::new(move |machine, code, frame| Ok(number(machine, code, frame)? as f64))
            }
            (Expr::Variable(variable), _) => {
                let slot = variable.slot;
                Box::new(move |_, _, frame| Ok(float_of(&frame[slot])))
            }
            (Expr::Binary(binary), _) if self.are_floats(binary) && binary.op != Op::Power => self.float_result(binary),
            _ => self.float_of(expr),
        }
    }

    /// What an operator gives of numbers of which one has a point.
    pub(super) fn float_result(&mut self, binary: &ir::Binary) -> Floats {
        match binary.op {
            Op::Add => self.float_binary(binary, |left, right| left + right),
            Op::Subtract => self.float_binary(binary, |left, right| left - right),
            Op::Multiply => self.float_binary(binary, |left, right| left * right),
            Op::Divide => self.float_binary(binary, |left, right| left / right),
            _ => self.float_binary(binary, |left, right| left % right),
        }
    }

    fn float_of(&mut self, expr: &Expr) -> Floats {
        let value = self.expr(expr);
        Box::new(move |machine, code, frame| Ok(float_of(&value(machine, code, frame)?)))
    }

    /// Whether both are numbers, and not both whole ones.
    pub(super) fn are_floats(&self, binary: &ir::Binary) -> bool {
        matches!((self.of(&binary.left), self.of(&binary.right)), (Type::Float, Type::Float | Type::Int) | (Type::Int, Type::Float))
    }

    fn float_binary(&mut self, binary: &ir::Binary, result: impl Fn(f64, f64) -> f64 + Send + Sync + 'static) -> Floats {
        let (left, right) = (self.float(&binary.left), self.float(&binary.right));
        Box::new(move |machine, code, frame| {
            let left = left(machine, code, frame)?;
            Ok(result(left, right(machine, code, frame)?))
        })
    }
}

/// A whole number that may be there without a closure.
enum Choice {
    Slot(ir::Slot),
    Int(i64),
    Other(Ints),
}

impl Choice {
    #[inline(always)]
    fn get(&self, machine: &mut Machine<'_>, code: &Code, frame: &mut [Value]) -> Outcome<i64> {
        match self {
            Self::Slot(slot) => Ok(int_of(&frame[*slot])),
            Self::Int(number) => Ok(*number),
            Self::Other(number) => number(machine, code, frame),
        }
    }
}

fn unwrapped(value: Ex) -> Ints {
    Box::new(move |machine, code, frame| Ok(int_of(&value(machine, code, frame)?)))
}

impl Machine<'_> {
    #[inline(never)]
    fn run_with_int(&mut self, code: &Code, function: &Function, free: &mut [Value], position: Position, argument: i64) -> Outcome<i64> {
        self.run(code, function, free, position, &mut [Value::Int(argument)]).map(|value| int_of(&value))
    }
}

/// Returns the whole number that a value is.
#[inline(always)]
pub fn int_of(value: &Value) -> i64 {
    match value {
        Value::Int(number) => *number,
        value => other_type("a whole number", value),
    }
}

#[inline(always)]
fn float_of(value: &Value) -> f64 {
    match value {
        Value::Float(number) => *number,
        value => other_type("a number with a point", value),
    }
}

#[cold]
#[inline(never)]
fn other_type(wanted: &str, found: &Value) -> ! {
    unreachable!("the types of the version say {wanted}, and it is of type {}", found.type_name())
}

/// An operator whose result is no whole number of 64 bits: Rhai says so.
#[cold]
#[inline(never)]
fn beyond(machine: &mut Machine<'_>, code: &Code, op: Op, node: &Node, left: i64, right: i64) -> Outcome<i64> {
    let (left, right) = (Value::Int(left), Value::Int(right));
    let result = match own::binary(op, &left, &right) {
        Some(result) => result,
        None => machine.slow(code, node, &mut [left, right])?,
    };
    Ok(int_of(&result))
}
