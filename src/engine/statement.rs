//! Statements of SQL that a script has as plain text: they can be compared with tables before it runs.

use std::sync::Arc;

use super::{host::check::Literal, place, script::Script};
use crate::{
    capability::sql::SqlError,
    function::{Diagnostic, FilePath, Position, grants::sql::DatabaseName},
};

/// A statement in a call such as `sql::query("…")`.
pub struct PlainStatement {
    /// The function or the guard whose front-matter names the database. The call may be in a module of it.
    pub root: FilePath,
    /// The database.
    pub database: DatabaseName,
    script: Arc<Script>,
    /// The number of the call in its script.
    call: usize,
}

impl PlainStatement {
    /// Returns the statement that a call of a script is given, if its text is plain and the front-matter of `root` names a database.
    pub(super) fn of(root: &Script, script: &Arc<Script>, call: usize) -> Option<Self> {
        let database = root.grants.as_ref()?.sql.clone()?;
        let found = Self { root: root.file.clone(), database, script: script.clone(), call };
        let call = &script.references.host_calls[call];
        (call.function.takes_sql() && matches!(call.literal(0), Some(Literal::Text(_)))).then_some(found)
    }

    /// Returns the file that it is in.
    pub fn file(&self) -> &FilePath {
        &self.script.file
    }

    /// Returns its text.
    pub fn text(&self) -> &str {
        match self.script.references.host_calls[self.call].literal(0) {
            Some(Literal::Text(text)) => text,
            _ => "",
        }
    }

    /// Says what is wrong with it, at its place in the file.
    pub fn wrong(&self, error: &SqlError) -> Diagnostic {
        let diagnostic = Diagnostic::error(self.script.file.clone(), error.message.clone()).maybe_hint(error.hint.clone());
        let argument = self.script.references.host_calls[self.call].arguments.first();
        match argument.and_then(|argument| place::position(argument.position)) {
            Some(begin) => diagnostic.at(self.script.text(), within(self.script.text(), begin, self.text(), error.position)),
            None => diagnostic,
        }
    }
}

/// Returns the place in a file of a place in a string that begins there. Where the string is not written as it is read, it is the beginning.
fn within(file: &str, begin: Position, text: &str, inner: Option<Position>) -> Position {
    let offset = |text: &str, Position { line, column }: Position| {
        let line_start = text.split_inclusive('\n').take(line as usize - 1).map(str::len).sum::<usize>();
        let rest = text.get(line_start..)?;
        Some(line_start + rest.char_indices().nth(column as usize - 1).map_or(rest.len(), |(at, _)| at))
    };
    let place = || {
        let quote = offset(file, begin)?;
        // A line break behind the quote belongs to no string.
        let content = file.get(quote + 1..)?;
        let left_out =
            ["", "\n", "\r\n"].into_iter().find(|skipped| content.strip_prefix(skipped).is_some_and(|rest| rest.starts_with(text)))?;
        Some(Position::of_offset(file, quote + 1 + left_out.len() + offset(text, inner?)?))
    };
    place().unwrap_or(begin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_statement_is_a_place_in_the_file() {
        let at = |line, column| Position { line, column };
        for (file, begin, text, inner, place) in [
            ("é = q(\"SELECT x\")", at(1, 7), "SELECT x", at(1, 8), at(1, 15)),
            ("q(\n  `SELECT\n    x`)", at(2, 3), "SELECT\n    x", at(2, 5), at(3, 5)),
            ("q(`\n  SELECT x`)", at(1, 3), "  SELECT x", at(1, 10), at(2, 10)),
            ("q(`\r\nSELECT x`)", at(1, 3), "SELECT x", at(1, 8), at(2, 8)),
            ("q(\"SELECT x\")", at(1, 3), "SELECT x", at(1, 99), at(1, 12)),
            // Written otherwise than it is read.
            (r#"q("SELECT \"x\"")"#, at(1, 3), "SELECT \"x\"", at(1, 8), at(1, 3)),
            ("q(\"SELECT x\")", at(9, 9), "SELECT x", at(1, 8), at(9, 9)),
        ] {
            assert_eq!(within(file, begin, text, Some(inner)), place, "{file}");
        }
        assert_eq!(within("q(\"SELECT x\")", at(1, 3), "SELECT x", None), at(1, 3));
    }
}
