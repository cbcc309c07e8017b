//! What is wrong with a file, where, and what to do about it; printed as a good compiler would.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::FilePath;
use crate::shown::Shown;

/// Whether a finding stops the file from going live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file cannot go live.
    Error,
    /// It can, and probably should not.
    Warning,
}

/// A place in a file as its author sees it: both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// The members of a record that has a position, or none.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is there for the description")]
pub struct MaybePosition {
    /// Line, from 1.
    line: Option<u32>,
    /// Column in characters, from 1.
    column: Option<u32>,
}

impl Position {
    /// Returns the position of the byte at this offset; past the end it is the end.
    pub fn of_offset(text: &str, offset: usize) -> Self {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self { line: before.matches('\n').count() as u32 + 1, column: before[line_start..].chars().count() as u32 + 1 }
    }
}

/// One finding about one file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Diagnostic {
    /// The file, below the root; empty: about all of them.
    #[schema(value_type = String)]
    pub file: FilePath,
    /// Where in it, if it has a place.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = MaybePosition)]
    pub position: Option<Position>,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do, if we know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The line of the file that `position` names, for the caret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_line: Option<String>,
}

/// Longest part of a source line that is shown, in characters.
const SHOWN_LINE: usize = 160;
/// Of a longer line, so many of them stand before a place that is far to the right.
const SHOWN_BEFORE: usize = 80;
/// The engine counts no further in a line.
const LAST_COLUMN: u32 = u16::MAX as u32;

/// Returns the part of a line that is shown for a column.
fn excerpt(line: &str, column: usize) -> String {
    match column.checked_sub(SHOWN_BEFORE + 1).filter(|_| column > SHOWN_LINE) {
        None => line.chars().take(SHOWN_LINE).collect(),
        Some(left_out) => std::iter::once('…').chain(line.chars().skip(left_out).take(SHOWN_LINE - 1)).collect(),
    }
}

/// Returns how many characters of the excerpt stand before the column.
fn shown_before(column: usize) -> usize {
    if column > SHOWN_LINE { SHOWN_BEFORE + 1 } else { column.saturating_sub(1) }
}

impl Diagnostic {
    /// Reports an error in a file; add where and what to do with the methods below.
    pub fn error(file: impl Into<FilePath>, message: impl Into<String>) -> Self {
        Self { file: file.into(), position: None, severity: Severity::Error, message: message.into(), hint: None, source_line: None }
    }

    /// Reports a warning about a file.
    pub fn warning(file: impl Into<FilePath>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(file, message) }
    }

    /// Makes a warning of an error that keeps nothing from going live.
    #[must_use]
    pub fn as_warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    /// Says where, and keeps the line of `text` that it names.
    #[must_use]
    pub fn at(mut self, text: &str, position: Position) -> Self {
        let line = text.split('\n').nth(position.line as usize - 1).map(|line| line.trim_end_matches('\r'));
        if position.column >= LAST_COLUMN && line.is_some_and(|line| line.chars().nth(LAST_COLUMN as usize).is_some()) {
            self.hint = Some(format!("the place is in column {LAST_COLUMN} or behind it: break the line to see where"));
        }
        self.source_line = line.map(|line| excerpt(line, position.column as usize));
        self.position = Some(position);
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says what to do, if there is something to say.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    /// Keeps where it is, and nothing that repeats what is in the file.
    #[must_use]
    pub fn without_text(self) -> Self {
        let message = match self.severity {
            Severity::Error => "this file has a mistake then, which is told to those who may read it",
            Severity::Warning => "this file has a warning, which is told to those who may read it",
        };
        Self { message: message.into(), hint: None, source_line: None, ..self }
    }

    /// Returns whether this stops its file from going live.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Shown::inline(&self.file))?;
        if let Some(Position { line, column }) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let colon = if self.file.is_empty() { "" } else { ": " };
        write!(f, "{colon}{severity}: {}", Shown::inline(&self.message))?;
        if let (Some(position), Some(line)) = (self.position, &self.source_line) {
            write!(f, "\n  {:>4} | {}\n       | ", position.line, Shown::line(line))?;
            write!(f, "{}^", indent(line, shown_before(position.column as usize)))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {}", Shown::inline(hint))?;
        }
        Ok(())
    }
}

