//! Scripts as closures: each node of the tree becomes one, and a run calls them.

mod additions;
mod bridge;
mod callee;
mod caught;
mod chains;
mod expressions;
mod functions;
mod invoke;
mod limits;
mod links;
mod loops;
mod machine;
mod methods;
mod modules;
mod natives;
mod operators;
mod pointers;
mod put;
mod races;
mod request;
mod run;
mod slow;
mod statements;
mod switch;
#[cfg(test)]
mod tests;
mod typed;
mod types;
mod visits;
mod walk;

use std::{
    rc::Rc,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use rhai::{ImmutableString, Module, Shared};

use self::types::{Type, Types, Version};
use self::{
    additions::Additions,
    machine::{Files, Flow},
    modules::Modules,
    slow::State,
};
pub use self::{
    machine::Outcome,
    modules::{Library, ModuleFile, enter, module_file},
    run::run,
};
use super::{
    ir::{self, FunctionId, Slot},
    own::Value,
    value::sizes::Sizes,
};

/// A closure. It gets the unit that it belongs to, and the frame of its function with all that is free behind it.
pub type Closure<T> = Box<dyn Fn(&mut Machine<'_>, &Code, &mut [Value]) -> Outcome<T> + Send + Sync>;

/// An expression or a statement.
pub type Ex = Closure<Value>;

/// What decides.
pub type Test = Closure<bool>;

/// A file, compiled. Threads share it.
pub struct Code {
    /// Unique in the process: pointers to functions name their file by it.
    pub number: u64,
    /// The file, as errors name it.
    pub source: Option<ImmutableString>,
    /// Its functions for Rhai.
    pub library: Shared<Module>,
    /// The functions by their numbers, then those of their versions that know more of their arguments.
    pub functions: Box<[Function]>,
    /// What stands outside of them.
    pub main: FunctionId,
    /// What it imports outside of all functions and blocks: a module's functions use that without running the statements.
    pub imports: Box<[modules::Statement]>,
    /// Whether some function reads a constant of the file as `global::…`.
    pub asks_globals: bool,
    /// Itself, for who has to hold it.
    pub me: Weak<Code>,
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Code").field("source", &self.source).finish_non_exhaustive()
    }
}

/// A file that a run uses, counted by the run alone: what all threads count is slow.
pub type CodeRef = Rc<Arc<Code>>;

/// A function, compiled.
pub struct Function {
    /// As Rhai calls it.
    pub name: ImmutableString,
    /// How many parameters it has: they have the first places of its frame.
    pub parameters: usize,
    /// The type of `this` that it is for.
    pub this_type: Option<ImmutableString>,
    /// Whether other files cannot call it.
    pub is_private: bool,
    /// The place of `this`; behind it stands whether it may be changed, or `()` if there is none. The frame ends with that.
    pub this: Slot,
    /// Whether it asks for `this`.
    pub has_this: bool,
    /// Whether it does nothing: then nobody enters it.
    pub is_empty: bool,
    /// The operations that one call counts, without those of loops and of other functions.
    pub cost: u32,
    /// What it does.
    pub body: Body,
    /// Whether its variables can hold what has to be dropped.
    pub holds: bool,
    /// Whether a call has nothing to do but its body: it has no `this`, and its variables hold nothing.
    pub is_plain: bool,
}

/// What a function does.
pub enum Body {
    /// It gives anything.
    Any(Ex),
    /// It gives whole numbers.
    Ints(Closure<i64>),
}

impl Function {
    /// Returns how many places its frame has.
    #[inline(always)]
    pub fn frame(&self) -> usize {
        self.this + 2
    }
}

/// The state of a run. The variables stand in frames, and each closure gets that of its function: the frames of the functions it calls come
/// behind it in the same slice.
pub struct Machine<'a> {
    /// What evaluates what has no closure.
    pub engine: &'a rhai::Engine,
    /// Operations that may pass before the meter is asked; below zero is the time to ask.
    pub(super) fuel: i64,
    /// What the fuel was when the meter was last asked.
    pub(super) given: i64,
    /// To hold more is a reason to ask the meter.
    pub(super) high: isize,
    /// How many functions are being called.
    pub level: usize,
    /// How many may be.
    pub levels: usize,
    /// Whether the function that is called next may not change its `this`.
    pub this_is_constant: bool,
    /// How many variables that closures have captured have a method that runs on them.
    pub(super) locks: usize,
    /// What of constants may be changed.
    pub(super) additions: Additions,
    /// How large values may become.
    pub sizes: Sizes,
    /// The way out after [`Leave::Flow`].
    pub flow: Flow,
    /// The value of `break` or `return`.
    pub result: Value,
    /// What Rhai evaluates with, from the first time on.
    pub(super) state: Option<Box<State>>,
    /// Where texts are put together.
    pub(super) buffer: String,
    /// The files that this run has come by.
    pub units: Files,
    /// The files whose functions are running: first the one that the run began with, then those of modules.
    pub stack: Files,
    /// What was imported.
    pub(super) modules: Modules,
}

static NUMBERS: AtomicU64 = AtomicU64::new(1);

/// Makes closures of the nodes of one function.
pub struct Compiler<'a> {
    /// The file.
    pub unit: &'a ir::Unit,
    /// The types of its functions' variables.
    pub types: &'a Types<'a>,
    /// What is known of those of this function.
    pub version: &'a Version,
    /// The variables of the function.
    pub places: &'a [ir::Place],
    /// Where the frames of called functions begin.
    pub frame: usize,
    /// The place of `this`.
    pub this: Slot,
    /// Whether some node asks for `this`; to be set by who makes a closure that does.
    pub has_this: bool,
}

/// Compiles a file.
pub fn compile(unit: &ir::Unit, ast: &rhai::AST) -> Arc<Code> {
    let types = Types::of(unit);
    let functions = types.versions.iter().map(|version| compile_version(unit, &types, version)).collect();
    Arc::new_cyclic(|me| Code {
        number: NUMBERS.fetch_add(1, Ordering::Relaxed),
        source: ast.source().map(Into::into),
        library: ast.shared_lib().clone(),
        functions,
        main: unit.main,
        imports: modules::statements(&unit.functions[unit.main]),
        asks_globals: modules::asks_globals(ast),
        me: me.clone(),
    })
}

fn compile_version(unit: &ir::Unit, types: &Types<'_>, version: &Version) -> Function {
    let function = &unit.functions[version.function];
    let this = function.places.len();
    let mut compiler = Compiler { unit, types, version, places: &function.places, frame: this + 2, this, has_this: false };
    // Its variables end with the call.
    let statements = &function.body.statements;
    let body = match version.result {
        Type::Int => Body::Ints(compiler.int_body(statements)),
        _ => Body::Any(compiler.statements(statements)),
    };
    let holds = version.places.contains(&Type::Any);
    Function {
        name: function.name.clone(),
        parameters: function.parameters.len(),
        this_type: function.this_type.clone(),
        is_private: function.is_private,
        this,
        has_this: compiler.has_this,
        is_empty: function.body.statements.is_empty(),
        cost: function.body.cost,
        body,
        holds,
        is_plain: !holds && !compiler.has_this,
    }
}
