//! Pointers to functions.

use rhai::{FnPtr, ImmutableString};

use super::Value;

/// A pointer to a function, with the arguments it was curried with.
#[derive(Clone)]
pub struct Function {
    /// The name of the function.
    pub name: ImmutableString,
    /// The function, if it is a compiled one.
    pub target: Option<Target>,
    /// Arguments that come before those of a call. What a closure has captured is shared.
    pub curried: Vec<Value>,
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

impl Drop for Function {
    fn drop(&mut self) {
        if !self.curried.is_empty() {
            super::drop::release(std::mem::take(&mut self.curried));
        }
    }
}
