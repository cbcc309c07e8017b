//! A second way to run a script, for what scripts do most: read the request, loop over it, put an answer together.
//!
//! Rhai's evaluator copies a value each time that a variable or a property is read. An array of maps is copied several times before the
//! script sees its first element. A plan is made of the same syntax tree. Its variables have fixed places, and it reads values where they are.
//!
//! **A plan gives what Rhai would give, or it gives up**, and Rhai runs the script from its beginning. It gives up at everything unusual: an
//! error of any kind, a value near a limit, an unknown type, more than [`SLOW_TICKS`](super::meter::SLOW_TICKS) steps. So errors and their
//! places come from one evaluator only, and a plan may leave out whatever it likes.
//!
//! When a plan gives up, the effects of its [host functions](super::host) are undone, and what it took out of the request's body is read
//! again. The request itself cannot be changed. A run that is stopped at one of its limits does not begin again: that would take as long once
//! more. A plan counts the operations that Rhai would need for the same work.

mod assignments;
pub mod build;
mod chains;
mod effects;
mod expressions;
mod frame;
mod operations;
mod operators;
mod reads;
pub mod run;
mod statements;
mod steps;
#[cfg(test)]
mod tests;
mod view;

use std::sync::atomic::{AtomicI32, Ordering};

use rhai::{AST, Engine, GlobalRuntimeState};

use self::{build::RunStage, run::PlanOutcome, steps::Block};
use super::context;

/// A script whose every statement is known here.
#[derive(Debug)]
pub struct RunPlan {
    body: Block,
    /// How many variables it has, each at a place of its own.
    places: usize,
    /// Grows when the plan gives up and shrinks when it does not; past a level the plan is left out for a while.
    misses: AtomicI32,
}

/// What giving up once costs, in runs that go well.
const MISS: i32 = 8;
/// A plan that misses more than this is not tried.
const MAX_MISSES: i32 = 64;

impl RunPlan {
    /// Makes a plan; none if there is anything in the script that it does not know.
    pub(super) fn of(ast: &AST, stage: RunStage) -> Option<Self> {
        let (body, places) = build::build(ast, stage)?;
        Some(Self { body, places, misses: AtomicI32::new(0) })
    }

    /// Runs the script that stands on this thread.
    pub(super) fn run(&self, engine: &Engine, global: &GlobalRuntimeState) -> PlanOutcome {
        let misses = self.misses.load(Ordering::Relaxed);
        if misses > MAX_MISSES {
            self.misses.store(misses - 1, Ordering::Relaxed);
            return PlanOutcome::GaveUp;
        }
        let outcome = context::with(|run| run::run(&self.body, self.places, engine, global, run)).unwrap_or(PlanOutcome::GaveUp);
        if matches!(outcome, PlanOutcome::GaveUp) {
            self.misses.store(misses + MISS, Ordering::Relaxed);
        } else if misses > 0 {
            self.misses.store(misses - 1, Ordering::Relaxed);
        }
        outcome
    }
}
