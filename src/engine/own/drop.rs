//! How values that hold others are dropped: a value of a million levels must not need a million frames of the stack.

use std::cell::{Cell, RefCell};

use super::Value;

/// Values that many levels deep are dropped at once, deeper ones later.
const MAX_DEPTH: u32 = 100;

thread_local! {
    /// How many levels are being dropped.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// Whether something waits until they are.
    static IS_LATER: Cell<bool> = const { Cell::new(false) };
    /// What waits.
    static LATER: RefCell<Vec<Value>> = const { RefCell::new(Vec::new()) };
}

/// Drops what a value holds, or leaves it for the outermost value that is being dropped.
#[inline]
pub fn release(values: impl IntoIterator<Item = Value>) {
    let depth = DEPTH.get();
    if depth >= MAX_DEPTH {
        // A thread that is ending may have none any more; then it is dropped level by level.
        let _ = LATER.try_with(|later| later.borrow_mut().extend(values));
        IS_LATER.set(true);
        return;
    }
    DEPTH.set(depth + 1);
    drop(values);
    if depth == 0 && IS_LATER.replace(false) {
        while let Ok(Some(value)) = LATER.try_with(|later| later.borrow_mut().pop()) {
            drop(value);
        }
        // The room for them is the run's, too.
        let _ = LATER.try_with(|later| drop(later.take()));
    }
    DEPTH.set(depth);
}
