//! How commands print: aligned tables for people, JSON for tools, colours on a terminal, and silence when the reader has gone.
//!
//! Nothing that is told as text speaks to a terminal: hidden characters are written out on the way. There are two ways around that, for who
//! has decided so: [`raw`] and [`painted`].

use std::{
    borrow::Cow,
    env,
    io::{self, ErrorKind, IsTerminal, Write},
    process,
    sync::atomic::{AtomicBool, Ordering},
};

use serde::Serialize;
use serde_json::Value;

use super::exit::COULD_NOT;
pub use crate::shown::count;
use crate::shown::{self, Shown};

/// Whether the reader of stdout has gone.
static READER_LEFT: AtomicBool = AtomicBool::new(false);

/// Returns whether nobody reads any more (`picloud logs -f | head`).
pub fn reader_left() -> bool {
    READER_LEFT.load(Ordering::Relaxed)
}

/// Prints one line, or several.
pub fn line(text: impl AsRef<str>) {
    painted(Shown::lines(text.as_ref()).to_string());
}

/// Prints one line that has colours: whatever came from outside has been shown before it was put in.
pub fn painted(mut text: String) {
    text.push('\n');
    raw(text.as_bytes());
}

/// Prints bytes as they are. When the reader has gone (`picloud executions | head`) the rest is not printed, and the command ends as it
/// would have. So `picloud check` still says by its exit code what it found.
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
            self::error(format!("cannot write to stdout: {error}"));
            process::exit(COULD_NOT.into());
        }
    }
}

/// Tells something on stderr. That nobody may be there to read it is no reason to end.
pub fn tell(text: impl AsRef<str>) {
    tell_painted("", text.as_ref());
}

fn tell_painted(before: &str, text: &str) {
    let whole = format!("{before}{}\n", Shown::lines(text));
    let _ = io::stderr().lock().write_all(whole.as_bytes());
}

/// Tells on stderr why something could not be done.
pub fn error(text: impl AsRef<str>) {
    tell_painted(&format!("{}: ", paint(Style::Red, "error", &io::stderr())), text.as_ref());
}

/// How a word looks on a terminal.
#[derive(Debug, Clone, Copy)]
pub enum Style {
    Bold,
    Red,
    Yellow,
}

/// Returns a text that looks so on a terminal, and plain elsewhere.
pub fn styled(style: Style, text: &str) -> Cow<'_, str> {
    paint(style, text, &io::stdout())
}

/// Returns a word that is so wide on a terminal, with a style or without: colours have no width there.
pub fn column(style: Option<Style>, word: &str, width: usize) -> String {
    let padded = format!("{word:<width$}");
    style.map_or_else(|| padded.clone(), |style| styled(style, &padded).into_owned())
}

fn paint<'a>(style: Style, text: &'a str, to: &impl IsTerminal) -> Cow<'a, str> {
    if !has_colours(to) {
        return text.into();
    }
    let code = match style {
        Style::Bold => 1,
        Style::Red => 31,
        Style::Yellow => 33,
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m").into()
}

/// Terminals have colours unless their user wants none: <https://no-color.org>.
fn has_colours(to: &impl IsTerminal) -> bool {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    to.is_terminal() && !is_set("NO_COLOR") && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Begins anew at the top of a terminal.
pub fn clear() {
    raw(b"\x1b[H\x1b[2J");
}

/// Prints a value as indented JSON.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    painted(shown::json(&serde_json::to_string_pretty(value)?));
    Ok(())
}

/// Prints a value as JSON on one line.
pub fn json_line(value: &Value) {
    painted(shown::json(&value.to_string()));
}

/// Prints rows below a heading, each column as wide as its widest cell; the last is not padded.
pub fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) {
    let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| Shown::inline(cell).to_string())).collect();
    let mut widths = heading.map(|cell| cell.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let joined = |row: [&str; N]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    painted(styled(Style::Bold, &joined(heading)).into_owned());
    for row in &rows {
        line(joined(row.each_ref().map(String::as_str)));
    }
}

/// Shows on a terminal how far something has come, in the place of what was shown before; the text is none at the end.
pub fn progress(text: &str) {
    let mut err = io::stderr().lock();
    if err.is_terminal() {
        let _ = write!(err, "\r\u{1b}[K{text}").and_then(|()| err.flush());
    }
}

/// Writes a span of microseconds as people read it.
pub fn micros(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{:.1} ms", us as f64 / 1e3),
        _ => format!("{:.2} s", us as f64 / 1e6),
    }
}

/// Writes a word for a shell.
pub fn shell(word: &str) -> String {
    let is_plain = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+@:".contains(&byte));
    if is_plain { word.into() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_write_them() {
        assert_eq!([0, 999, 1_000, 12_345, 1_234_567].map(micros), ["0 µs", "999 µs", "1.0 ms", "12.3 ms", "1.23 s"]);
    }
}
