//! A plan that runs: its variables, and what it counts.

use rhai::{Dynamic, Engine, GlobalRuntimeState, NativeCallContext, Position};

use super::view::View;
use crate::engine::{
    context::Run,
    meter::{self, SLOW_TICKS},
    value::sizes::Sizes,
};

/// Why a step is not followed by the next.
pub enum Leave {
    /// There is something that only Rhai can do, or say.
    GiveUp,
    /// The run has passed one of its limits.
    Stop,
    Break,
    Continue,
    Return(Dynamic),
}

/// What evaluating gives, unless it ends its step.
pub type StepResult<T> = Result<T, Leave>;

/// A plan that runs.
pub struct Frame<'a> {
    pub places: Vec<Dynamic>,
    /// Steps that the meter has heard of.
    pub ticks: u64,
    /// Operations that Rhai would have needed for these steps, without those of the functions that were called.
    pub operations: u64,
    /// The most of them that are allowed.
    pub may_count: u64,
    /// Where the statement is that it is at.
    pub at: Position,
    pub took_body: bool,
    pub engine: &'a Engine,
    /// What Rhai's own functions are called with.
    pub global: &'a GlobalRuntimeState,
    pub run: &'a mut Run,
}

impl Frame<'_> {
    /// Counts a step that is one operation or more.
    pub fn count(&mut self, operations: u32) -> StepResult<()> {
        self.ticks += 1;
        self.operations += u64::from(operations);
        match meter::tick() {
            Some(_) => Err(Leave::Stop),
            None if self.ticks > SLOW_TICKS || self.operations > self.may_count => Err(Leave::GiveUp),
            None => Ok(()),
        }
    }

    /// Calls one of Rhai's own functions, which counts for itself. `by_reference` says that the first argument stays with its owner.
    pub fn call(&mut self, name: &str, by_reference: bool, arguments: &mut [&mut Dynamic]) -> StepResult<Dynamic> {
        let context = NativeCallContext::from((self.engine, name, None, self.global, Position::NONE));
        let result = context.call_native_fn_raw(name, by_reference, arguments);
        Self::after_call(result)
    }

    /// Goes on with what a call gave, unless it stopped the run. What was stopped may have come to an end all the same.
    pub fn after_call<E>(result: Result<Dynamic, E>) -> StepResult<Dynamic> {
        if meter::is_stopped() { Err(Leave::Stop) } else { result.map_err(|_| Leave::GiveUp) }
    }

    /// What can be read where it is.
    pub fn view(&self) -> View<'_> {
        View { places: &self.places, body: &self.run.body }
    }

    pub fn checked(&self, value: Dynamic) -> StepResult<Dynamic> {
        self.check_size(&value)?;
        Ok(value)
    }

    /// Gives up where Rhai would say that a value is too large, at once or when it looks at it again. No value of a plan is larger, so that
    /// each part of it can be read without another look.
    pub fn check_size(&self, value: &Dynamic) -> StepResult<()> {
        if Sizes::of(value).fits(Sizes::allowed_in(self.engine)) { Ok(()) } else { Err(Leave::GiveUp) }
    }
}
