//! Asks before something is changed that cannot be seen from here.

use std::io::{self, IsTerminal, Write};

/// Asks on a terminal; elsewhere the command itself is the answer.
pub fn confirmed(question: &str) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(true);
    }
    let mut error = io::stderr();
    write!(error, "{question} [y/N] ")?;
    error.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
