//! Values of scripts: to and from JSON, in words, and their sizes.

pub mod plain;
pub mod read;
pub mod sizes;
pub mod text;
pub mod write;

use rhai::Dynamic;
use serde::ser::Error;

/// Most arrays and maps one inside another, in either direction: `serde_json` reads so many. A closure can hold the map that holds it.
pub const MAX_DEPTH: usize = 127;

/// Makes sure that an array or a map that stands inside of so many others can be written: nothing is that could not be read again.
pub(super) fn check_depth<E: Error>(outer: usize) -> Result<(), E> {
    if outer < MAX_DEPTH { Ok(()) } else { Err(E::custom(format!("it is nested deeper than {MAX_DEPTH}, or holds itself"))) }
}

/// Returns the name of a value's type, without the path of one that is ours.
fn type_name(value: &Dynamic) -> &str {
    value.type_name().rsplit("::").next().unwrap_or_default()
}

/// Says that a value has no form in JSON, and what to do instead.
fn without_json(value: &Dynamic) -> String {
    match type_name(value) {
        // The marks that stand for `ctx` and `ctx.request`.
        "Ctx" | "Request" => "the request as a whole has no form in JSON; take what you need of it, such as `ctx.request.body`".into(),
        name => type_without_json(name),
    }
}

/// Says that no value of a type has a form in JSON.
pub(super) fn type_without_json(name: &str) -> String {
    format!("a value of type `{name}` has no form in JSON")
}
