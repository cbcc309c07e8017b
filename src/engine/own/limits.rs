//! How large values may become in the run on this thread. What would be larger, Rhai is asked for: it answers with its error.

use std::cell::Cell;

use super::Value;
use crate::engine::value::sizes::Sizes;

const NONE: Sizes = Sizes { string: usize::MAX, array: usize::MAX, map: usize::MAX };

thread_local! {
    static ALLOWED: Cell<Sizes> = const { Cell::new(NONE) };
}

/// Says what is allowed from now on, and returns what was before.
pub fn allow(sizes: Sizes) -> Sizes {
    ALLOWED.replace(sizes)
}

/// Returns what is allowed.
#[inline]
pub fn allowed() -> Sizes {
    ALLOWED.get()
}

/// Returns how many bytes a text may have.
#[inline]
pub fn longest() -> usize {
    ALLOWED.get().string
}

impl Value {
    /// Whether it is no larger than allowed.
    #[inline]
    pub fn is_allowed(&self) -> bool {
        match self {
            Self::Unit | Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Char(_) => true,
            other => other.sizes().fits(allowed()),
        }
    }
}
