//! Arrays.

use super::{
    Value,
    sizes::{replace, sized},
};
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
        Self { sizes: sizes_of(&items), items }
    }
}

impl std::ops::Deref for List {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.items
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // What holds nothing else, however long it is, is dropped as it stands.
        let is_flat = self.sizes.array == self.items.len() && self.sizes.map == 0;
        if !is_flat {
            super::drop::release(std::mem::take(&mut self.items));
        }
    }
}

impl FromIterator<Value> for List {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        Self::from(items.into_iter().collect::<Vec<_>>())
    }
}

impl List {
    /// Makes an array of elements whose sizes are known, together with that of the array.
    pub(super) fn counted(items: Vec<Value>, sizes: Sizes) -> Self {
        Self { items, sizes }
    }

    /// Returns the sizes of the array with all that is in it.
    #[inline(always)]
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Makes an array without elements, with room for so many.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { items: Vec::with_capacity(capacity), sizes: Sizes::default() }
    }

    /// Adds an element.
    #[inline]
    pub fn push(&mut self, item: Value) {
        self.count(&item);
        self.items.push(item);
    }

    /// Removes the last element.
    pub fn pop(&mut self) -> Option<Value> {
        let item = self.items.pop()?;
        self.discount(&item);
        Some(item)
    }

    /// Adds an element in front of the one with this index; at the end, if there is none.
    pub fn insert(&mut self, index: usize, item: Value) {
        self.count(&item);
        self.items.insert(index.min(self.items.len()), item);
    }

    /// Removes an element, if it is there.
    pub fn remove(&mut self, index: usize) -> Option<Value> {
        let item = (index < self.items.len()).then(|| self.items.remove(index))?;
        self.discount(&item);
        Some(item)
    }

    /// Adds copies of all elements of another.
    pub fn append(&mut self, other: &Self) {
        self.sizes = self.sizes.plus(other.sizes);
        self.items.extend_from_slice(&other.items);
    }

    /// Keeps the first elements.
    pub fn truncate(&mut self, length: usize) {
        for item in self.items.drain(length.min(self.items.len())..) {
            self.sizes.array -= 1;
            item.take_from(&mut self.sizes);
        }
    }

    /// Changes an element, if it is there.
    #[inline]
    pub fn change<T>(&mut self, index: usize, change: impl FnOnce(&mut Value) -> T) -> Option<T> {
        Some(sized(self.items.get_mut(index)?, &mut self.sizes, change))
    }

    /// Sets an element, if it is there, and returns what it was.
    #[inline]
    pub fn set(&mut self, index: usize, item: Value) -> Option<Value> {
        Some(replace(self.items.get_mut(index)?, item, &mut self.sizes))
    }

    /// Changes all elements.
    pub fn change_all(&mut self, mut change: impl FnMut(&mut Value)) {
        self.items.iter_mut().for_each(|item| sized(item, &mut self.sizes, &mut change));
    }

    /// Puts the elements in another order.
    pub fn reorder(&mut self, order: impl FnOnce(&mut [Value])) {
        order(&mut self.items);
        debug_assert!(self.sizes == sizes_of(&self.items), "the elements stay the same");
    }

    /// Changes the elements in any way, and counts all anew.
    pub fn edit<T>(&mut self, change: impl FnOnce(&mut Vec<Value>) -> T) -> T {
        let result = change(&mut self.items);
        self.sizes = sizes_of(&self.items);
        result
    }

    /// Returns the elements.
    pub fn into_items(mut self) -> Vec<Value> {
        std::mem::take(&mut self.items)
    }

    #[inline(always)]
    fn count(&mut self, item: &Value) {
        self.sizes.array += 1;
        item.add_to(&mut self.sizes);
    }

    fn discount(&mut self, item: &Value) {
        self.sizes.array -= 1;
        item.take_from(&mut self.sizes);
    }
}

fn sizes_of(items: &[Value]) -> Sizes {
    let mut sizes = Sizes { array: items.len(), ..Sizes::default() };
    items.iter().for_each(|item| item.add_to(&mut sizes));
    sizes
}
