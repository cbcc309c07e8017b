//! Replaces the built-in functions that could pass a limit inside one call, wait, or print. What one call may build is known before it
//! is built: Rhai looks at sizes only afterwards, and one `replace` can ask for gigabytes.

use std::{
    cmp::Ordering,
    panic::{AssertUnwindSafe, catch_unwind},
};

use rhai::{Array, Blob, Dynamic, Engine, EvalAltResult, FnPtr, INT, ImmutableString, Instant, Map, NativeCallContext, Position};

use super::{context::error, meter, value};

type Run<T> = Result<T, Box<EvalAltResult>>;

/// The sizes that one engine allows.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Bytes of a string.
    pub string: usize,
    /// Elements of an array, bytes of a blob.
    pub array: usize,
    /// Entries of a map.
    pub map: usize,
}

/// What the limits count in a value, and in what it holds.
#[derive(Default)]
struct Weight {
    elements: usize,
    entries: usize,
    text_bytes: usize,
}

impl Weight {
    fn add(&mut self, value: &Dynamic) {
        if let Ok(array) = value.as_array_ref() {
            self.add_all(&array);
        } else if let Ok(map) = value.as_map_ref() {
            self.entries += map.len();
            map.values().for_each(|value| self.add(value));
        } else if let Ok(blob) = value.as_blob_ref() {
            self.elements += blob.len();
        } else if let Ok(text) = value.as_immutable_string_ref() {
            self.text_bytes += text.len();
        } else if let Some(function) = value.read_lock::<FnPtr>() {
            // What a closure captures is shared, what a function is curried with is copied with it. The engine's own count sees neither.
            function.iter_curry().filter(|value| !value.is_shared()).for_each(|value| {
                self.elements += 1;
                self.add(value);
            });
        }
    }

    fn add_all(&mut self, array: &Array) {
        self.elements += array.len();
        array.iter().for_each(|value| self.add(value));
    }
}

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

/// Registers every replacement.
pub fn register(engine: &mut Engine, sizes: Sizes) {
    for name in ["eval", "print", "debug"] {
        engine.disable_symbol(name);
    }
    engine.register_fn("sleep", |_: INT| -> Run<()> { Err(error("`sleep` is not available")) });
    engine.register_fn("sleep", |_: f64| -> Run<()> { Err(error("`sleep` is not available")) });
    engine.register_fn("timestamp", || -> Run<Instant> { Err(error("`timestamp` is not available")) });

    replace::<ImmutableString, ImmutableString>(engine, sizes);
    replace::<ImmutableString, char>(engine, sizes);
    replace::<char, ImmutableString>(engine, sizes);
    replace::<char, char>(engine, sizes);
    split::<ImmutableString>(engine, sizes);
    split::<char>(engine, sizes);
    pad(engine, sizes);
    comparators(engine);
    let array = sizes.array;
    engine.register_fn("split", move |text: &mut ImmutableString| pieces(text.split_whitespace(), array));
    engine
        .register_fn("to_chars", move |text: &mut ImmutableString| -> Run<Array> { collect(text.chars().map(Dynamic::from_char), array) });
    engine.register_fn("to_array", move |blob: &mut Blob| -> Run<Array> {
        collect(blob.iter().map(|byte| Dynamic::from_int(INT::from(*byte))), array)
    });
    engine.register_fn("to_blob", move |text: &mut ImmutableString| -> Run<Blob> {
        if text.len() > array { Err(too_large("Size of BLOB")) } else { Ok(text.as_bytes().to_vec()) }
    });

    let json = move |value: &Dynamic| -> Run<ImmutableString> {
        value::to_json(value, sizes.string)
            .map(|json| String::from_utf8_lossy(&json).into_owned().into())
            .map_err(|why| error(format!("this value cannot be written as JSON: {why}")))
    };
    engine.register_fn("to_json", move |value: Dynamic| json(&value));
    engine.register_fn("to_json", move |map: &mut Map| json(&Dynamic::from_map(map.clone())));
    engine.register_fn("parse_json", |text: &str| -> Run<Dynamic> {
        value::from_json(text.as_bytes()).map_err(|why| error(format!("this is not JSON: {why}")))
    });

    // Rhai's own go through every value inside, and a closure can hold the map that holds it.
    let text = move |value: &Dynamic| ImmutableString::from(value::to_text(value, sizes.string));
    engine.register_fn("to_string", move |map: &mut Map| text(&Dynamic::from_map(map.clone())));
    engine.register_fn("to_string", move |array: &mut Array| text(&Dynamic::from_array(array.clone())));
    engine.register_fn("to_debug", move |map: &mut Map| text(&Dynamic::from_map(map.clone())));
    engine.register_fn("to_debug", move |array: &mut Array| text(&Dynamic::from_array(array.clone())));
}

