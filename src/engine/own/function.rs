//! Pointers to functions.

use rhai::{FnPtr, ImmutableString};

use super::Value;
use crate::engine::value::sizes::Sizes;

/// A pointer to a function, with the arguments it was curried with.
#[derive(Clone)]
pub struct Function {
    /// The name of the function.
    pub name: ImmutableString,
    /// The function, if it is a compiled one.
    pub target: Option<Target>,
    curried: Vec<Value>,
    /// Of what it was curried with, and all that is in it.
    sizes: Sizes,
    /// What Rhai made and can only call itself.
    pub native: Option<FnPtr>,
}

/// A compiled function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    /// The number of its file, unique in the process.
    pub unit: u64,
    /// Its number in the file.
    pub function: usize,
}

impl Function {
    /// Makes a pointer with the arguments that come before those of a call. What a closure has captured is shared.
    pub fn new(name: ImmutableString, target: Option<Target>, curried: Vec<Value>, native: Option<FnPtr>) -> Self {
        let sizes = sizes_of(&curried);
        Self { name, target, curried, sizes, native }
    }

    /// Returns the arguments that come before those of a call.
    pub fn curried(&self) -> &[Value] {
        &self.curried
    }

    /// Returns the sizes of what it was curried with. What it has captured does not count.
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Returns the pointer with more arguments.
    pub fn curry(&self, arguments: impl IntoIterator<Item = Value>) -> Self {
        let curried = self.curried.iter().cloned().chain(arguments).collect();
        Self::new(self.name.clone(), self.target, curried, self.native.clone())
    }
}

/// What a closure captures is shared, what a function is curried with is copied with it.
fn sizes_of(curried: &[Value]) -> Sizes {
    let mut sizes = Sizes::default();
    for value in curried.iter().filter(|value| !value.is_shared()) {
        sizes.array += 1;
        value.add_to(&mut sizes);
    }
    sizes
}

impl Drop for Function {
    fn drop(&mut self) {
        if !self.curried.is_empty() {
            super::drop::release(std::mem::take(&mut self.curried));
        }
    }
}
