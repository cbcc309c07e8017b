//! Runs a plan, and undoes what it did if it gives up.

use rhai::{Dynamic, Engine, GlobalRuntimeState, Position};

use super::{
    frame::{Frame, Leave},
    steps::Block,
};
use crate::engine::{body, context::Run, meter};

/// How near a plan goes to the limit of operations. Rhai may count two for a moment that it takes back.
const MARGIN: u64 = 2;

/// What running a plan came to.
pub enum PlanOutcome {
    /// The script gave this.
    Done(Dynamic),
    /// It passed one of its limits, there.
    Stopped(Position),
    /// Rhai has to run it.
    GaveUp,
}

/// Runs the steps of a plan.
pub fn run(steps: &Block, places: usize, engine: &Engine, global: &GlobalRuntimeState, run: &mut Run) -> PlanOutcome {
    let (logged, used) = (run.log.mark(), meter::mark());
    let effects = run.effects.as_ref().map(|effects| effects.mark());
    let emitted = run.outbox.as_ref().map(|emitted| emitted.mark());
    if run.body.is_shared() {
        // A guard has read it.
        run.body = run.body.take().flatten();
    }
    let mut frame = Frame {
        places: vec![Dynamic::UNIT; places],
        ticks: 0,
        operations: 0,
        may_count: meter::operations_left().saturating_sub(MARGIN),
        at: Position::NONE,
        took_body: false,
        engine,
        global,
        run,
    };
    let result = frame.block(steps);
    let Frame { ticks, operations, at, took_body, places, .. } = frame;
    drop(places);
    meter::correct(ticks, operations);
    match result {
        Ok(value) | Err(Leave::Return(value)) if meter::operations_left() >= MARGIN => return PlanOutcome::Done(value),
        Err(Leave::Stop) => return PlanOutcome::Stopped(at),
        _ => {}
    }
    run.log.rewind(logged);
    if let Some(later) = &mut run.effects {
        later.rewind(effects.unwrap_or_default());
    }
    if let Some(later) = &mut run.outbox {
        meter::keep(|| later.rewind(emitted.unwrap_or_default()));
    }
    if took_body {
        // What is left of it makes room first. It was well formed the first time.
        run.body = Dynamic::UNIT;
        run.body = body::read(&run.invocation.request.headers, &run.invocation.request.body).unwrap_or(Dynamic::UNIT);
    }
    meter::rewind(used);
    PlanOutcome::GaveUp
}