fn collect(items: impl Iterator<Item = Dynamic>, limit: usize) -> Run<Array> {
    let mut array = Array::new();
    for item in items {
        if array.len() >= limit {
            return Err(too_large("Size of array"));
        }
        array.push(item);
    }
    Ok(array)
}

fn pieces<'a>(pieces: impl Iterator<Item = &'a str>, limit: usize) -> Run<Array> {
    collect(pieces.map(|piece| piece.to_owned().into()), limit)
}

fn replace<F: Needle, T: Needle>(engine: &mut Engine, sizes: Sizes) {
    engine.register_fn("replace", move |text: &mut ImmutableString, find: F, substitute: T| -> Run<()> {
        let (find, substitute) = (find.text(), substitute.text());
        let found = if find.is_empty() { text.chars().count() + 1 } else { text.matches(find.as_str()).count() };
        let length = text.len() as u128 - (found * find.len()) as u128 + found as u128 * substitute.len() as u128;
        if length > sizes.string as u128 {
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
fn pad(engine: &mut Engine, sizes: Sizes) {
    engine.register_fn("pad", move |text: &mut ImmutableString, length: INT, with: ImmutableString| padded(text, length, &with, sizes));
    engine.register_fn("pad", move |text: &mut ImmutableString, length: INT, with: char| padded(text, length, &with.text(), sizes));
    engine.register_fn("pad", move |array: &mut Array, length: INT, item: Dynamic| -> Run<()> {
        let length = usize::try_from(length).unwrap_or(0);
        if length <= array.len() {
            return Ok(());
        }
        if length > sizes.array {
            return Err(too_large("Size of array"));
        }
        let (missing, mut all, mut one) = (length - array.len(), Weight::default(), Weight::default());
        all.add_all(array);
        one.add(&item);
        if all.elements + missing * (1 + one.elements) > sizes.array {
            return Err(too_large("Size of array"));
        }
        if all.entries + missing * one.entries > sizes.map {
            return Err(too_large("Size of object map"));
        }
        if all.text_bytes + missing * one.text_bytes > sizes.string {
            return Err(too_large("Length of string"));
        }
        array.resize(length, item);
        Ok(())
    });
}

fn padded(text: &mut ImmutableString, length: INT, with: &str, sizes: Sizes) -> Run<()> {
    let length = usize::try_from(length).unwrap_or(0);
    if length > sizes.string {
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
    if bytes > sizes.string {
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
        engine.register_fn(name, sort);
    }
    engine.register_fn("sort", |ctx: NativeCallContext, array: &mut Array, comparator: &str| sort(ctx, array, FnPtr::new(comparator)?));
    for name in ["order", "order_by"] {
        engine.register_fn(name, |ctx: NativeCallContext, array: &mut Array, comparator: FnPtr| -> Run<Array> {
            let mut array = array.clone();
            sort(ctx, &mut array, comparator)?;
            Ok(array)
        });
    }
    engine.register_fn("dedup", dedup);
    engine.register_fn("dedup", |ctx: NativeCallContext, array: &mut Array, comparator: &str| -> Run<()> {
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

fn split<N: Needle>(engine: &mut Engine, Sizes { array, .. }: Sizes) {
    engine.register_fn("split", move |text: &mut ImmutableString, by: N| pieces(text.split(by.text().as_str()), array));
    engine.register_fn("split_rev", move |text: &mut ImmutableString, by: N| pieces(text.rsplit(by.text().as_str()), array));
    let at_most = |segments: INT| usize::try_from(segments).unwrap_or(0).max(1);
    engine.register_fn("split", move |text: &mut ImmutableString, by: N, segments: INT| {
        pieces(text.splitn(at_most(segments), by.text().as_str()), array)
    });
    engine.register_fn("split_rev", move |text: &mut ImmutableString, by: N, segments: INT| {
        pieces(text.rsplitn(at_most(segments), by.text().as_str()), array)
    });
}
