//! Parses the command line, runs, reports.

use std::process::ExitCode;

fn main() -> ExitCode {
    picloud::cli::run()
}
