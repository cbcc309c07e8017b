//! How commands print: aligned tables for people, JSON for tools, and silence when the reader has gone.

use std::{
    borrow::Cow,
    io::{self, ErrorKind, IsTerminal, Write},
    process,
    sync::atomic::{AtomicBool, Ordering},
};

use serde::Serialize;

use super::COULD_NOT;

/// Whether the reader of stdout has gone.
static READER_LEFT: AtomicBool = AtomicBool::new(false);

/// Returns whether nobody reads any more (`picloud logs -f | head`).
pub fn reader_left() -> bool {
    READER_LEFT.load(Ordering::Relaxed)
}

/// Prints one line.
pub fn line(text: impl AsRef<str>) {
    let text = text.as_ref();
    let mut whole = String::with_capacity(text.len() + 1);
    whole.push_str(text);
    whole.push('\n');
    raw(whole.as_bytes());
}

/// Prints bytes as they are. When the reader has gone (`picloud executions | head`) the rest is not printed, and the command ends as it
/// would have: `picloud check` still says by its exit code what it found.
pub fn raw(bytes: &[u8]) {
    if reader_left() {
        return;
    }
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => READER_LEFT.store(true, Ordering::Relaxed),
        // Half of a listing must not pass for the whole.
        Err(error) => {
            tell(format!("error: cannot write to stdout: {error}"));
            process::exit(COULD_NOT.into());
        }
    }
}

/// Tells something on stderr. That nobody may be there to read it is no reason to end.
pub fn tell(text: impl AsRef<str>) {
    let mut whole = text.as_ref().to_owned();
    whole.push('\n');
    let _ = io::stderr().lock().write_all(whole.as_bytes());
}

/// Prints a value as indented JSON.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Returns a text with its control characters written out, so that what a caller of a function sent can neither break lines nor speak to
/// the terminal.
pub fn tame(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return text.into();
    }
    let written = text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() });
    written.collect::<String>().into()
}

/// Prints rows below a heading, each column as wide as its widest cell; the last is not padded.
pub fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) {
    let rows: Vec<[Cow<'_, str>; N]> = rows.iter().map(|row| row.each_ref().map(|cell| tame(cell))).collect();
    let mut widths = heading.map(|cell| cell.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let print = |row: [&str; N]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        line(cells.join("  ").trim_end());
    };
    print(heading);
    for row in &rows {
        print(row.each_ref().map(|cell| &**cell));
    }
}

/// Shows on a terminal how far something has come, in the place of what was shown before; the text is none at the end.
pub fn progress(text: &str) {
    let mut err = io::stderr().lock();
    if err.is_terminal() {
        let _ = write!(err, "\r\u{1b}[K{text}").and_then(|()| err.flush());
    }
}

/// Writes a number of things: `1 function`, `3 functions`.
pub fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// Writes a span of microseconds as people read it.
pub fn micros(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{:.1} ms", us as f64 / 1e3),
        _ => format!("{:.2} s", us as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_outside_stays_on_its_line() {
        assert_eq!(tame("grüß dich"), "grüß dich");
        assert_eq!(tame("a\nb\u{1b}[31mred\u{9b}x"), "a\\nb\\u{1b}[31mred\\u{9b}x");
    }

    #[test]
    fn spans_read_as_people_write_them() {
        assert_eq!([0, 999, 1_000, 12_345, 1_234_567].map(micros), ["0 µs", "999 µs", "1.0 ms", "12.3 ms", "1.23 s"]);
    }
}
