//! How large values may be.

use std::rc::Rc;

use rhai::{EvalAltResult, Position};

use super::{Machine, Outcome};
use crate::engine::{
    own::{Function, Value},
    value::sizes::Sizes,
};

impl Machine<'_> {
    /// Fails as Rhai does if a value is larger than the limits allow.
    #[inline]
    pub(super) fn check(&self, value: &Value, position: Position) -> Outcome<()> {
        let sizes = match value {
            Value::Short(_) | Value::Long(_) | Value::List(_) | Value::Map(_) => value.sizes(),
            // At the top Rhai counts its bytes alone.
            Value::Blob(bytes) => Sizes { array: bytes.len(), ..Sizes::default() },
            _ => return Ok(()),
        };
        if sizes.fits(self.sizes) { Ok(()) } else { Err(too_large(sizes, self.sizes, position)) }
    }

    /// Returns a pointer with more arguments. A function that is curried with itself again and again holds twice as much each time, and who
    /// looks at all of that would not come to an end.
    pub(super) fn curried(&self, function: &Function, arguments: impl IntoIterator<Item = Value>, position: Position) -> Outcome {
        let curried = function.curry(arguments);
        let sizes = curried.sizes();
        if sizes.array / CURRIED > self.sizes.array {
            return Err(too_large(sizes, self.sizes, position));
        }
        Ok(Value::Function(Rc::new(curried)))
    }
}

/// How many times as much as an array a function may be curried with. Rhai copies all of it, and only its memory sets a limit.
const CURRIED: usize = 4;

#[cold]
fn too_large(sizes: Sizes, allowed: Sizes, position: Position) -> super::machine::Leave {
    let what = match () {
        () if sizes.string > allowed.string => "Length of string",
        () if sizes.array > allowed.array => "Size of array/BLOB",
        () => "Size of object map",
    };
    EvalAltResult::ErrorDataTooLarge(what.into(), position).into()
}
