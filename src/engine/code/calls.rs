//! Calls of what is not in the file, and chains.

use super::{Compiler, Ex};
use crate::engine::ir;

impl Compiler<'_> {
    /// Reads what a chain leads to, or calls the method at its end.
    pub fn chain(&mut self, _: &ir::Chain) -> Ex {
        unimplemented!()
    }

    /// Assigns to what a chain leads to.
    pub fn assign_in(&mut self, _: &ir::AssignIn) -> Ex {
        unimplemented!()
    }

    /// Calls a function of Rhai or of the host.
    pub fn native_call(&mut self, _: &ir::NativeCall) -> Ex {
        unimplemented!()
    }

    /// Calls a function of a module.
    pub fn module_call(&mut self, _: &ir::ModuleCall) -> Ex {
        unimplemented!()
    }

    /// Reads a constant of a module.
    pub fn module_constant(&mut self, _: &ir::ModuleConstant) -> Ex {
        unimplemented!()
    }

    /// Calls what looks like a function.
    pub fn special_call(&mut self, _: &ir::SpecialCall) -> Ex {
        unimplemented!()
    }

    /// Makes a closure.
    pub fn closure(&mut self, _: &ir::Closure) -> Ex {
        unimplemented!()
    }

    /// Makes a pointer to a function of the file.
    pub fn function_pointer(&mut self, _: ir::FunctionId) -> Ex {
        unimplemented!()
    }

    /// Reads of the request.
    pub fn request(&mut self, _: &ir::Request) -> Ex {
        unimplemented!()
    }

    /// Imports a module.
    pub fn import(&mut self, _: &ir::Import) -> Ex {
        unimplemented!()
    }
}
