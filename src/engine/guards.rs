//! Replaces the built-in functions that could pass a limit inside one call, wait, or print. What one call may build is known before it
//! is built: Rhai looks at sizes only afterwards, and one `replace` can ask for gigabytes.

use std::{
    cmp::Ordering,
    panic::{AssertUnwindSafe, catch_unwind},
};

use rhai::{Array, Blob, Dynamic, Engine, EvalAltResult, FnPtr, INT, ImmutableString, Instant, Map, NativeCallContext, Position};

use super::{context::error, meter, printed, sizes::Sizes, value};

type Run<T> = Result<T, Box<EvalAltResult>>;

fn too_large(what: &str) -> Box<EvalAltResult> {
    EvalAltResult::ErrorDataTooLarge(what.into(), Position::NONE).into()
}

/// Text that is searched for: a string or a character.
trait Needle: Clone + Send + Sync + 'static {
    fn text(&self) -> String;
}
impl Needle for ImmutableString {
    fn text(&self) -> String {
        self.to_string()
    }
}
impl Needle for char {
    fn text(&self) -> String {
        self.to_string()
    }
}

/// Registers a method that changes what it is called on, which a constant refuses.
macro_rules! register_change {
    ($engine:expr, $name:expr, $function:expr) => {
        rhai::FuncRegistration::new($name).with_purity(false).register_into_engine($engine, $function)
    };
}

pub(super) use register_change;

/// Registers every replacement.
pub fn register(engine: &mut Engine) {
    for name in ["eval", "print", "debug"] {
        engine.disable_symbol(name);
    }
    engine.register_fn("sleep", |_: INT| -> Run<()> { Err(error("`sleep` is not available")) });
    engine.register_fn("sleep", |_: f64| -> Run<()> { Err(error("`sleep` is not available")) });
    engine.register_fn("timestamp", || -> Run<Instant> { Err(error("`timestamp` is not available")) });

    replace::<ImmutableString, ImmutableString>(engine);
    replace::<ImmutableString, char>(engine);
    replace::<char, ImmutableString>(engine);
    replace::<char, char>(engine);
    split::<ImmutableString>(engine);
    split::<char>(engine);
    pad(engine);
    comparators(engine);
    engine.register_fn("split", |ctx: NativeCallContext, text: &mut ImmutableString| {
        // An empty string has one piece, as for every other way of splitting; one of spaces has none.
        if text.is_empty() { whole(text) } else { pieces(&ctx, text.split_whitespace()) }
    });
    engine
        .register_fn("to_chars", |ctx: NativeCallContext, text: &mut ImmutableString| collect(&ctx, text.chars().map(Dynamic::from_char)));
    engine.register_fn("to_array", |ctx: NativeCallContext, blob: &mut Blob| {
        collect(&ctx, blob.iter().map(|byte| Dynamic::from_int(INT::from(*byte))))
    });
    engine.register_fn("to_blob", |ctx: NativeCallContext, text: &mut ImmutableString| -> Run<Blob> {
        if text.len() > ctx.engine().max_array_size() { Err(too_large("Size of BLOB")) } else { Ok(text.as_bytes().to_vec()) }
    });

    let json = |ctx: &NativeCallContext, value: &Dynamic| -> Run<ImmutableString> {
        value::to_json(value, ctx.engine().max_string_size())
            .map(|json| String::from_utf8_lossy(&json).into_owned().into())
            .map_err(|why| error(format!("this value cannot be written as JSON: {why}")))
    };
    engine.register_fn("to_json", move |ctx: NativeCallContext, value: Dynamic| json(&ctx, &value));
    engine.register_fn("to_json", move |ctx: NativeCallContext, map: &mut Map| json(&ctx, &Dynamic::from_map(map.clone())));
    engine.register_fn("parse_json", |text: &str| -> Run<Dynamic> {
        value::from_json(text.as_bytes()).map_err(|why| error(format!("this is not JSON: {why}")))
    });

    for name in ["to_string", "to_debug"] {
        engine.register_fn(name, |ctx: NativeCallContext, map: &mut Map| print(&ctx, |printer| printer.map(map)));
        engine.register_fn(name, |ctx: NativeCallContext, array: &mut Array| print(&ctx, |printer| printer.array(array)));
    }
}

fn print(ctx: &NativeCallContext, write: impl FnOnce(&mut printed::Printer) -> Result<(), printed::NotPrinted>) -> Run<ImmutableString> {
    let mut printer = printed::Printer::new(ctx.engine().max_string_size());
    match write(&mut printer) {
        Ok(()) => Ok(printer.text.into()),
        Err(printed::NotPrinted::TooLong) => Err(too_large("Length of string")),
        Err(printed::NotPrinted::TooDeep) => Err(error("this value is nested too deep to be written, or holds itself")),
    }
}

fn collect(ctx: &NativeCallContext, items: impl Iterator<Item = Dynamic>) -> Run<Array> {
    let mut array = Array::new();
    for item in items {
        if array.len() >= ctx.engine().max_array_size() {
            return Err(too_large("Size of array"));
        }
        array.push(item);
    }
    Ok(array)
}

fn pieces<'a>(ctx: &NativeCallContext, pieces: impl Iterator<Item = &'a str>) -> Run<Array> {
    collect(ctx, pieces.map(|piece| piece.to_owned().into()))
}

fn whole(text: &ImmutableString) -> Run<Array> {
    Ok(vec![text.clone().into()])
}

