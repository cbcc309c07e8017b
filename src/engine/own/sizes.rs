//! What values count for Rhai's limits.

use super::Value;
use crate::engine::value::sizes::Sizes;

impl Value {
    /// Returns its sizes, with all that is in it.
    #[inline]
    pub fn sizes(&self) -> Sizes {
        match self {
            Self::Unit | Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Char(_) | Self::Other(_) => Sizes::default(),
            Self::Short(text) => Sizes { string: text.len(), ..Sizes::default() },
            Self::Long(text) => Sizes { string: text.len(), ..Sizes::default() },
            Self::List(list) => list.sizes(),
            Self::Map(map) => map.sizes(),
            Self::Blob(bytes) => Sizes { array: 1 + bytes.len(), ..Sizes::default() },
            Self::Function(function) => function.sizes(),
            Self::Shared(shared) => shared.borrow().sizes(),
        }
    }

    /// Adds its sizes to those of what it becomes a part of. Most values have none, or are short.
    #[inline(always)]
    pub(super) fn add_to(&self, sizes: &mut Sizes) {
        match self {
            Self::Unit | Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Char(_) => {}
            Self::Short(text) => sizes.string = sizes.string.saturating_add(text.len()),
            other => other.add_all_to(sizes),
        }
    }

    #[inline(never)]
    fn add_all_to(&self, sizes: &mut Sizes) {
        *sizes = sizes.plus(self.sizes());
    }

    /// Takes its sizes from those of what it was a part of.
    #[inline(always)]
    pub(super) fn take_from(&self, sizes: &mut Sizes) {
        match self {
            Self::Unit | Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Char(_) => {}
            other => other.take_all_from(sizes),
        }
    }

    #[inline(never)]
    fn take_all_from(&self, sizes: &mut Sizes) {
        *sizes = sizes.minus(self.sizes());
    }
}

/// Changes a value that is part of something with these sizes.
#[inline(always)]
pub(super) fn sized<T>(value: &mut Value, sizes: &mut Sizes, change: impl FnOnce(&mut Value) -> T) -> T {
    value.take_from(sizes);
    let result = change(value);
    value.add_to(sizes);
    result
}

/// Puts a value in the place of another that is part of something with these sizes.
#[inline(always)]
pub(super) fn replace(place: &mut Value, value: Value, sizes: &mut Sizes) -> Value {
    place.take_from(sizes);
    value.add_to(sizes);
    std::mem::replace(place, value)
}
