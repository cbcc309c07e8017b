//! `pad`. Rhai's own never ends where there is nothing to pad with. It counts characters where the limit is one of bytes. For arrays, the
//! sum of the sizes overflows.

use rhai::{Array, Dynamic, Engine, INT, ImmutableString, NativeCallContext};

use super::bounded::{CallResult, register_change, too_large};
use crate::engine::value::sizes::Sizes;

/// Registers it for strings and arrays.
pub fn register(engine: &mut Engine) {
    register_change!(engine, "pad", |ctx: NativeCallContext, text: &mut ImmutableString, length: INT, with: ImmutableString| {
        padded(text, length, &with, ctx.engine().max_string_size())
    });
    register_change!(engine, "pad", |ctx: NativeCallContext, text: &mut ImmutableString, length: INT, with: char| {
        padded(text, length, with.encode_utf8(&mut [0; 4]), ctx.engine().max_string_size())
    });
    register_change!(engine, "pad", |ctx: NativeCallContext, array: &mut Array, length: INT, item: Dynamic| -> CallResult<()> {
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
        check_room(all, missing, one, allowed)?;
        array.resize(length, item);
        Ok(())
    });
}

/// Makes sure that so many items of these sizes may be added to an array of these sizes. Nothing is allocated yet.
pub fn check_room(all: Sizes, missing: usize, one: Sizes, allowed: Sizes) -> CallResult<()> {
    if all.array + missing * (1 + one.array) > allowed.array {
        return Err(too_large("Size of array"));
    }
    if all.map + missing * one.map > allowed.map {
        return Err(too_large("Size of object map"));
    }
    if all.string + missing * one.string > allowed.string {
        return Err(too_large("Length of string"));
    }
    Ok(())
}

fn padded(text: &mut ImmutableString, length: INT, with: &str, limit: usize) -> CallResult<()> {
    let padding = padding(text, length, with, limit)?;
    if !padding.is_empty() {
        *text = if text.is_empty() { padding.into() } else { format!("{text}{padding}").into() };
    }
    Ok(())
}

/// Returns what a text lacks to have so many characters.
pub fn padding(text: &str, length: INT, with: &str, limit: usize) -> CallResult<String> {
    let length = usize::try_from(length).unwrap_or(0);
    if length > limit {
        return Err(too_large("Length of string"));
    }
    let missing = length.saturating_sub(text.chars().count());
    let characters = with.chars().count();
    if missing == 0 || characters == 0 {
        return Ok(String::new());
    }
    let (whole, rest) = (missing / characters, missing % characters);
    let part = &with[..with.char_indices().nth(rest).map_or(0, |(at, _)| at)];
    let bytes = text.len() + whole * with.len() + part.len();
    if bytes > limit {
        return Err(too_large("Length of string"));
    }
    Ok(with.repeat(whole) + part)
}
