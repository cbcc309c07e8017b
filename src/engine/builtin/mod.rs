//! Rhai's functions that we replace: they could pass a limit inside one call, wait, print, or refuse to read a constant.
//!
//! What one call may build is known before it is built. Rhai looks at sizes only afterwards, and one `replace` can ask for gigabytes.

pub mod bounded;
mod convert;
mod order;
pub mod pad;
pub mod parts;
mod printed;
mod reading;
pub mod search;
#[cfg(test)]
mod tests;

use rhai::{Engine, INT, Instant};

use self::bounded::{CallResult, error};

/// Registers every replacement.
pub fn register(engine: &mut Engine) {
    for name in ["eval", "print", "debug"] {
        engine.disable_symbol(name);
    }
    engine.register_fn("sleep", |_: INT| -> CallResult<()> { Err(error("`sleep` is not available")) });
    engine.register_fn("sleep", |_: f64| -> CallResult<()> { Err(error("`sleep` is not available")) });
    engine.register_fn("timestamp", || -> CallResult<Instant> { Err(error("`timestamp` is not available")) });
    search::register(engine);
    pad::register(engine);
    order::register(engine);
    convert::register(engine);
    parts::register(engine);
    reading::register(engine);
}
