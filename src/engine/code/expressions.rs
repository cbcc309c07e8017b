//! Expressions.

use super::{Compiler, Ex};
use crate::engine::ir;

impl Compiler<'_> {
    /// Evaluates an expression.
    pub fn expr(&mut self, _: &ir::Expr) -> Ex {
        unimplemented!()
    }
}
