//! How large values may be.

use rhai::{EvalAltResult, Position};

use super::{Machine, Outcome};
use crate::engine::{own::Value, value::sizes::Sizes};

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
}

#[cold]
fn too_large(sizes: Sizes, allowed: Sizes, position: Position) -> super::machine::Leave {
    let what = match () {
        () if sizes.string > allowed.string => "Length of string",
        () if sizes.array > allowed.array => "Size of array/BLOB",
        () => "Size of object map",
    };
    EvalAltResult::ErrorDataTooLarge(what.into(), position).into()
}
