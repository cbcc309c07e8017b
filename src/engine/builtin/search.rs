//! `replace`, `split` and `split_rev`: what one call builds is known before it is built.

use rhai::{Array, Engine, INT, ImmutableString, NativeCallContext};

use super::bounded::{CallResult, collect, register_change, too_large};

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

/// Registers them for strings and characters.
pub fn register(engine: &mut Engine) {
    replace::<ImmutableString, ImmutableString>(engine);
    replace::<ImmutableString, char>(engine);
    replace::<char, ImmutableString>(engine);
    replace::<char, char>(engine);
    split::<ImmutableString>(engine);
    split::<char>(engine);
    engine.register_fn("split", |ctx: NativeCallContext, text: &mut ImmutableString| {
        // An empty string has one piece, as for every other way of splitting; one of spaces has none.
        if text.is_empty() { whole(text) } else { pieces(&ctx, text.split_whitespace()) }
    });
}

fn pieces<'a>(ctx: &NativeCallContext, pieces: impl Iterator<Item = &'a str>) -> CallResult<Array> {
    collect(ctx, pieces.map(|piece| piece.to_owned().into()))
}

fn whole(text: &ImmutableString) -> CallResult<Array> {
    Ok(vec![text.clone().into()])
}

fn replace<F: Needle, T: Needle>(engine: &mut Engine) {
    register_change!(engine, "replace", |ctx: NativeCallContext, text: &mut ImmutableString, find: F, substitute: T| -> CallResult<()> {
        if let Some(replaced) = replaced(text, &find.text(), &substitute.text(), ctx.engine().max_string_size())? {
            *text = replaced.into();
        }
        Ok(())
    });
}

/// Returns a text with each of these parts replaced, if it has any.
pub fn replaced(text: &str, find: &str, substitute: &str, limit: usize) -> CallResult<Option<String>> {
    if text.is_empty() {
        return Ok(None);
    }
    let found = if find.is_empty() { text.chars().count() + 1 } else { text.matches(find).count() };
    let length = text.len() as u128 - (found * find.len()) as u128 + found as u128 * substitute.len() as u128;
    if length > limit as u128 {
        return Err(too_large("Length of string"));
    }
    Ok((found > 0).then(|| text.replace(find, substitute)))
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
