//! Sorting, and the removal of duplicates. Both go on when a comparison fails, but after a stop they must end. A comparison can be
//! expensive before its first operation: it copies the values that its comparator is curried with.

use std::{
    cmp::Ordering,
    panic::{AssertUnwindSafe, catch_unwind},
};

use rhai::{Array, Dynamic, Engine, FnPtr, NativeCallContext};

use super::bounded::{CallResult, error, register_change};
use crate::engine::meter;

/// Registers what takes a comparator.
pub fn register(engine: &mut Engine) {
    for name in ["sort", "sort_by"] {
        register_change!(engine, name, sort);
    }
    register_change!(engine, "sort", |ctx: NativeCallContext, array: &mut Array, comparator: &str| {
        sort(ctx, array, FnPtr::new(comparator)?)
    });
    for name in ["order", "order_by"] {
        engine.register_fn(name, |ctx: NativeCallContext, array: &mut Array, comparator: FnPtr| -> CallResult<Array> {
            let mut array = array.clone();
            sort(ctx, &mut array, comparator)?;
            Ok(array)
        });
    }
    register_change!(engine, "dedup", dedup);
    register_change!(engine, "dedup", |ctx: NativeCallContext, array: &mut Array, comparator: &str| -> CallResult<()> {
        dedup(ctx, array, FnPtr::new(comparator)?);
        Ok(())
    });
}

fn sort(ctx: NativeCallContext, array: &mut Array, comparator: FnPtr) -> CallResult<()> {
    let compare = |x: &Dynamic, y: &Dynamic| {
        if meter::is_stopped() {
            return Ordering::Equal;
        }
        let result = comparator.call_raw(&ctx, None, [x.clone(), y.clone()]).unwrap_or_default();
        match (result.as_int(), result.as_bool()) {
            (Ok(order), _) => order.cmp(&0),
            (_, Ok(true)) => Ordering::Less,
            (_, Ok(false)) => Ordering::Greater,
            _ => x.type_id().cmp(&y.type_id()),
        }
    };
    // The standard library may panic where the order is none.
    catch_unwind(AssertUnwindSafe(|| array.sort_by(compare))).map_err(|_| error("error in comparer for sorting"))
}

fn dedup(ctx: NativeCallContext, array: &mut Array, comparator: FnPtr) {
    array.dedup_by(|x, y| {
        let is_same = || comparator.call_raw(&ctx, None, [y.clone(), x.clone()]).ok().and_then(|result| result.as_bool().ok());
        !meter::is_stopped() && is_same().unwrap_or(false)
    });
}
