//! The module `log`: lines that are kept with the execution.

use super::{Call, HostError, HostFunction, HostModule, HostResult, Kind, Parameter, Type, convert::to_rhai};
use crate::engine::value::plain::Value;
use crate::execution::LogLevel;

/// The name of the module.
pub const LOG: &str = "log";

/// The module, with a function for each level.
pub static MODULE: HostModule = HostModule {
    name: LOG,
    about: "Writes lines that are kept with the execution.",
    functions: &[
        function("trace", "Logs what helps to follow a run.", |call| log(call, LogLevel::Trace)),
        function("info", "Logs what happened.", |call| log(call, LogLevel::Info)),
        function("warn", "Logs what may be wrong.", |call| log(call, LogLevel::Warn)),
        function("error", "Logs what went wrong.", |call| log(call, LogLevel::Error)),
    ],
};

const MESSAGE: &[Parameter] = &[Parameter::new("message", Type::Any)];

const fn function(name: &'static str, about: &'static str, call: fn(&mut Call<'_>) -> HostResult) -> HostFunction {
    HostFunction::new(name, MESSAGE, "`()`", Kind::Held, about, call)
}

fn log(call: &mut Call<'_>, level: LogLevel) -> HostResult {
    let message = to_rhai(call.take(0)).map_err(HostError::Script)?;
    call.with_run(|run| run.log(level, &message))?;
    Ok(Value::Unit)
}
