//! Calls of functions of the same file.

use rhai::Position;

use super::{Code, Function, Machine, Outcome};
use crate::engine::own::Value;

impl Machine<'_> {
    /// Calls a function with arguments, which it takes, and `this`, which it may change. The slice is what is free for its frame; if that is too
    /// short, it gets another. There must be as many arguments as it has parameters.
    pub fn call(
        &mut self,
        _: &Code,
        _: &Function,
        _: &mut [Value],
        _this: Option<&mut Value>,
        _: Position,
        _frame: &mut [Value],
    ) -> Outcome {
        unimplemented!()
    }
}
