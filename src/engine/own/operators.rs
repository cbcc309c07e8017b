//! What Rhai's built-in operators give.

use super::Value;

/// An operator with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    ShiftLeft,
    ShiftRight,
    And,
    Or,
    Xor,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
    /// `in`, which Rhai turns into a call of `contains`, `..` and `..=`.
    Range,
    RangeInclusive,
}

/// Returns what the operator gives; none: Rhai is to be asked, as the operands are none that it is built in for, or it fails.
#[inline]
pub fn binary(op: Op, left: &Value, right: &Value) -> Option<Value> {
    match (op, left, right) {
        (Op::Add, Value::Int(left), Value::Int(right)) => left.checked_add(*right).map(Value::Int),
        _ => None,
    }
}

/// Does what `left op= right` does; false: nothing is done, Rhai is to be asked.
pub fn assign(op: Op, left: &mut Value, right: &Value) -> bool {
    let Some(result) = binary(op, left, right) else { return false };
    *left = result;
    true
}
