//! What is typed on a terminal and not shown.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::output;

/// Reads a line of stdin, of at most so many bytes. On a terminal it is asked for, and not shown while it is typed.
pub fn read_hidden(question: &str, max_bytes: u64) -> io::Result<String> {
    let stdin = io::stdin();
    let hidden = if stdin.is_terminal() {
        // First, or what is typed early would be shown.
        let hidden = HiddenInput::begin()?;
        let mut stderr = io::stderr();
        write!(stderr, "{question}").and_then(|()| stderr.flush())?;
        Some(hidden)
    } else {
        None
    };
    let mut line = String::new();
    let read = stdin.lock().take(max_bytes).read_line(&mut line);
    if hidden.is_some() {
        drop(hidden);
        output::tell("");
    }
    read.map(|_| line)
}

/// A terminal that shows nothing of what is typed until this is dropped.
struct HiddenInput(Termios);

impl HiddenInput {
    fn begin() -> rustix::io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for HiddenInput {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
