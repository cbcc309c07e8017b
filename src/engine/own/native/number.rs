//! Numbers.

use rhai::{EvalAltResult, Position};

use super::{Caller, DONE, Entry, NOT_HERE, NativeResult, Value, arithmetic, changes, property, reads};
use crate::engine::own::Failure;

pub(super) const OF_INT: &[Entry] = &[
    property("is_zero", |_, this, _| Ok(whole(this, |number| Value::Bool(number == 0)))),
    property("is_odd", |_, this, _| Ok(whole(this, |number| Value::Bool(number % 2 != 0)))),
    property("is_even", |_, this, _| Ok(whole(this, |number| Value::Bool(number % 2 == 0)))),
    reads("abs", 1, |_, this, _| match *this {
        Value::Int(number) => match number.checked_abs() {
            Some(number) => Ok(Some(Value::Int(number))),
            None => Err(arithmetic(format!("Negation overflow: -{number}"))),
        },
        _ => NOT_HERE,
    }),
    reads("sign", 1, |_, this, _| Ok(whole(this, |number| Value::Int(number.signum())))),
    reads("to_int", 1, |_, this, _| Ok(whole(this, Value::Int))),
    reads("to_float", 1, |_, this, _| Ok(whole(this, |number| Value::Float(number as f64)))),
    reads("to_hex", 1, |_, this, _| Ok(whole(this, |number| Value::from_string(format!("{number:x}"))))),
    reads("to_octal", 1, |_, this, _| Ok(whole(this, |number| Value::from_string(format!("{number:o}"))))),
    reads("to_binary", 1, |_, this, _| Ok(whole(this, |number| Value::from_string(format!("{number:b}"))))),
    reads("max", 2, |_, this, arguments| Ok(chosen(this, &arguments[0], |a, b| a >= b, |a, b| a >= b))),
    reads("min", 2, |_, this, arguments| Ok(chosen(this, &arguments[0], |a, b| a <= b, |a, b| a <= b))),
    reads("get_bit", 2, |_, this, arguments| {
        let (Value::Int(number), [Value::Int(index)]) = (&*this, arguments) else { return NOT_HERE };
        Ok(Some(Value::Bool(number & (1 << bit(*index)?) != 0)))
    }),
    changes("set_bit", 3, |_, this, arguments| {
        let (Value::Int(number), [Value::Int(index), Value::Bool(is_set)]) = (this, arguments) else { return NOT_HERE };
        let mask = 1 << bit(*index)?;
        *number = if *is_set { *number | mask } else { *number & !mask };
        DONE
    }),
];

pub(super) const OF_FLOAT: &[Entry] = &[
    property("is_zero", |_, this, _| Ok(is(this, |number| number == 0.0))),
    property("is_nan", |_, this, _| Ok(is(this, f64::is_nan))),
    property("is_finite", |_, this, _| Ok(is(this, f64::is_finite))),
    property("is_infinite", |_, this, _| Ok(is(this, f64::is_infinite))),
    property("floor", |_, this, _| Ok(float(this, f64::floor))),
    property("ceiling", |_, this, _| Ok(float(this, f64::ceil))),
    property("round", |_, this, _| Ok(float(this, f64::round))),
    property("int", |_, this, _| Ok(float(this, f64::trunc))),
    property("fraction", |_, this, _| Ok(float(this, f64::fract))),
    reads("abs", 1, |_, this, _| Ok(float(this, f64::abs))),
    reads("sign", 1, |_, this, _| match *this {
        Value::Float(0.0) => Ok(Some(Value::Int(0))),
        Value::Float(number) if number.is_nan() => Err(arithmetic("Sign of NaN is undefined".into())),
        Value::Float(number) => Ok(Some(Value::Int(if number > 0.0 { 1 } else { -1 }))),
        _ => NOT_HERE,
    }),
    reads("to_float", 1, |_, this, _| Ok(float(this, |number| number))),
    reads("to_int", 1, |_, this, _| match *this {
        Value::Float(number) if number > i64::MAX as f64 || number < i64::MIN as f64 => {
            Err(arithmetic(format!("Integer overflow: to_int({number})")))
        }
        Value::Float(number) => Ok(Some(Value::Int(number.trunc() as i64))),
        _ => NOT_HERE,
    }),
    reads("max", 2, |_, this, arguments| Ok(chosen(this, &arguments[0], |a, b| a >= b, |a, b| a >= b))),
    reads("min", 2, |_, this, arguments| Ok(chosen(this, &arguments[0], |a, b| a <= b, |a, b| a <= b))),
    reads("sqrt", 1, |_, this, _| Ok(float(this, f64::sqrt))),
    reads("exp", 1, |_, this, _| Ok(float(this, f64::exp))),
    reads("ln", 1, |_, this, _| Ok(float(this, f64::ln))),
    reads("log", 1, |_, this, _| Ok(float(this, f64::log10))),
    reads("log", 2, |_, this, arguments| Ok(floats(this, arguments, f64::log))),
    reads("hypot", 2, |_, this, arguments| Ok(floats(this, arguments, f64::hypot))),
    reads("to_degrees", 1, |_, this, _| Ok(float(this, f64::to_degrees))),
    reads("to_radians", 1, |_, this, _| Ok(float(this, f64::to_radians))),
    reads("sin", 1, |_, this, _| Ok(float(this, f64::sin))),
    reads("cos", 1, |_, this, _| Ok(float(this, f64::cos))),
    reads("tan", 1, |_, this, _| Ok(float(this, f64::tan))),
    reads("asin", 1, |_, this, _| Ok(float(this, f64::asin))),
    reads("acos", 1, |_, this, _| Ok(float(this, f64::acos))),
    reads("atan", 1, |_, this, _| Ok(float(this, f64::atan))),
    reads("atan", 2, |_, this, arguments| Ok(floats(this, arguments, f64::atan2))),
];

