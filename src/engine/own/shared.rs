//! Variables that closures have captured.

use std::cell::{Cell, Ref, RefCell, RefMut};

use super::Value;

/// A variable that several functions hold.
#[derive(Default)]
pub struct Shared {
    value: RefCell<Value>,
    /// How many methods run on it: nobody else may use it until they end.
    locks: Cell<u32>,
    /// Whether it is a constant, wherever it is called otherwise.
    pub is_constant: bool,
}

impl Shared {
    /// Makes a variable that holds this.
    pub fn new(value: Value) -> Self {
        Self { value: RefCell::new(value), locks: Cell::new(0), is_constant: false }
    }

    /// Returns a copy of what it holds.
    #[inline]
    pub fn get(&self) -> Value {
        self.value.borrow().clone()
    }

    /// Looks at what it holds.
    pub fn borrow(&self) -> Ref<'_, Value> {
        self.value.borrow()
    }

    /// Changes what it holds. Nothing else may look at it meanwhile.
    pub fn borrow_mut(&self) -> RefMut<'_, Value> {
        self.value.borrow_mut()
    }

    /// The same; none: something looks at it.
    pub fn try_borrow_mut(&self) -> Option<RefMut<'_, Value>> {
        self.value.try_borrow_mut().ok()
    }

    /// Makes it hold this.
    #[inline]
    pub fn set(&self, value: Value) {
        let before = self.value.replace(value);
        drop(before);
    }

    /// Says that a method begins to run on it.
    pub fn lock(&self) {
        self.locks.set(self.locks.get() + 1);
    }

    /// Says that a method on it has ended.
    pub fn unlock(&self) {
        self.locks.set(self.locks.get().saturating_sub(1));
    }

    /// Whether a method runs on it: then to use it is a data race in Rhai.
    pub fn is_locked(&self) -> bool {
        self.locks.get() > 0
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        super::drop::release([self.value.take()]);
    }
}