/// Returns what stands before a caret below so many characters of a line. Tabs stay tabs, and what is written out is as wide as it is written,
/// so that the caret stands where the terminal shows the character.
fn indent(line: &str, columns: usize) -> String {
    let before: String = line.chars().chain(std::iter::repeat(' ')).take(columns).collect();
    Shown::line(&before).to_string().chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect()
}

/// Bytes of the longest word that is compared with others: that takes time and memory by the product of both lengths, and a script can make a word
/// of any length.
const MAX_WORD_BYTES: usize = 1_024;

/// Returns the candidate that a misspelt word probably meant; of several the first in the alphabet, whatever order they come in.
pub fn near_miss<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let is_short = |word: &str| word.len() <= MAX_WORD_BYTES;
    let candidates = candidates.into_iter().filter(|candidate| is_short(word) && is_short(candidate));
    let nearest = candidates.map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate)).min()?;
    // A third of the letters may differ, and one must not: `metods` finds `methods`, `x` finds nothing, not even `!`.
    let (distance, length) = (nearest.0, word.chars().count());
    (distance > 0 && distance < length && distance * 3 <= length.max(3)).then_some(nearest.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_lines_and_characters() {
        let text = "aé\nb\tc";
        let at = |offset| {
            let Position { line, column } = Position::of_offset(text, offset);
            (line, column)
        };
        assert_eq!([at(0), at(1), at(2), at(3), at(4), at(6), at(99)], [(1, 1), (1, 2), (1, 2), (1, 3), (2, 1), (2, 3), (2, 4)]);
    }

    #[test]
    fn the_caret_stands_below_the_place() {
        let text = "one\n\tlet x = ;\n";
        let diagnostic =
            Diagnostic::error("a/b.rhai", "expected a value").at(text, Position { line: 2, column: 10 }).hint("write something before `;`");
        insta::assert_snapshot!(diagnostic, @r"
        a/b.rhai:2:10: error: expected a value
             2 | 	let x = ;
               | 	        ^
          hint: write something before `;`
        ");
    }

    #[test]
    fn what_a_file_holds_can_neither_break_a_line_nor_move_the_caret() {
        let text = "\u{1b}[2J\u{202e}\tlet x = ;";
        let diagnostic = Diagnostic::error("x\nremote: live", "unexpected '\u{1b}[31m'")
            .at(text, Position { line: 1, column: 15 })
            .hint("did you mean `\u{9b}`?");
        insta::assert_snapshot!(diagnostic, @r"
        x\nremote: live:1:15: error: unexpected '\u{1b}[31m'
             1 | \u{1b}[2J\u{202e}	let x = ;
               |                  	        ^
          hint: did you mean `\u{9b}`?
        ");
    }

    #[test]
    fn of_a_long_line_the_part_around_the_place_is_shown() {
        for column in [1, 160, 161, 300, 70_000] {
            let text = format!("{}X{}", "é".repeat(column - 1), "b".repeat(200));
            let diagnostic = Diagnostic::error("a.rhai", "wrong").at(&text, Position { line: 1, column: column as u32 });
            let lines: Vec<String> = diagnostic.to_string().lines().map(str::to_owned).collect();
            let caret = lines[2].chars().position(|c| c == '^').unwrap();
            assert_eq!(lines[1].chars().nth(caret), Some('X'), "{column}: {diagnostic}");
            assert!(lines[1].chars().count() <= SHOWN_LINE + "     1 | ".len() + 1, "{column}");
        }
        let text = "a".repeat(100_000);
        let beyond = Diagnostic::error("a.rhai", "wrong").at(&text, Position { line: 1, column: LAST_COLUMN });
        assert!(beyond.hint.unwrap().contains("or behind it"));
    }

    #[test]
    fn a_near_miss_is_near() {
        let words = ["methods", "timeout", "limits"];
        assert_eq!(near_miss("metods", words), Some("methods"));
        assert_eq!(near_miss("timeuot", words), Some("timeout"));
        assert_eq!(near_miss("colour", words), None);
        assert_eq!(near_miss("x", words), None);
        assert_eq!(near_miss(&"metods".repeat(MAX_WORD_BYTES), words), None);
    }

    #[test]
    fn a_near_miss_does_not_hang_on_order_and_shares_a_letter() {
        assert_eq!([near_miss("ab", ["ac", "aa"]), near_miss("ab", ["aa", "ac"])], [Some("aa"); 2]);
        assert_eq!(near_miss("f", ["!", ">"]), None);
    }
}
