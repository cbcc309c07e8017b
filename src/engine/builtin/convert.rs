//! Values as other values: as JSON, as text, as arrays.

use rhai::{Array, Blob, Dynamic, Engine, INT, ImmutableString, Map, NativeCallContext};

use super::{
    bounded::{CallResult, collect, error, not_json, too_large},
    printed::{PrintError, Printer},
};
use crate::engine::value::{read, write};

/// Registers the conversions.
pub fn register(engine: &mut Engine) {
    engine
        .register_fn("to_chars", |ctx: NativeCallContext, text: &mut ImmutableString| collect(&ctx, text.chars().map(Dynamic::from_char)));
    engine.register_fn("to_array", |ctx: NativeCallContext, blob: &mut Blob| {
        collect(&ctx, blob.iter().map(|byte| Dynamic::from_int(INT::from(*byte))))
    });
    engine.register_fn("to_blob", |ctx: NativeCallContext, text: &mut ImmutableString| -> CallResult<Blob> {
        if text.len() > ctx.engine().max_array_size() { Err(too_large("Size of BLOB")) } else { Ok(text.as_bytes().to_vec()) }
    });

    let json = |ctx: &NativeCallContext, value: &Dynamic| -> CallResult<ImmutableString> {
        write::to_json(value, ctx.engine().max_string_size())
            .map(|json| String::from_utf8_lossy(&json).into_owned().into())
            .map_err(|why| not_json(&why))
    };
    engine.register_fn("to_json", move |ctx: NativeCallContext, value: Dynamic| json(&ctx, &value));
    engine.register_fn("to_json", move |ctx: NativeCallContext, map: &mut Map| json(&ctx, &Dynamic::from_map(map.clone())));
    engine.register_fn("parse_json", |text: &str| -> CallResult<Dynamic> {
        read::from_json(text.as_bytes()).map_err(|why| error(format!("this is not JSON: {why}")))
    });

    for name in ["to_string", "to_debug"] {
        engine.register_fn(name, |ctx: NativeCallContext, map: &mut Map| print(&ctx, |printer| printer.map(map)));
        engine.register_fn(name, |ctx: NativeCallContext, array: &mut Array| print(&ctx, |printer| printer.array(array)));
    }
}

fn print(ctx: &NativeCallContext, write: impl FnOnce(&mut Printer) -> Result<(), PrintError>) -> CallResult<ImmutableString> {
    let mut printer = Printer::new(ctx.engine().max_string_size());
    match write(&mut printer) {
        Ok(()) => Ok(printer.text.into()),
        Err(PrintError::TooLong) => Err(too_large("Length of string")),
        Err(PrintError::TooDeep) => Err(error("this value is nested too deep to be written, or holds itself")),
    }
}
