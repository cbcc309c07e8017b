//! Operators and conditions.

use std::sync::Arc;

use rhai::Position;

use super::{Code, Compiler, Ex, Machine, Outcome, Test, types::Type};
use crate::engine::{
    ir::{self, Constant, Expr, Node, Op, UnaryOp},
    own::{self, Value},
};

/// Goes on with how an operator compares whole numbers, if it does. Each way has a type of its own, so that no call goes through a pointer.
macro_rules! by_comparison {
    ($op:expr, |$numbers:ident| $then:expr, otherwise $otherwise:expr) => {
        by_comparison!(@ $op, $numbers, $then, $otherwise, Less <, LessEqual <=, Greater >, GreaterEqual >=, Equal ==, NotEqual !=)
    };
    (@ $op:expr, $numbers:ident, $then:expr, $otherwise:expr, $($name:ident $sign:tt),*) => {
        match $op {
            $(Op::$name => {
                let $numbers = |left: i64, right: i64| left $sign right;
                $then
            })*
            _ => $otherwise,
        }
    };
}

pub(super) use by_comparison;

/// An operand that may be there without a closure.
enum Operand {
    /// A variable that is not shared.
    Slot(ir::Slot),
    Int(i64),
    Other(Ex),
}

impl Compiler<'_> {
    fn operand(&mut self, expr: &Expr) -> Operand {
        match expr {
            Expr::Variable(variable) if !self.places[variable.slot].is_shared => Operand::Slot(variable.slot),
            Expr::Constant(Constant::Int(number)) => Operand::Int(*number),
            expr => Operand::Other(self.expr(expr)),
        }
    }

    pub(super) fn unary(&mut self, unary: &ir::Unary) -> Ex {
        let (op, node) = (unary.op, Arc::clone(&unary.node));
        let operand = self.expr(&unary.operand);
        Box::new(move |machine, code, frame| {
            let value = operand(machine, code, frame)?;
            match (op, &value) {
                (UnaryOp::Not, Value::Bool(truth)) => Ok(Value::Bool(!truth)),
                (UnaryOp::Minus, Value::Int(number)) if *number != i64::MIN => Ok(Value::Int(-number)),
                (UnaryOp::Minus, Value::Float(number)) => Ok(Value::Float(-number)),
                (UnaryOp::Plus, Value::Int(_) | Value::Float(_)) => Ok(value),
                _ => machine.slow(code, &node, &mut [value]),
            }
        })
    }

    pub(super) fn binary(&mut self, binary: &ir::Binary) -> Ex {
        match binary.op {
            Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Remainder if self.are_floats(binary) => {
                let number = self.float_result(binary);
                Box::new(move |machine, code, frame| Ok(Value::Float(number(machine, code, frame)?)))
            }
            Op::Add => self.arithmetic(binary, i64::checked_add),
            Op::Subtract => self.arithmetic(binary, i64::checked_sub),
            Op::Multiply => self.arithmetic(binary, i64::checked_mul),
            Op::Divide => self.arithmetic(binary, i64::checked_div),
            Op::Remainder => self.arithmetic(binary, i64::checked_rem),
            Op::Less | Op::LessEqual | Op::Greater | Op::GreaterEqual | Op::Equal | Op::NotEqual => self.compared(binary),
            Op::Power | Op::ShiftLeft | Op::ShiftRight | Op::And | Op::Or | Op::Xor | Op::Range | Op::RangeInclusive => {
                self.compared(binary)
            }
        }
    }

    /// An operator that gives a whole number of two of them, if it gives one.
    fn arithmetic(&mut self, binary: &ir::Binary, numbers: impl Fn(i64, i64) -> Option<i64> + Copy + Send + Sync + 'static) -> Ex {
        let (op, node) = (binary.op, Arc::clone(&binary.node));
        if (self.of(&binary.left), self.of(&binary.right)) == (Type::Int, Type::Int) && !is_plain(binary) {
            let number = self.int_binary(binary, numbers);
            return Box::new(move |machine, code, frame| Ok(Value::Int(number(machine, code, frame)?)));
        }
        match (self.operand(&binary.left), self.operand(&binary.right)) {
            (Operand::Slot(left), Operand::Int(right)) => Box::new(move |machine, code, frame| {
                if let Value::Int(left) = frame[left]
                    && let Some(result) = numbers(left, right)
                {
                    return Ok(Value::Int(result));
                }
                machine.binary(code, op, &node, frame[left].clone(), Value::Int(right))
            }),
            (Operand::Slot(left), Operand::Slot(right)) => Box::new(move |machine, code, frame| {
                if let (Value::Int(left), Value::Int(right)) = (&frame[left], &frame[right])
                    && let Some(result) = numbers(*left, *right)
                {
                    return Ok(Value::Int(result));
                }
                machine.binary_of(code, op, &node, &frame[left], &frame[right])
            }),
            (left, Operand::Int(right)) => {
                let left = left.into_closure();
                Box::new(move |machine, code, frame| {
                    let left = left(machine, code, frame)?;
                    if let Value::Int(left) = left
                        && let Some(result) = numbers(left, right)
                    {
                        return Ok(Value::Int(result));
                    }
                    machine.binary(code, op, &node, left, Value::Int(right))
                })
            }
            (left, right) => {
                let (left, right) = (left.into_closure(), right.into_closure());
                Box::new(move |machine, code, frame| {
                    let left = left(machine, code, frame)?;
                    let right = right(machine, code, frame)?;
                    if let (Value::Int(left), Value::Int(right)) = (&left, &right)
                        && let Some(result) = numbers(*left, *right)
                    {
                        return Ok(Value::Int(result));
                    }
                    machine.binary(code, op, &node, left, right)
                })
            }
        }
    }

    /// An operator without a quicker way. Comparisons of numbers and texts give truths, others may give anything.
    fn compared(&mut self, binary: &ir::Binary) -> Ex {
        let (op, node) = (binary.op, Arc::clone(&binary.node));
        let (left, right) = (self.expr(&binary.left), self.expr(&binary.right));
        Box::new(move |machine, code, frame| {
            let left = left(machine, code, frame)?;
            let right = right(machine, code, frame)?;
            machine.binary(code, op, &node, left, right)
        })
    }

    /// Decides; what is no truth fails at this place.
    pub fn test_at(&mut self, expr: &Expr, position: Position) -> Test {
        match expr {
            Expr::Binary(binary) => {
                by_comparison!(binary.op, |numbers| self.compare(binary, position, numbers), otherwise self.decided(expr, position))
            }
            Expr::And(_) | Expr::Or(_) => self.test(expr),
            Expr::Unary(unary) if unary.op == UnaryOp::Not && self.of(&unary.operand) == Type::Bool => {
                let test = self.test_at(&unary.operand, position);
                Box::new(move |machine, code, frame| Ok(!test(machine, code, frame)?))
            }
            Expr::Constant(Constant::Bool(truth)) => {
                let truth = *truth;
                Box::new(move |_, _, _| Ok(truth))
            }
            _ => self.decided(expr, position),
        }
    }

    /// `&&` and `||`.
    pub fn test(&mut self, expr: &Expr) -> Test {
        match expr {
            Expr::And(tests) => {
                let tests: Box<[Test]> = tests.iter().map(|test| self.condition(test)).collect();
                Box::new(move |machine, code, frame| {
                    for test in &tests {
                        if !test(machine, code, frame)? {
                            return Ok(false);
                        }
                    }
                    Ok(true)
                })
            }
            Expr::Or(tests) => {
                let tests: Box<[Test]> = tests.iter().map(|test| self.condition(test)).collect();
                Box::new(move |machine, code, frame| {
                    for test in &tests {
                        if test(machine, code, frame)? {
                            return Ok(true);
                        }
                    }
                    Ok(false)
                })
            }
            _ => self.decided(expr, Position::NONE),
        }
    }

    fn decided(&mut self, expr: &Expr, position: Position) -> Test {
        let value = self.expr(expr);
        Box::new(move |machine, code, frame| {
            let value = value(machine, code, frame)?;
            machine.decide(&value, position)
        })
    }

    fn compare(&mut self, binary: &ir::Binary, at: Position, numbers: impl Fn(i64, i64) -> bool + Copy + Send + Sync + 'static) -> Test {
        let (op, node) = (binary.op, Arc::clone(&binary.node));
        match (self.of(&binary.left), self.of(&binary.right)) {
            (Type::Int, Type::Int) if !is_plain(binary) => {
                let (left, right) = (self.int(&binary.left), self.int(&binary.right));
                return Box::new(move |machine, code, frame| {
                    let left = left(machine, code, frame)?;
                    Ok(numbers(left, right(machine, code, frame)?))
                });
            }
            (Type::Float | Type::Int, Type::Float | Type::Int) if self.are_floats(binary) => {
                let (left, right) = (self.float(&binary.left), self.float(&binary.right));
                return Box::new(move |machine, code, frame| {
                    let left = left(machine, code, frame)?;
                    let right = right(machine, code, frame)?;
                    Ok(own::compare_floats(op, left, right).unwrap_or_default())
                });
            }
            _ => {}
        }
        match (self.operand(&binary.left), self.operand(&binary.right)) {
            (Operand::Slot(left), Operand::Int(right)) => Box::new(move |machine, code, frame| {
                if let Value::Int(left) = frame[left] {
                    return Ok(numbers(left, right));
                }
                let result = machine.binary_of(code, op, &node, &frame[left], &Value::Int(right))?;
                machine.decide(&result, at)
            }),
            (Operand::Slot(left), Operand::Slot(right)) => Box::new(move |machine, code, frame| {
                if let (Value::Int(left), Value::Int(right)) = (&frame[left], &frame[right]) {
                    return Ok(numbers(*left, *right));
                }
                let result = machine.binary_of(code, op, &node, &frame[left], &frame[right])?;
                machine.decide(&result, at)
            }),
            (left, Operand::Int(right)) => {
                let left = left.into_closure();
                Box::new(move |machine, code, frame| {
                    let left = left(machine, code, frame)?;
                    if let Value::Int(left) = left {
                        return Ok(numbers(left, right));
                    }
                    let result = machine.binary(code, op, &node, left, Value::Int(right))?;
                    machine.decide(&result, at)
                })
            }
            (left, right) => {
                let (left, right) = (left.into_closure(), right.into_closure());
                Box::new(move |machine, code, frame| {
                    let left = left(machine, code, frame)?;
                    let right = right(machine, code, frame)?;
                    if let (Value::Int(left), Value::Int(right)) = (&left, &right) {
                        return Ok(numbers(*left, *right));
                    }
                    let result = machine.binary(code, op, &node, left, right)?;
                    machine.decide(&result, at)
                })
            }
        }
    }
}

