//! How a function runs: compile, limits, values in and out. CPU only: it knows no server, store or file system.

mod ast;
mod body;
pub mod budget;
mod builtin;
pub mod check_budget;
mod context;
mod failure;
mod host;
mod lint;
pub mod memory;
pub mod meter;
pub mod module;
mod place;
mod plan;
pub mod program;
mod reply;
mod room;
mod run;
pub mod script;
mod sizes;
mod syntax;
mod value;
mod words;

use std::{
    any::TypeId,
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

pub use body::MalformedBody;
pub use meter::{CancelFlag, cpu_time};
pub use program::Program;
pub use run::{Brief, Control};

use rhai::GlobalRuntimeState;

use self::{
    check_budget::{CheckBudget, TooManyClasses},
    lint::known::KnownFunctions,
    program::LinkedModule,
    script::{OPTIMIZATION, Script},
};
use crate::function::{Diagnostic, Digest, FilePath, LimitPolicy, Limits, SharedFunction, Tree, Version};

/// Compiles and runs functions. One for the whole node; cheap to clone.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    /// What the check that it works for may use; none: it works for no check.
    check: Option<Arc<CheckBudget>>,
}

struct Shared {
    policy: LimitPolicy,
    /// Rhai keeps some limits in its engine: one for each set of them that functions ask for. Nearly always there is just this one.
    default_class: Arc<Class>,
    /// The others, while a program holds them.
    classes: Mutex<HashMap<ClassKey, Weak<Class>>>,
    /// What compiling each content gave, while a tree holds it.
    scripts: Mutex<ScriptCache>,
    modules: Mutex<HashMap<Version, Weak<LinkedModule>>>,
    programs: Mutex<HashMap<Version, Weak<Program>>>,
}

type ScriptCache = HashMap<(FilePath, Digest), Arc<Result<Arc<Script>, Vec<Diagnostic>>>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct ClassKey {
    call_depth: u32,
    expression_depth: u32,
    string: usize,
    array: u32,
    map: u32,
}

impl ClassKey {
    fn of(limits: &Limits) -> Self {
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
struct Class {
    rhai: rhai::Engine,
    /// For requests that hold much.
    roomy: room::Roomy,
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
        let default_class = Arc::new(Class::new(&policy.default));
        let shared = Shared {
            policy,
            default_class,
            classes: Mutex::default(),
            scripts: Mutex::default(),
            modules: Mutex::default(),
            programs: Mutex::default(),
        };
        Self { shared: Arc::new(shared), check: None }
    }

    /// Returns the same engine, working for a check that may use no more than this. What is known already costs nothing of it.
    #[must_use]
    pub fn within(&self, budget: Arc<CheckBudget>) -> Self {
        Self { shared: self.shared.clone(), check: Some(budget) }
    }

    /// Returns the limits that it was made for.
    pub fn policy(&self) -> &LimitPolicy {
        &self.shared.policy
    }

    /// Counts the limits of functions that the check it works for finds unchanged.
    pub fn count_unchanged<'a>(&self, functions: impl Iterator<Item = &'a SharedFunction>) {
        if let Some(check) = &self.check {
            let default = ClassKey::of(&self.policy().default);
            let keys = functions.map(|function| ClassKey::of(&function.manifest.limits));
            keys.filter(|key| *key != default).for_each(|key| check.count_class(key));
        }
    }

    /// Returns how many different sets of limits programs hold beside the default one.
    pub fn classes(&self) -> usize {
        lock(&self.shared.classes).values().filter(|class| class.strong_count() > 0).count()
    }

    /// Returns the program of the function's version, compiled now or before. The errors are about any of its files.
    ///
    /// There is one program of a version at a time, and so one function: the program's. Whoever keeps a function keeps that one.
    pub fn program(&self, function: &SharedFunction) -> Result<Arc<Program>, Vec<Diagnostic>> {
        let held = |programs: &HashMap<Version, Weak<Program>>| programs.get(&function.version).and_then(Weak::upgrade);
        if let Some(program) = held(&lock(&self.shared.programs)) {
            return Ok(program);
        }
        let program = Arc::new(program::link(self, function)?);
        let mut programs = lock(&self.shared.programs);
        // Another check may have been faster.
        Ok(held(&programs).unwrap_or_else(|| {
            programs.insert(function.version, Arc::downgrade(&program));
            program
        }))
    }

    /// Returns every function that is registered with default limits: its name, and the types of its parameters. Properties are `get$name` and
    /// `set$name`, functions of a built-in module `module::name`; operators of numbers and what has a syntax of its own are not among them.
    pub fn functions(&self) -> Vec<(String, Vec<TypeId>)> {
        lint::known::functions(&self.shared.default_class.rhai)
    }

    /// Forgets what no program that is still held needs. A check that is under way compiles that again if it needs it.
    pub fn forget_unheld(&self) {
        let is_held = |compiled: &Result<Arc<Script>, _>| compiled.as_ref().is_ok_and(|script| Arc::strong_count(script) > 1);
        lock(&self.shared.scripts).retain(|_, compiled| is_held(compiled));
        self.forget_dropped();
    }

    /// Forgets what this tree and every program that is still held do not need.
    pub fn forget_all_but(&self, tree: &Tree) {
        lock(&self.shared.scripts).retain(|(path, digest), _| tree.get(path).is_some_and(|content| content.digest == *digest));
        self.forget_dropped();
    }

    fn forget_dropped(&self) {
        lock(&self.shared.modules).retain(|_, module| module.strong_count() > 0);
        lock(&self.shared.programs).retain(|_, program| program.strong_count() > 0);
        lock(&self.shared.classes).retain(|_, class| class.strong_count() > 0);
    }

    fn scripts(&self) -> MutexGuard<'_, ScriptCache> {
        lock(&self.shared.scripts)
    }

    fn cached_module(&self, key: Version) -> Option<Arc<LinkedModule>> {
        lock(&self.shared.modules).get(&key).and_then(Weak::upgrade)
    }

    fn cache_module(&self, key: Version, module: &Arc<LinkedModule>) {
        lock(&self.shared.modules).insert(key, Arc::downgrade(module));
    }

    fn class(&self, limits: &Limits) -> Result<Arc<Class>, TooManyClasses> {
        let key = ClassKey::of(limits);
        if key == ClassKey::of(&self.policy().default) {
            return Ok(self.shared.default_class.clone());
        }
        let held_or_new = || {
            let mut classes = lock(&self.shared.classes);
            let class = classes.get(&key).and_then(Weak::upgrade).unwrap_or_else(|| Arc::new(Class::new(limits)));
            classes.insert(key, Arc::downgrade(&class));
            class
        };
        match &self.check {
            Some(check) => check.class(key, held_or_new),
            None => Ok(held_or_new()),
        }
    }
}

/// Variables that a script may have at one moment, functions of one file.
const MAX_VARIABLES: usize = 256;
const MAX_FUNCTIONS: usize = 256;

impl std::fmt::Debug for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Class").finish_non_exhaustive()
    }
}

impl Class {
    fn new(limits: &Limits) -> Self {
        let rhai = Self::engine(limits);
        let known = KnownFunctions::of(&rhai);
        let global = fresh_state(&rhai);
        Self { rhai, roomy: room::Roomy::new(limits), known, global }
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
            .set_max_modules(lint::findings::MAX_IMPORTS)
            .set_module_resolver(module::Checked)
            .on_print(|_| {})
            .on_debug(|_, _, _| {})
            .on_progress(|_| meter::tick());
        builtin::register(&mut rhai);
        context::variable::register(&mut rhai);
        host::register(&mut rhai);
        rhai
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
