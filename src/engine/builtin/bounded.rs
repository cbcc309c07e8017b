//! What built-ins answer with: values within the limits, or an error.

use rhai::{Array, Dynamic, EvalAltResult, NativeCallContext, Position};

use crate::engine::value::write::ToJsonError;

/// What a built-in gives, or the error that its script sees.
pub type CallResult<T> = Result<T, Box<EvalAltResult>>;

/// Makes an error that carries no position yet; the engine fills in where it was raised.
pub fn error(message: impl Into<String>) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(message.into().into(), Position::NONE).into()
}

/// Makes the error of a value that passes its limit.
pub fn too_large(what: &str) -> Box<EvalAltResult> {
    EvalAltResult::ErrorDataTooLarge(what.into(), Position::NONE).into()
}

/// Makes the error of a value that has no form in JSON, or too long a one for a text.
pub fn not_json(why: &ToJsonError) -> Box<EvalAltResult> {
    match why {
        ToJsonError::TooLarge { .. } => too_large("Length of string"),
        ToJsonError::JsonError(why) => error(format!("this value cannot be written as JSON: {why}")),
    }
}

/// Registers a method that changes what it is called on, which a constant refuses.
macro_rules! register_change {
    ($engine:expr, $name:expr, $function:expr) => {
        rhai::FuncRegistration::new($name).with_purity(false).register_into_engine($engine, $function)
    };
}

pub(crate) use register_change;

/// Makes an array of no more items than one may have.
pub fn collect(ctx: &NativeCallContext, items: impl Iterator<Item = Dynamic>) -> CallResult<Array> {
    let mut array = Array::new();
    for item in items {
        if array.len() >= ctx.engine().max_array_size() {
            return Err(too_large("Size of array"));
        }
        array.push(item);
    }
    Ok(array)
}
