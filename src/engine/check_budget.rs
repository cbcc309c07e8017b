//! What one check of a tree may use as a whole. Whoever may deploy one function may send thousands of files, and each alone would be within
//! its own limits.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::class::{Class, ClassKey};
use crate::cancel::CancelFlag;
use crate::clock::monotonic;
use crate::function::{
    Diagnostic, FilePath, LimitPolicy,
    quantity::{Size, Span},
};

/// CPU time of the top levels of all modules together.
pub const MODULES_TIME: Duration = Duration::from_secs(2);
/// The same by the clock, from the first module on: on a busy machine CPU time takes longer than itself, and some waits take none.
const MODULES_WAIT: Duration = Duration::from_secs(20);
/// Different sets of the limits that the engine itself keeps, over all files. Each set takes a quarter of a megabyte.
pub const MAX_CLASSES: usize = 64;

/// What is left of it.
#[derive(Debug)]
pub struct CheckBudget {
    cancel: CancelFlag,
    memory: Size,
    left: Mutex<Remaining>,
}

#[derive(Debug)]
struct Remaining {
    time: Duration,
    /// When the first module began.
    began: Option<Instant>,
    bytes: usize,
    /// Kept while the check lasts, so that files with the same limits share one.
    classes: HashMap<ClassKey, Option<Arc<Class>>>,
    /// Why nothing more is loaded.
    used_up: Option<Diagnostic>,
    /// How often something was refused that would have been taken with more left.
    refusals: usize,
}

/// More sets of limits than one check may have.
#[derive(Debug)]
pub struct ClassBudgetError;

impl CheckBudget {
    /// Makes a budget of which nothing is used. The flag ends the check: nobody wants its result any more.
    pub fn new(policy: &LimitPolicy, cancel: CancelFlag) -> Self {
        let memory = policy.default.memory;
        let left =
            Remaining { time: MODULES_TIME, began: None, bytes: memory.bytes(), classes: HashMap::new(), used_up: None, refusals: 0 };
        Self { cancel, memory, left: Mutex::new(left) }
    }

    /// Returns the flag that ends the check.
    pub fn cancel(&self) -> &CancelFlag {
        &self.cancel
    }

    /// Returns whether nobody wants the result any more.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_set()
    }

    /// Returns how often something was refused that would have been taken with more left.
    pub fn refusals(&self) -> usize {
        self.left().refusals
    }

    /// Counts a set of limits that a file has already, whose engine somebody else holds.
    pub(super) fn count_class(&self, key: ClassKey) {
        self.left().classes.entry(key).or_default();
    }

    /// Returns the engine of a set of limits: one that it has, or else the one that `make` makes.
    pub(super) fn class(&self, key: ClassKey, make: impl FnOnce() -> Arc<Class>) -> Result<Arc<Class>, ClassBudgetError> {
        let mut left = self.left();
        if left.classes.len() >= MAX_CLASSES && !left.classes.contains_key(&key) {
            left.refusals += 1;
            return Err(ClassBudgetError);
        }
        Ok(left.classes.entry(key).or_default().get_or_insert_with(make).clone())
    }

    /// Returns the CPU time that the next module may use, and the time in which it may do that, or why none may be loaded.
    pub fn time(&self) -> Result<(Duration, Duration), Diagnostic> {
        let mut left = self.left();
        if let Some(used_up) = left.used_up.clone() {
            left.refusals += 1;
            return Err(used_up);
        }
        let waited = left.began.get_or_insert_with(monotonic).elapsed();
        Ok((left.time, MODULES_WAIT.saturating_sub(waited)))
    }

    /// Takes off the time that a module has used.
    pub fn take_time(&self, used: Duration) {
        let mut left = self.left();
        left.time = left.time.saturating_sub(used);
    }

    /// Takes off the bytes that a module keeps, unless that is more than is left.
    pub fn take_bytes(&self, file: &FilePath, kept: usize) -> Result<(), Diagnostic> {
        let mut left = self.left();
        if let Some(bytes) = left.bytes.checked_sub(kept) {
            left.bytes = bytes;
            return Ok(());
        }
        let error = Diagnostic::error(file.clone(), format!("the modules together keep more than {} of memory", self.memory));
        Err(left.end(error.hint("build large values in functions, not at the top level of a module")))
    }

    /// Says that a module has used all the time that was left.
    pub fn end(&self, file: &FilePath) -> Diagnostic {
        let (time, wait) = (Span(MODULES_TIME), Span(MODULES_WAIT));
        let message = format!("loading the modules takes too long: together they may use {time} of CPU time, within {wait}");
        self.left().end(Diagnostic::error(file.clone(), message).hint("let functions do the work, not the top level of a module"))
    }

    fn left(&self) -> MutexGuard<'_, Remaining> {
        // A panic while it is held leaves it whole.
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remaining {
    fn end(&mut self, why: Diagnostic) -> Diagnostic {
        self.refusals += 1;
        self.used_up.insert(why).clone()
    }
}

impl ClassBudgetError {
    /// Reports it for a file that asks for one more.
    pub fn in_file(&self, file: &FilePath) -> Diagnostic {
        let limits = "`call_depth`, `expression_depth`, `string`, `array` and `map`";
        let error =
            Diagnostic::error(file.clone(), format!("the files ask for more than {MAX_CLASSES} different sets of the limits {limits}"));
        error.hint("let functions share a set: each set takes a quarter of a megabyte of the node's memory")
    }
}
