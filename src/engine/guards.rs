//! Replaces the built-in functions that could pass a limit inside one call, wait, or print. What one call may build is known before it
//! is built: Rhai looks at sizes only afterwards, and one `replace` can ask for gigabytes.

use rhai::{Array, Blob, Dynamic, Engine, EvalAltResult, INT, ImmutableString, Instant, Map, Position};

use super::{context::error, value};

type Run<T> = Result<T, Box<EvalAltResult>>;

/// The sizes that one engine allows.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Bytes of a string.
    pub string: usize,
    /// Elements of an array, bytes of a blob.
    pub array: usize,
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
