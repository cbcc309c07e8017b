//! The run that stands on this thread, with its request.
//!
//! Scripts read it by the constant `ctx`. Nothing is prepared for a property that nobody asks for. `ctx` is visible inside `fn`s and closures,
//! and no compiled script can hold a request's values.

pub mod effects;
pub mod log;
pub mod outbox;
pub mod properties;
#[allow(dead_code, reason = "the evaluator that uses it comes with the next changes")]
pub mod reading;
mod request;
pub mod variable;

use std::{
    cell::RefCell,
    sync::{Arc, OnceLock},
};

use rhai::{Dynamic, EvalAltResult, Map};

use self::{effects::Effects, log::Log, outbox::Outbox};
use super::{Wait, meter, own::Value, template::Templates};
use crate::{
    capability::Capabilities,
    execution::{Invocation, LogLevel},
    function::{SharedFunction, grants::Grants},
};

/// The name that scripts read it by.
pub const CTX: &str = "ctx";

/// The run that stands on this thread.
pub struct Run {
    /// What asked for it.
    pub invocation: Box<Invocation>,
    /// What runs.
    pub function: SharedFunction,
    /// The body as the scripts see it.
    pub body: Value,
    /// The same as Rhai's evaluator reads it, once it has.
    rhai_body: Option<Dynamic>,
    /// Whether some script of this run could change a body that it only reads: where Rhai evaluates it, each reads a copy.
    copies_body: bool,
    /// Values that were asked for once, for the next time.
    query: Option<Map>,
    headers: Option<Map>,
    own_query: Option<Value>,
    own_headers: Option<Value>,
    /// What it logged.
    pub log: Log,
    /// What it did outside, if anything.
    pub effects: Option<Box<Effects>>,
    /// What it emitted, if anything.
    pub outbox: Option<Box<Outbox>>,
    /// What the script that runs may reach: a guard's is not its function's.
    pub grants: Option<Arc<Grants>>,
    /// What the node offers, where a script of this run may reach something.
    pub capabilities: Option<Arc<OnceLock<Capabilities>>>,
    /// What it can render.
    pub templates: Option<Arc<Templates>>,
    /// A transaction of a database is open: what it does there goes through that.
    pub in_transaction: bool,
    /// How it waits, if it may.
    pub waiter: Option<Arc<dyn Wait>>,
}

impl Run {
    /// Prepares a run; `body` is what [`super::body::read`] made of the invocation's.
    pub fn new(invocation: Box<Invocation>, function: SharedFunction, body: Value, copies_body: bool) -> Self {
        Self {
            invocation,
            function,
            body,
            rhai_body: None,
            copies_body,
            query: None,
            headers: None,
            own_query: None,
            own_headers: None,
            log: Log::default(),
            effects: None,
            outbox: None,
            grants: None,
            capabilities: None,
            templates: None,
            in_transaction: false,
            waiter: None,
        }
    }

    /// Returns what the script that runs may reach.
    pub fn grants(&self) -> Option<&Grants> {
        self.grants.as_deref()
    }

    /// Returns what the node offers.
    pub fn capabilities(&self) -> Option<&Capabilities> {
        self.capabilities.as_ref()?.get()
    }

    /// Returns the header that says which trace it belongs to, if it is traced.
    pub fn traceparent(&self) -> Option<String> {
        self.invocation.request.headers.get("traceparent")?.to_str().ok().map(ToOwned::to_owned)
    }

    /// Returns what it did outside, to be added to.
    pub fn effects(&mut self) -> &mut Effects {
        let invocation = &mut self.invocation;
        self.effects.get_or_insert_with(|| {
            meter::keep(|| {
                Box::new(Effects::new(invocation.capture.as_mut().map(|capture| capture.take_results()), invocation.replay.take()))
            })
        })
    }

    /// Returns what it emitted, to be added to.
    pub fn outbox(&mut self) -> &mut Outbox {
        self.outbox.get_or_insert_with(|| meter::keep(Box::default))
    }

    /// Appends a line to its log.
    pub fn log(&mut self, level: LogLevel, message: &Dynamic) {
        let limits = &self.function.manifest.limits;
        meter::keep(|| self.log.append(level, message, limits));
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Run>> = const { RefCell::new(None) };
}

/// Puts a run on this thread.
pub fn enter(current: Run) {
    CURRENT.set(Some(current));
}

/// Takes the run off this thread.
pub fn leave() -> Option<Run> {
    CURRENT.take()
}

/// Does something with the run that stands on this thread, if there is one.
pub fn with<T>(work: impl FnOnce(&mut Run) -> T) -> Option<T> {
    CURRENT.with_borrow_mut(|current| current.as_mut().map(work))
}

/// The same for what a script does: without a run it is an error.
pub fn running<T>(work: impl FnOnce(&mut Run) -> T) -> Result<T, Box<EvalAltResult>> {
    with(work).ok_or_else(|| "`ctx` is there only while a request runs, not while a module is loaded".into())
}
