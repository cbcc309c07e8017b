//! How commands print: aligned tables for people, JSON for tools, and silence when the reader has gone.

use std::io::{self, Write};

use serde::Serialize;

/// Prints one line. A reader that has gone (`picloud executions | head`) ends the process without a word.
pub fn line(text: impl AsRef<str>) {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_ref().as_bytes()).and_then(|()| out.write_all(b"\n"));
    if written.is_err() {
        std::process::exit(0);
    }
}

/// Prints bytes as they are.
pub fn raw(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    if out.write_all(bytes).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Prints a value as indented JSON.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints rows below a heading, each column as wide as its widest cell; the last is not padded.
pub fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) {
    let mut widths = heading.map(|cell| cell.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let print = |row: [&str; N]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        line(cells.join("  ").trim_end());
    };
    print(heading);
    for row in rows {
        print(std::array::from_fn(|at| row[at].as_str()));
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