/// Whether it is a variable with another or a number: to look at what they hold costs less than a closure around it.
fn is_plain(binary: &ir::Binary) -> bool {
    matches!((&binary.left, &binary.right), (Expr::Variable(_), Expr::Variable(_) | Expr::Constant(Constant::Int(_))))
}

impl Operand {
    fn into_closure(self) -> Ex {
        match self {
            Self::Slot(slot) => Box::new(move |_, _, frame| Ok(frame[slot].clone())),
            Self::Int(number) => Box::new(move |_, _, _| Ok(Value::Int(number))),
            Self::Other(closure) => closure,
        }
    }
}

impl Machine<'_> {
    /// Does an operator; what is not built in, and every failure, is Rhai's.
    #[inline(never)]
    fn binary(&mut self, code: &Code, op: Op, node: &Node, left: Value, right: Value) -> Outcome {
        match own::binary(op, &left, &right) {
            Some(result) => {
                self.grown()?;
                Ok(result)
            }
            None => self.slow(code, node, &mut [left, right]),
        }
    }

    /// The same with operands that stay.
    #[inline(never)]
    fn binary_of(&mut self, code: &Code, op: Op, node: &Node, left: &Value, right: &Value) -> Outcome {
        match own::binary(op, left, right) {
            Some(result) => {
                self.grown()?;
                Ok(result)
            }
            None => self.slow(code, node, &mut [left.clone(), right.clone()]),
        }
    }
}
