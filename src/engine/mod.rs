//! How a function runs: compile, limits, values in and out. CPU only: it knows no server, store or file system.

mod ast;
mod body;
pub mod budget;
mod builtin;
mod calls;
pub mod check_budget;
mod class;
mod code;
mod context;
mod emission;
mod failure;
pub mod host;
#[allow(missing_docs, reason = "the tree says where all of it stands")]
mod ir;
mod link;
mod lint;
#[allow(missing_docs, reason = "the tree says where all of it stands")]
mod lower;
pub mod memory;
pub mod meter;
pub mod module;
mod own;
mod place;
pub mod program;
mod reply;
mod room;
mod run;
pub mod script;
pub mod statement;
mod syntax;
pub mod template;
pub mod value;
mod wait;
mod words;

use std::{
    any::TypeId,
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
};

pub use body::MalformedBody;
pub use meter::limits::cpu_time;
pub use program::Program;
pub use run::{Control, Evaluator, ShortRun};
pub use wait::Wait;

use self::{
    check_budget::{CheckBudget, ClassBudgetError},
    class::{Class, ClassKey},
    program::LinkedModule,
    script::{LimitsOf, Script, ScriptKey, ScriptResult, SourceFiles},
};
use crate::capability::Capabilities;
use crate::function::{Diagnostic, LimitPolicy, Limits, SharedFunction, Version};

/// Compiles and runs functions. One for the whole node; cheap to clone.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    /// What the check that it works for may use; none: it works for no check.
    check: Option<Arc<CheckBudget>>,
    /// What scripts can reach; empty in a check or a command without a node.
    capabilities: Arc<OnceLock<Capabilities>>,
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

type ScriptCache = HashMap<ScriptKey, ScriptResult>;

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
        Self { shared: Arc::new(shared), capabilities: Arc::default(), check: None }
    }

    /// Returns the same engine, working for a check that may use no more than this. What is known already costs nothing of it.
    #[must_use]
    pub fn within(&self, budget: Arc<CheckBudget>) -> Self {
        Self { shared: self.shared.clone(), capabilities: self.capabilities.clone(), check: Some(budget) }
    }

    /// Says what scripts can reach from now on. To be called once, before a request runs; what is said later is ignored.
    pub fn offer(&self, capabilities: Capabilities) {
        let _ = self.capabilities.set(capabilities);
    }

    /// Returns what scripts can reach; none in a check or a command without a node.
    pub fn offered(&self) -> Option<&Capabilities> {
        self.capabilities.get()
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
        self.program_of(function, &|file| Ok(function.limits_of(file, &self.policy().default)))
    }

    /// The same for a function of a tree, some of whose files may have no limits because their settings are wrong.
    pub fn program_of(&self, function: &SharedFunction, limits: &LimitsOf<'_>) -> Result<Arc<Program>, Vec<Diagnostic>> {
        let held = |programs: &HashMap<Version, Weak<Program>>| programs.get(&function.version).and_then(Weak::upgrade);
        if let Some(program) = held(&lock(&self.shared.programs)) {
            return Ok(program);
        }
        let program = Arc::new(link::link(self, function, limits)?);
        let mut programs = lock(&self.shared.programs);
        // Another check may have been faster.
        Ok(held(&programs).unwrap_or_else(|| {
            programs.insert(function.version, Arc::downgrade(&program));
            program
        }))
    }

    /// Returns every function that is registered with default limits: its name, and the types of its parameters. Properties are `get$name`
    /// and `set$name`, functions of a built-in module are `module::name`. Operators of numbers are not in the list, nor is anything with a
    /// syntax of its own.
    pub fn functions(&self) -> Vec<(String, Vec<TypeId>)> {
        lint::known::functions(&self.shared.default_class.rhai)
    }

    /// Forgets what no program that is still held needs. A check that is under way compiles that again if it needs it.
    pub fn forget_unheld(&self) {
        let is_held = |compiled: &Result<Arc<Script>, _>| compiled.as_ref().is_ok_and(|script| Arc::strong_count(script) > 1);
        lock(&self.shared.scripts).retain(|_, compiled| is_held(compiled));
        self.forget_dropped();
    }

    /// Forgets what these files and every program that is still held do not need.
    pub fn forget_all_but(&self, files: SourceFiles<'_, '_>) {
        lock(&self.shared.scripts).retain(|key, _| files.has(key));
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

    fn class(&self, limits: &Limits) -> Result<Arc<Class>, ClassBudgetError> {
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
