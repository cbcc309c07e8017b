//! One configuration of Rhai: it keeps some limits in its engine, so there is one for each set of them that functions ask for.

use rhai::OptimizationLevel;

use super::{
    builtin, context, host,
    lint::{findings::MAX_IMPORTS, known::KnownFunctions},
    meter, module,
    room::{RoomyEngines, RunEngine},
    value::sizes::Sizes,
};
use crate::function::Limits;

/// Rhai's optimiser takes dead branches out, and mistakes in them with them; what it gains is within 1 %.
const OPTIMIZATION: OptimizationLevel = OptimizationLevel::None;

/// The limits that an engine keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClassKey {
    call_depth: u32,
    expression_depth: u32,
    string: usize,
    array: u32,
    map: u32,
}

impl ClassKey {
    /// Takes them out of all limits.
    pub fn of(limits: &Limits) -> Self {
        Self {
            call_depth: limits.call_depth,
            expression_depth: limits.expression_depth,
            string: limits.string.bytes(),
            array: limits.array,
            map: limits.map,
        }
    }
}

/// One configuration of Rhai, shared by every function that has these limits.
pub struct Class {
    pub rhai: rhai::Engine,
    /// For requests that hold much.
    roomy: RoomyEngines,
    pub known: KnownFunctions,
}

/// Variables that a script may have at one moment, functions of one file.
pub const MAX_VARIABLES: usize = 256;
pub const MAX_FUNCTIONS: usize = 256;

impl std::fmt::Debug for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Class").finish_non_exhaustive()
    }
}

impl Class {
    /// Makes the engine of these limits.
    pub fn new(limits: &Limits) -> Self {
        let rhai = Self::engine(limits);
        let known = KnownFunctions::of(&rhai);
        Self { rhai, roomy: RoomyEngines::new(limits), known }
    }

    /// Returns the engine for a request that holds so much.
    pub fn engine_for(&self, request: Sizes) -> RunEngine<'_> {
        self.roomy.engine_for(&self.rhai, request, Self::engine)
    }

    /// Sets every limit that Rhai has: its defaults differ between debug and release builds. To it 0 means that there is no limit, and a
    /// deployment of before 0 was refused may still ask for that.
    fn engine(limits: &Limits) -> rhai::Engine {
        let mut rhai = rhai::Engine::new();
        let expression_depth = limits.expression_depth.max(1) as usize;
        // The interner is one lock for all threads, waited for in steps of 10 ms.
        rhai.set_max_strings_interned(0)
            .set_optimization_level(OPTIMIZATION)
            .set_strict_variables(true)
            .set_max_operations(0)
            .set_max_call_levels(limits.call_depth as usize)
            .set_max_expr_depths(expression_depth, expression_depth)
            .set_max_string_size(limits.string.bytes().max(1))
            .set_max_array_size(limits.array.max(1) as usize)
            .set_max_map_size(limits.map.max(1) as usize)
            .set_max_variables(MAX_VARIABLES)
            .set_max_functions(MAX_FUNCTIONS)
            .set_max_modules(MAX_IMPORTS)
            .set_module_resolver(module::ImportResolver)
            .on_print(|_| {})
            .on_debug(|_, _, _| {})
            .on_progress(|_| meter::count_one());
        builtin::register(&mut rhai);
        context::variable::register(&mut rhai);
        host::register(&mut rhai);
        rhai
    }
}
