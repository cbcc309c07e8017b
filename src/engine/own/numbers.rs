//! Operators of numbers, as Rhai has them: whole numbers do not overflow, and others are compared with some tolerance.

use rhai::Dynamic;

use super::{Op, Value, range};

/// Returns what an operator gives of whole numbers; none: Rhai is to be asked, it fails.
#[inline(always)]
pub fn int(op: Op, left: i64, right: i64) -> Option<Value> {
    let number = match op {
        Op::Add => left.checked_add(right)?,
        Op::Subtract => left.checked_sub(right)?,
        Op::Multiply => left.checked_mul(right)?,
        Op::Divide => left.checked_div(right)?,
        Op::Remainder => left.checked_rem(right)?,
        Op::Power => left.checked_pow(u32::try_from(right).ok()?)?,
        Op::ShiftLeft => shift_left(left, right),
        Op::ShiftRight => shift_right(left, right),
        Op::And => left & right,
        Op::Or => left | right,
        Op::Xor => left ^ right,
        Op::Less => return Some(Value::Bool(left < right)),
        Op::LessEqual => return Some(Value::Bool(left <= right)),
        Op::Greater => return Some(Value::Bool(left > right)),
        Op::GreaterEqual => return Some(Value::Bool(left >= right)),
        Op::Equal => return Some(Value::Bool(left == right)),
        Op::NotEqual => return Some(Value::Bool(left != right)),
        Op::Range => return Some(range(Dynamic::from(left..right))),
        Op::RangeInclusive => return Some(range(Dynamic::from(left..=right))),
    };
    Some(Value::Int(number))
}

/// A negative distance shifts to the other side.
fn shift_left(number: i64, by: i64) -> i64 {
    match by {
        ..0 => shift_right(number, by.saturating_neg()),
        0..64 => number << by,
        _ => 0,
    }
}

fn shift_right(number: i64, by: i64) -> i64 {
    match by {
        ..0 => shift_left(number, by.saturating_neg()),
        0..64 => number >> by,
        _ => number >> 63,
    }
}

/// Returns what an operator gives of numbers with a point; none: Rhai is to be asked.
#[inline]
pub fn float(op: Op, left: f64, right: f64) -> Option<Value> {
    let number = match op {
        Op::Add => left + right,
        Op::Subtract => left - right,
        Op::Multiply => left * right,
        Op::Divide => left / right,
        Op::Remainder => left % right,
        Op::Power => left.powf(right),
        _ => return compare(op, left, right).map(Value::Bool),
    };
    Some(Value::Float(number))
}

/// Compares two numbers: what differs by no more than the smallest step of numbers of that size is the same.
#[inline]
pub fn compare(op: Op, left: f64, right: f64) -> Option<bool> {
    let largest = if left * right == 0.0 { 1.0 } else { left.abs().max(right.abs()) };
    // Of no pair of numbers is this 0, but Rhai has it.
    if largest == 0.0 {
        return matches!(op, Op::Equal | Op::LessEqual | Op::GreaterEqual).then_some(true);
    }
    Some(match op {
        Op::Equal => (left - right).abs() / largest <= f64::EPSILON,
        Op::NotEqual => (left - right).abs() / largest > f64::EPSILON,
        Op::Greater => (left - right) / largest > f64::EPSILON,
        Op::GreaterEqual => (left - right) / largest > -f64::EPSILON,
        Op::Less => (right - left) / largest > f64::EPSILON,
        Op::LessEqual => (right - left) / largest > -f64::EPSILON,
        _ => return None,
    })
}
