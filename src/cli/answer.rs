//! What an execution comes to, as commands print it: the log, and the response or the failure.

use std::io::{self, IsTerminal};

use http::{Method, header::CONTENT_TYPE};

use super::{findings::finding, output};
use crate::{
    config::Config,
    execution::{Execution, Failure, LogLevel, Reply},
    function::{Diagnostic, SharedFunction},
    shown::Shown,
};

/// Prints what a function answered; with `include` its status and headers first.
pub fn print(reply: &Reply, method: &Method, include: bool) {
    if include {
        output::line(format!("{} {}", reply.status.as_u16(), reply.status.canonical_reason().unwrap_or_default()));
        for (name, value) in &reply.headers {
            output::line(format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
        }
        output::line("");
    }
    if method == Method::HEAD {
        return;
    }
    output::raw(&reply.body);
    let is_text = (reply.headers.get(CONTENT_TYPE))
        .is_some_and(|value| [&b"text/"[..], b"application/json"].iter().any(|start| value.as_bytes().starts_with(start)));
    // For people; a program gets the body as it is.
    if is_text && io::stdout().is_terminal() && !reply.body.ends_with(b"\n") {
        output::line("");
    }
}

/// Tells what a run logged.
pub fn tell_log(execution: &Execution) {
    for line in &execution.logs {
        output::tell(format!("{:<5}  {}", word(line.level), Shown::inline(&line.message)));
    }
    if execution.logs_dropped > 0 {
        output::tell(format!("{} did not fit the limit", output::count(execution.logs_dropped as usize, "log line")));
    }
}

/// Tells why it failed, with the place in the file here.
pub fn tell_failure(config: &Config, execution: &Execution, function: &SharedFunction) {
    let Some(failure) = &execution.failure else { return };
    let mut diagnostic = Diagnostic::error(failure.file.clone(), failure.message.clone());
    let text = function.files.iter().find(|(file, _)| *file == failure.file).map(|(_, content)| String::from_utf8_lossy(&content.bytes));
    if let (Some(position), Some(text)) = (failure.position, text) {
        diagnostic = diagnostic.at(&text, position);
    }
    output::tell(finding(config, &diagnostic));
    for call in &failure.calls {
        output::tell(format!("  in {}", Shown::inline(&call.to_string())));
    }
}

/// Writes a failure in one line, its place first.
pub fn place_and_message(failure: &Failure) -> String {
    let place = failure.position.map_or(String::new(), |at| format!(":{}:{}", at.line, at.column));
    format!("{}{place}: {}", failure.file, failure.message)
}

/// Returns the word of a level, as scripts write it.
pub fn word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Trace => "trace",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    }
}
