//! The module `math`: what numbers of Rhai have no method for.

use std::cmp::Ordering;

use super::{Call, HostError, HostFunction, HostModule, HostResult, Parameter, Type};
use crate::engine::value::plain::Value;

/// The module.
pub static MODULE: HostModule = HostModule {
    name: "math",
    about: "Computes what numbers have no method for.",
    functions: &[
        HostFunction::pure("round", &[NUMBER, DIGITS], "number", "Rounds to so many digits after the point.", |call| {
            match call.argument(0) {
                Value::Float(_) => Ok(fixed(call)?.parse::<f64>().map_err(|why| why.to_string())?.into()),
                whole => Ok(whole.clone()),
            }
        }),
        HostFunction::pure(
            "fixed",
            &[NUMBER, DIGITS],
            "string",
            "Writes a number with exactly so many digits after the point: `\"12.50\"`.",
            |call| Ok(fixed(call)?.into()),
        ),
        HostFunction::pure("clamp", &[NUMBER, LOW, HIGH], "number", "Gives the number, or the nearer of two bounds.", clamp),
        HostFunction::pure(
            "modulo",
            &[NUMBER, Parameter::new("by", Type::Number)],
            "number",
            "Gives the remainder that is never negative.",
            modulo,
        ),
        HostFunction::pure("sum", &[Parameter::new("numbers", Type::Array)], "number", "Adds numbers up.", sum),
    ],
};

const NUMBER: Parameter = Parameter::new("number", Type::Number);
const DIGITS: Parameter = Parameter::new("digits", Type::Int);
const LOW: Parameter = Parameter::new("low", Type::Number);
const HIGH: Parameter = Parameter::new("high", Type::Number);
/// Most digits after the point: a number has no more than 17 that mean something.
const MAX_DIGITS: i64 = 20;

fn number(value: &Value) -> Result<f64, HostError> {
    match value {
        Value::Int(number) => Ok(*number as f64),
        Value::Float(number) => Ok(*number),
        other => Err(format!("{} is no number", other.type_word()).into()),
    }
}

fn fixed(call: &Call<'_>) -> Result<String, HostError> {
    let digits = call.int(1).filter(|digits| (0..=MAX_DIGITS).contains(digits));
    let digits = digits.ok_or_else(|| format!("`digits` is a whole number from 0 to {MAX_DIGITS}"))? as usize;
    Ok(match call.argument(0) {
        Value::Int(whole) if digits == 0 => whole.to_string(),
        Value::Int(whole) => format!("{whole}.{:0<digits$}", ""),
        other => format!("{:.digits$}", number(other)?),
    })
}

fn clamp(call: &mut Call<'_>) -> HostResult {
    let (value, low, high) = (number(call.argument(0))?, number(call.argument(1))?, number(call.argument(2))?);
    if !low.partial_cmp(&high).is_some_and(Ordering::is_le) {
        return Err("`low` is not below `high`".into());
    }
    let nearest = if value < low {
        1
    } else if value > high {
        2
    } else {
        0
    };
    Ok(call.take(nearest))
}

fn modulo(call: &mut Call<'_>) -> HostResult {
    match (call.argument(0), call.argument(1)) {
        (Value::Int(number), Value::Int(by)) => {
            Ok(number.checked_rem_euclid(*by).ok_or_else(|| format!("{number} modulo {by} is no number"))?.into())
        }
        (value, by) => Ok(number(value)?.rem_euclid(number(by)?).into()),
    }
}

fn sum(call: &mut Call<'_>) -> HostResult {
    let Value::Array(numbers) = call.argument(0) else { return Ok(Value::Int(0)) };
    if numbers.iter().all(|number| matches!(number, Value::Int(_))) {
        let whole = |number: &Value| if let Value::Int(number) = number { *number } else { 0 };
        let sum = numbers.iter().map(whole).try_fold(0_i64, i64::checked_add);
        return Ok(sum.ok_or("the sum is larger than a whole number can be")?.into());
    }
    Ok(numbers.iter().map(number).sum::<Result<f64, _>>()?.into())
}