pub(super) const OF_TEXT: &[Entry] = &[
    reads("parse_int", 1, |_, this, _| parse_int(this, 10)),
    reads("parse_int", 2, |_, this, arguments| match arguments[0] {
        Value::Int(radix) => parse_int(this, radix),
        _ => NOT_HERE,
    }),
    reads("parse_float", 1, parse_float),
];

fn whole(value: &Value, answer: impl FnOnce(i64) -> Value) -> Option<Value> {
    if let Value::Int(number) = *value { Some(answer(number)) } else { None }
}

fn float(value: &Value, answer: impl FnOnce(f64) -> f64) -> Option<Value> {
    if let Value::Float(number) = *value { Some(Value::Float(answer(number))) } else { None }
}

fn is(value: &Value, answer: impl FnOnce(f64) -> bool) -> Option<Value> {
    if let Value::Float(number) = *value { Some(Value::Bool(answer(number))) } else { None }
}

fn floats(left: &Value, right: &[Value], answer: impl FnOnce(f64, f64) -> f64) -> Option<Value> {
    let (Value::Float(left), [Value::Float(right)]) = (left, right) else { return None };
    Some(Value::Float(answer(*left, *right)))
}

/// Returns the first of two numbers if it is the one that is asked for, else the second; a whole number beside a float is one.
fn chosen(
    left: &Value,
    right: &Value,
    is_first: impl FnOnce(i64, i64) -> bool,
    is_first_float: impl FnOnce(f64, f64) -> bool,
) -> Option<Value> {
    let choose = |left, right| Some(Value::Float(if is_first_float(left, right) { left } else { right }));
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Some(Value::Int(if is_first(*left, *right) { *left } else { *right })),
        (Value::Float(left), Value::Float(right)) => choose(*left, *right),
        (Value::Int(left), Value::Float(right)) => choose(*left as f64, *right),
        (Value::Float(left), Value::Int(right)) => choose(*left, *right as f64),
        _ => None,
    }
}

/// Returns which bit a number means; a negative one counts from the highest.
fn bit(index: i64) -> Result<u32, Failure> {
    let bit = if index < 0 { index + i64::from(i64::BITS) } else { index };
    let bit = u32::try_from(bit).ok().filter(|bit| *bit < i64::BITS);
    bit.ok_or_else(|| EvalAltResult::ErrorBitFieldBounds(i64::BITS as usize, index, Position::NONE).into())
}

fn parse_int(text: &Value, radix: i64) -> NativeResult {
    let text = super::text::of(text);
    let Some(base) = u32::try_from(radix).ok().filter(|radix| (2..=36).contains(radix)) else {
        return Err(arithmetic(format!("Invalid radix: '{radix}'")));
    };
    match i64::from_str_radix(text.trim(), base) {
        Ok(number) => Ok(Some(Value::Int(number))),
        Err(why) => Err(arithmetic(format!("Error parsing integer number '{text}': {why}"))),
    }
}

fn parse_float(_: &mut dyn Caller, text: &mut Value, _: &mut [Value]) -> NativeResult {
    let text = super::text::of(text);
    match text.trim().parse() {
        Ok(number) => Ok(Some(Value::Float(number))),
        Err(why) => Err(arithmetic(format!("Error parsing floating-point number '{text}': {why}"))),
    }
}
