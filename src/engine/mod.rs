//! How a function runs: compile, limits, values in and out. CPU only: it knows no server, store or file system.

mod body;
pub mod budget;
mod context;
mod failure;
mod guards;
mod lint;
pub mod memory;
pub mod meter;
pub mod module;
mod plan;
pub mod program;
mod reply;
mod run;
pub mod script;
mod text;
mod value;

use std::{
    any::TypeId,
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

pub use body::MalformedBody;
pub use meter::CancelFlag;
pub use program::Program;
pub use run::Control;

use rhai::GlobalRuntimeState;

use self::{
    lint::KnownFunctions,
    program::LinkedModule,
    script::{OPTIMIZATION, Script},
};
use crate::function::{Diagnostic, Digest, FilePath, LimitPolicy, Limits, SharedFunction, Tree, Version};

/// Compiles and runs functions. One for the whole node.
pub struct Engine {
    policy: LimitPolicy,
    /// Rhai keeps some limits in its engine: one for each set of them that functions ask for. Nearly always there is just one.
    classes: Mutex<HashMap<ClassKey, Arc<Class>>>,
    /// What compiling each content gave, while a tree holds it.
    scripts: Mutex<ScriptCache>,
    modules: Mutex<HashMap<Version, Weak<LinkedModule>>>,
    programs: Mutex<HashMap<Version, Weak<Program>>>,
}

type ScriptCache = HashMap<(FilePath, Digest), Arc<Result<Arc<Script>, Vec<Diagnostic>>>>;

#[derive(PartialEq, Eq, Hash)]
struct ClassKey {
    call_depth: u32,
    expression_depth: u32,
    string: usize,
    array: u32,
    map: u32,
}

/// One configuration of Rhai, shared by every function that has these limits.
struct Class {
    rhai: rhai::Engine,
    known: KnownFunctions,
    /// What plans call Rhai's own functions with: the state of a run in which nothing has happened.
    global: GlobalRuntimeState,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while a cache is held leaves it whole: entries are inserted complete.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// Makes an engine for these limits.
    pub fn new(policy: LimitPolicy) -> Self {
        Self { policy, classes: Mutex::default(), scripts: Mutex::default(), modules: Mutex::default(), programs: Mutex::default() }
    }

    /// Returns the limits that it was made for.
    pub fn policy(&self) -> &LimitPolicy {
        &self.policy
    }

    /// Returns the program of the function's version, compiled now or before. The errors are about any of its files.
    ///
    /// There is one program of a version at a time, and so one function: the program's. Whoever keeps a function keeps that one.
    pub fn program(&self, function: &SharedFunction) -> Result<Arc<Program>, Vec<Diagnostic>> {
        let held = |programs: &HashMap<Version, Weak<Program>>| programs.get(&function.version).and_then(Weak::upgrade);
        if let Some(program) = held(&lock(&self.programs)) {
            return Ok(program);
        }
        let program = Arc::new(program::link(self, function)?);
        let mut programs = lock(&self.programs);
        // Another check may have been faster.
        Ok(held(&programs).unwrap_or_else(|| {
            programs.insert(function.version, Arc::downgrade(&program));
            program
        }))
    }

    /// Returns every function that is registered with default limits: its name, and the types of its parameters. Properties are `get$name` and
    /// `set$name`, functions of a built-in module `module::name`; operators of numbers and what has a syntax of its own are not among them.
    pub fn functions(&self) -> Vec<(String, Vec<TypeId>)> {
        lint::functions(&self.class(&self.policy.default).rhai)
    }

    /// Forgets what no program that is still held needs. A check that is under way compiles that again if it needs it.
    pub fn forget_unheld(&self) {
        let is_held = |compiled: &Result<Arc<Script>, _>| compiled.as_ref().is_ok_and(|script| Arc::strong_count(script) > 1);
        lock(&self.scripts).retain(|_, compiled| is_held(compiled));
        self.forget_dropped();
    }

    /// Forgets what this tree and every program that is still held do not need.
    pub fn forget_all_but(&self, tree: &Tree) {
        lock(&self.scripts).retain(|(path, digest), _| tree.get(path).is_some_and(|content| content.digest == *digest));
        self.forget_dropped();
    }

    fn forget_dropped(&self) {
        lock(&self.modules).retain(|_, module| module.strong_count() > 0);
        lock(&self.programs).retain(|_, program| program.strong_count() > 0);
    }

    fn scripts(&self) -> MutexGuard<'_, ScriptCache> {
        lock(&self.scripts)
    }

    fn cached_module(&self, key: Version) -> Option<Arc<LinkedModule>> {
        lock(&self.modules).get(&key).and_then(Weak::upgrade)
    }

    fn cache_module(&self, key: Version, module: &Arc<LinkedModule>) {
        lock(&self.modules).insert(key, Arc::downgrade(module));
    }

    fn class(&self, limits: &Limits) -> Arc<Class> {
        let key = ClassKey {
            call_depth: limits.call_depth,
            expression_depth: limits.expression_depth,
            string: limits.string.bytes(),
            array: limits.array,
            map: limits.map,
        };
        lock(&self.classes).entry(key).or_insert_with(|| Arc::new(Class::new(limits))).clone()
    }
}

/// Variables of one scope, functions of one file.
const MAX_VARIABLES: usize = 256;
const MAX_FUNCTIONS: usize = 256;

impl Class {
    /// Sets every limit that Rhai has: its defaults differ between debug and release builds.
    fn new(limits: &Limits) -> Self {
        let mut rhai = rhai::Engine::new();
        // The interner is one lock for all threads, waited for in steps of 10 ms.
        rhai.set_max_strings_interned(0)
            .set_optimization_level(OPTIMIZATION)
            .set_strict_variables(true)
            .set_max_operations(0)
            .set_max_call_levels(limits.call_depth as usize)
            .set_max_expr_depths(limits.expression_depth as usize, limits.expression_depth as usize)
            .set_max_string_size(limits.string.bytes())
            .set_max_array_size(limits.array as usize)
            .set_max_map_size(limits.map as usize)
            .set_max_variables(MAX_VARIABLES)
            .set_max_functions(MAX_FUNCTIONS)
            .set_max_modules(lint::MAX_IMPORTS)
            .set_module_resolver(module::Checked)
            .on_print(|_| {})
            .on_debug(|_, _, _| {})
            .on_progress(|_| meter::tick());
        guards::register(
            &mut rhai,
            guards::Sizes { string: limits.string.bytes(), array: limits.array as usize, map: limits.map as usize },
        );
        text::register(&mut rhai);
        context::register(&mut rhai);
        let known = KnownFunctions::of(&rhai);
        let global = fresh_state(&rhai);
        Self { rhai, known, global }
    }
}

/// Returns the state that a call begins with. Rhai makes one only for a call, so this takes that of a call.
fn fresh_state(engine: &rhai::Engine) -> GlobalRuntimeState {
    let (sender, receiver) = std::sync::mpsc::channel();
    #[expect(deprecated, reason = "not deprecated but volatile, as their notes say; the version is pinned")]
    let called = rhai::FnPtr::from_fn("state", move |context, _| {
        let _ = sender.send(context.store_data().global);
        Ok(rhai::Dynamic::UNIT)
    })
    .and_then(|state| state.call::<()>(engine, &rhai::AST::empty(), ()));
    called.expect("the name is valid, and the function returns what it is asked for");
    receiver.recv().expect("it was sent during the call")
}
