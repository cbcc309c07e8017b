//! What values count for Rhai's limits.

use super::Value;
use crate::engine::value::sizes::Sizes;

impl Value {
    /// Returns its sizes, with all that is in it.
    #[inline]
    pub fn sizes(&self) -> Sizes {
        match self {
            Self::Short(text) => Sizes { string: text.as_str().len(), ..Sizes::default() },
            Self::Long(text) => Sizes { string: text.len(), ..Sizes::default() },
            Self::List(list) => list.sizes(),
            Self::Map(map) => map.sizes(),
            Self::Blob(bytes) => Sizes { array: 1 + bytes.len(), ..Sizes::default() },
            Self::Function(function) => function.sizes(),
            Self::Shared(shared) => shared.borrow().sizes(),
            _ => Sizes::default(),
        }
    }
}

impl super::Function {
    /// What a closure captures is shared, what a function is curried with is copied with it.
    fn sizes(&self) -> Sizes {
        let own = self.curried.iter().filter(|value| !value.is_shared());
        own.fold(Sizes::default(), |sizes, value| sizes.plus(value.sizes()).plus(Sizes { array: 1, ..Sizes::default() }))
    }
}
