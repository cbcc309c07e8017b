//! Arrays.

use super::Value;
use crate::engine::value::sizes::Sizes;

/// The elements of an array, with their sizes.
#[derive(Clone, Default)]
pub struct List {
    items: Vec<Value>,
    /// Of the array with all that is in it.
    sizes: Sizes,
}

impl From<Vec<Value>> for List {
    fn from(items: Vec<Value>) -> Self {
        let mut sizes = Sizes { array: items.len(), ..Sizes::default() };
        for item in &items {
            sizes = sizes.plus(item.sizes());
        }
        Self { items, sizes }
    }
}

impl std::ops::Deref for List {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.items
    }
}

impl List {
    /// Returns the sizes of the array with all that is in it.
    #[inline(always)]
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Adds an element.
    #[inline]
    pub fn push(&mut self, item: Value) {
        self.sizes.array += 1;
        self.sizes = self.sizes.plus(item.sizes());
        self.items.push(item);
    }

    /// Changes the elements in any way.
    pub fn edit<T>(&mut self, change: impl FnOnce(&mut Vec<Value>) -> T) -> T {
        let result = change(&mut self.items);
        *self = Self::from(std::mem::take(&mut self.items));
        result
    }
}
