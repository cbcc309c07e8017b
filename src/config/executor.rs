//! The section `[executor]`: how functions run, and whether the stack has room for what the ceilings allow.

use serde::Deserialize;

use super::Fault;
use crate::{
    executor::local::Capacity,
    function::{Limits, quantity::Size, within::Within},
};

/// The section as it is written: every key may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ExecutorFile {
    max_running: Option<Within<usize, 1, 100_000>>,
    max_waiting: Option<Within<usize, 0, 100_000>>,
    stack: Option<Within<Size, { 8 << 20 }, { 64 << 30 }>>,
    memory: Option<Within<Size, { 1 << 20 }, { 1 << 50 }>>,
}

impl ExecutorFile {
    pub(super) fn resolve(&self) -> Capacity {
        let default = Capacity::default();
        Capacity {
            max_running: self.max_running.map_or(default.max_running, Within::get),
            max_waiting: self.max_waiting.map_or(default.max_waiting, Within::get),
            stack_bytes: self.stack.map_or(default.stack_bytes, |size| size.get().bytes()),
            memory_bytes: self.memory.map(|size| size.get().0),
        }
    }
}

/// Stack that comparing two values takes for each value inside a value, in bytes; measured at 1.8 KiB.
const STACK_PER_LEVEL: u64 = 2_048;

/// Refuses a stack that a script within these ceilings could overflow.
pub(super) fn must_have_stack(capacity: &Capacity, ceiling: &Limits) -> Result<(), Fault> {
    let stack = Size(capacity.stack_bytes as u64);
    if stack.0 < ceiling.memory.0.saturating_mul(4) {
        let message = format!("`stack` is {stack}, less than four times the memory ceiling of {}", ceiling.memory);
        return Err(Fault::new(&["executor.stack", "ceilings.memory"], message).hint(
            "a script can build values as deep as its memory allows; raise `stack` in the section `[executor]`, or lower `memory` in `[ceilings]`",
        ));
    }
    let deepest = u64::from(ceiling.array.max(ceiling.map)) * STACK_PER_LEVEL;
    if stack.0 < deepest {
        let message = format!("`stack` is {stack}, and arrays or maps may nest so deep that {} are needed", Size(deepest));
        let larger = if ceiling.array > ceiling.map { "ceilings.array" } else { "ceilings.map" };
        return Err(Fault::new(&["executor.stack", larger], message)
            .hint("lower `array` and `map` in the section `[ceilings]`, or raise `stack` in the section `[executor]`"));
    }
    let deepest = ceiling.stack_of_nesting();
    if stack < deepest {
        let message = format!("`stack` is {stack}, and calls and expressions may nest so deep that {deepest} are needed");
        return Err(Fault::new(&["executor.stack", "ceilings.call_depth", "ceilings.expression_depth"], message)
            .hint("lower `call_depth` and `expression_depth` in the section `[ceilings]`, or raise `stack` in the section `[executor]`"));
    }
    Ok(())
}
