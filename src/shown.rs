//! Text from outside as people may see it: what would move the cursor, break a line, turn the direction of writing or stay invisible is
//! written out. Names, messages and source lines come from whoever sent or saved them, and must neither speak to a terminal nor forge a line.

use std::fmt::{self, Write as _};

/// A text that is written with its hidden characters spelled out: `\n`, `\u{1b}`, `\u{202e}`.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    text: &'a str,
    keeps: Keeps,
}

/// Which of these characters stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeps {
    Nothing,
    Tabs,
    TabsAndLines,
}

impl<'a> Shown<'a> {
    /// Shows a name or a message, on one line.
    pub fn inline(text: &'a str) -> Self {
        Self { text, keeps: Keeps::Nothing }
    }

    /// Shows a line of a file. Tabs stay, so that a caret can stand below its place.
    pub fn line(text: &'a str) -> Self {
        Self { text, keeps: Keeps::Tabs }
    }

    /// Shows what has lines of its own: each name and message in it has been shown before.
    pub fn lines(text: &'a str) -> Self {
        Self { text, keeps: Keeps::TabsAndLines }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.text;
        while let Some((at, hidden)) = rest.char_indices().find(|(_, c)| is_hidden(*c) && !self.keeps.has(*c)) {
            f.write_str(&rest[..at])?;
            write!(f, "{}", hidden.escape_default())?;
            rest = &rest[at + hidden.len_utf8()..];
        }
        f.write_str(rest)
    }
}

impl Keeps {
    fn has(self, c: char) -> bool {
        match c {
            '\t' => self != Self::Nothing,
            '\n' => self == Self::TabsAndLines,
            _ => false,
        }
    }
}

/// Returns whether a character does something to a terminal or to the text around it, or cannot be seen.
pub fn is_hidden(c: char) -> bool {
    // No-break space; marks of width or direction; line and paragraph ends; directions that begin and end; byte order mark.
    c.is_control() || matches!(c, '\u{a0}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Writes a number of things: `1 function`, `3 functions`.
pub fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// Writes an error and its causes in one line, each once.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let because = error.to_string();
        // Some errors repeat their cause.
        if !text.ends_with(&because) {
            text = format!("{text}: {because}");
        }
        cause = error.source();
    }
    text
}

/// Writes hidden characters of a JSON text as JSON does, so that it says the same to a program and nothing to a terminal.
pub fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        // Line breaks and tabs are between values here: within texts the writer has escaped them.
        match c {
            '\n' | '\t' => shown.push(c),
            c if is_hidden(c) => write!(shown, "\\u{:04x}", c as u32).expect("a string takes every text"),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_written_out() {
        for (text, shown) in [
            ("grüß dich, 世界 🙂", "grüß dich, 世界 🙂"),
            ("a\nremote: b", r"a\nremote: b"),
            ("a\r\tb\0", r"a\r\tb\u{0}"),
            ("\u{1b}[31mred\u{9b}x\u{7f}", r"\u{1b}[31mred\u{9b}x\u{7f}"),
            ("abc\u{202e}def\u{2066}\u{2069}\u{200f}", r"abc\u{202e}def\u{2066}\u{2069}\u{200f}"),
            ("a\u{a0}b\u{200b}c\u{feff}\u{2028}", r"a\u{a0}b\u{200b}c\u{feff}\u{2028}"),
            ("", ""),
        ] {
            assert_eq!(Shown::inline(text).to_string(), shown);
        }
    }

    #[test]
    fn tabs_and_lines_stay_where_they_belong() {
        let text = "a\tb\nc\u{1b}\r";
        assert_eq!(Shown::line(text).to_string(), "a\tb\\nc\\u{1b}\\r");
        assert_eq!(Shown::lines(text).to_string(), "a\tb\nc\\u{1b}\\r");
    }

    #[test]
    fn json_says_the_same_when_it_is_shown() {
        let value = serde_json::json!({ "text": "a\u{1b}\u{9b}\u{202e}\u{a0}\n\t\u{7f}ü🙂", "more": [1] });
        let shown = json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!shown.chars().any(|c| is_hidden(c) && c != '\n'), "{shown:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