fn replace<F: Needle, T: Needle>(engine: &mut Engine) {
    register_change!(engine, "replace", |ctx: NativeCallContext, text: &mut ImmutableString, find: F, substitute: T| -> Run<()> {
        if text.is_empty() {
            return Ok(());
        }
        let (find, substitute) = (find.text(), substitute.text());
        let found = if find.is_empty() { text.chars().count() + 1 } else { text.matches(find.as_str()).count() };
        let length = text.len() as u128 - (found * find.len()) as u128 + found as u128 * substitute.len() as u128;
        if length > ctx.engine().max_string_size() as u128 {
            return Err(too_large("Length of string"));
        }
        if found > 0 {
            *text = text.replace(find.as_str(), &substitute).into();
        }
        Ok(())
    });
}

/// Rhai's own never ends where there is nothing to pad with, counts characters where the limit is one of bytes, and its sum of what a padded
/// array would hold overflows.
fn pad(engine: &mut Engine) {
    register_change!(engine, "pad", |ctx: NativeCallContext, text: &mut ImmutableString, length: INT, with: ImmutableString| {
        padded(text, length, &with, ctx.engine().max_string_size())
    });
    register_change!(engine, "pad", |ctx: NativeCallContext, text: &mut ImmutableString, length: INT, with: char| {
        padded(text, length, &with.text(), ctx.engine().max_string_size())
    });
    register_change!(engine, "pad", |ctx: NativeCallContext, array: &mut Array, length: INT, item: Dynamic| -> Run<()> {
        let allowed = Sizes::allowed_in(ctx.engine());
        let length = usize::try_from(length).unwrap_or(0);
        if length <= array.len() {
            return Ok(());
        }
        if length > allowed.array {
            return Err(too_large("Size of array"));
        }
        let (missing, mut all, one) = (length - array.len(), Sizes::default(), Sizes::of(&item));
        all.add_all(array);
        if all.array + missing * (1 + one.array) > allowed.array {
            return Err(too_large("Size of array"));
        }
        if all.map + missing * one.map > allowed.map {
            return Err(too_large("Size of object map"));
        }
        if all.string + missing * one.string > allowed.string {
            return Err(too_large("Length of string"));
        }
        array.resize(length, item);
        Ok(())
    });
}

fn padded(text: &mut ImmutableString, length: INT, with: &str, limit: usize) -> Run<()> {
    let length = usize::try_from(length).unwrap_or(0);
    if length > limit {
        return Err(too_large("Length of string"));
    }
    let missing = length.saturating_sub(text.chars().count());
    let characters = with.chars().count();
    if missing == 0 || characters == 0 {
        return Ok(());
    }
    let (whole, rest) = (missing / characters, missing % characters);
    let part = &with[..with.char_indices().nth(rest).map_or(0, |(at, _)| at)];
    let bytes = text.len() + whole * with.len() + part.len();
    if bytes > limit {
        return Err(too_large("Length of string"));
    }
    let padding = with.repeat(whole) + part;
    *text = if text.is_empty() { padding.into() } else { format!("{text}{padding}").into() };
    Ok(())
}

/// Sorting, and the removal of duplicates, go on when a comparison fails. After a stop they must not: a comparison can cost much before its
/// first tick, such as a copy of all that the comparator is curried with.
fn comparators(engine: &mut Engine) {
    for name in ["sort", "sort_by"] {
        register_change!(engine, name, sort);
    }
    register_change!(engine, "sort", |ctx: NativeCallContext, array: &mut Array, comparator: &str| {
        sort(ctx, array, FnPtr::new(comparator)?)
    });
    for name in ["order", "order_by"] {
        engine.register_fn(name, |ctx: NativeCallContext, array: &mut Array, comparator: FnPtr| -> Run<Array> {
            let mut array = array.clone();
            sort(ctx, &mut array, comparator)?;
            Ok(array)
        });
    }
    register_change!(engine, "dedup", dedup);
    register_change!(engine, "dedup", |ctx: NativeCallContext, array: &mut Array, comparator: &str| -> Run<()> {
        dedup(ctx, array, FnPtr::new(comparator)?);
        Ok(())
    });
}

fn sort(ctx: NativeCallContext, array: &mut Array, comparator: FnPtr) -> Run<()> {
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

fn split<N: Needle>(engine: &mut Engine) {
    engine.register_fn(
        "split",
        |ctx: NativeCallContext, text: &mut ImmutableString, at: N| {
            if text.is_empty() { whole(text) } else { pieces(&ctx, text.split(at.text().as_str())) }
        },
    );
    engine.register_fn(
        "split_rev",
        |ctx: NativeCallContext, text: &mut ImmutableString, at: N| {
            if text.is_empty() { whole(text) } else { pieces(&ctx, text.rsplit(at.text().as_str())) }
        },
    );
    let at_most = |text: &ImmutableString, segments| if text.is_empty() { 1 } else { usize::try_from(segments).unwrap_or(0) };
    engine.register_fn("split", move |ctx: NativeCallContext, text: &mut ImmutableString, at: N, segments: INT| {
        match at_most(text, segments) {
            0 | 1 => whole(text),
            segments => pieces(&ctx, text.splitn(segments, at.text().as_str())),
        }
    });
    engine.register_fn("split_rev", move |ctx: NativeCallContext, text: &mut ImmutableString, at: N, segments: INT| {
        match at_most(text, segments) {
            0 | 1 => whole(text),
            segments => pieces(&ctx, text.rsplitn(segments, at.text().as_str())),
        }
    });
}

#[cfg(test)]
mod tests;
