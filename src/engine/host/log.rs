//! The module `log`: lines that are kept with the execution.

use rhai::Dynamic;

use super::{HostFunction, HostModule, HostResult, Kind};
use crate::{engine::context::Run, execution::LogLevel};

/// The name of the module.
pub const LOG: &str = "log";

/// The module, with a function for each level.
pub static MODULE: HostModule = HostModule {
    name: LOG,
    functions: &[
        function("trace", |run, arguments| log(run, LogLevel::Trace, arguments)),
        function("info", |run, arguments| log(run, LogLevel::Info, arguments)),
        function("warn", |run, arguments| log(run, LogLevel::Warn, arguments)),
        function("error", |run, arguments| log(run, LogLevel::Error, arguments)),
    ],
};

const fn function(name: &'static str, call: fn(&mut Run, &mut [Dynamic]) -> HostResult) -> HostFunction {
    HostFunction { name, parameters: &["message"], kind: Kind::Held, call }
}

fn log(run: &mut Run, level: LogLevel, arguments: &[Dynamic]) -> HostResult {
    run.log(level, &arguments[0]);
    Ok(Dynamic::UNIT)
}
