//! Statements.

use super::{Compiler, Ex};
use crate::engine::ir;

impl Compiler<'_> {
    /// Runs the statements of a block; its value is that of the last.
    pub fn block(&mut self, _: &ir::Block) -> Ex {
        unimplemented!()
    }

    /// Runs a statement.
    pub fn statement(&mut self, _: &ir::Statement) -> Ex {
        unimplemented!()
    }
}
