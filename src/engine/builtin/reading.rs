//! Methods that read and that Rhai refuses on a constant, as it takes them for changes. A request is one, so here they are as what they are.

use std::ops::{Range, RangeInclusive};

use rhai::{Array, Dynamic, Engine, FnPtr, INT, NativeCallContext};

use super::{
    bounded::CallResult,
    parts::{exclusive, inclusive},
};

/// Registers every replacement.
pub fn register(engine: &mut Engine) {
    engine.register_fn("get", |array: &mut Array, index: INT| part(array, index, 1).pop().unwrap_or_default());
    extract::<Dynamic>(engine);
    extract::<u8>(engine);
    for (name, change) in [("order", "sort"), ("order_desc", "sort_desc")] {
        engine.register_fn(name, move |ctx: NativeCallContext, array: &mut Array| -> CallResult<Dynamic> {
            let mut sorted = Dynamic::from_array(array.clone());
            let _ = ctx.call_native_fn_raw(change, true, &mut [&mut sorted])?;
            Ok(sorted)
        });
    }
    for name in ["map", "filter"] {
        engine.register_fn(name, move |ctx: NativeCallContext, array: &mut Array, function: &str| -> CallResult<Dynamic> {
            let mut function = Dynamic::from(FnPtr::new(function)?);
            ctx.call_native_fn_raw(name, true, &mut [&mut Dynamic::from_array(array.clone()), &mut function])
        });
    }
}

fn extract<T: Clone + Send + Sync + 'static>(engine: &mut Engine) {
    engine.register_fn("extract", |list: &mut Vec<T>, start: INT, length: INT| part(list, start, length));
    engine.register_fn("extract", |list: &mut Vec<T>, start: INT| part(list, start, INT::MAX));
    engine.register_fn("extract", |list: &mut Vec<T>, range: Range<INT>| {
        let (start, length) = exclusive(&range);
        part(list, start, length)
    });
    engine.register_fn("extract", |list: &mut Vec<T>, range: RangeInclusive<INT>| {
        let (start, length) = inclusive(&range);
        part(list, start, length)
    });
}

/// Copies a part; a negative start counts from the end.
fn part<T: Clone>(list: &[T], start: INT, length: INT) -> Vec<T> {
    let distance = usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX);
    let start = if start < 0 { list.len().saturating_sub(distance) } else { distance.min(list.len()) };
    let length = usize::try_from(length).unwrap_or(0);
    list[start..].iter().take(length).cloned().collect()
}
