//! The text of a statement, as far as anybody here reads it.

use crate::capability::sql::{SqlError, SqlErrorKind, Statement};

/// Refuses a text that says nothing, or that a database would read only to its first NUL.
pub fn must_be_whole(statement: &Statement) -> Result<(), SqlError> {
    let message = match statement.text.as_str() {
        text if text.contains('\0') => "the statement has the character U+0000",
        text if after_comments(text).trim_matches(|c: char| c == ';' || c.is_whitespace()).is_empty() => "the statement is empty",
        _ => return Ok(()),
    };
    Err(SqlError::new(SqlErrorKind::Statement, message).code("42601"))
}

/// Returns the first word in capital letters, without what says nothing before it: white space, comments, which nest as on Postgres, and
/// empty statements.
pub fn first_word(text: &str) -> String {
    let word: String = first_statement(text).chars().take_while(|c| c.is_ascii_alphabetic()).collect();
    word.to_ascii_uppercase()
}

/// Returns the text from its first statement on. A `;` before it ends a statement that is empty.
fn first_statement(text: &str) -> &str {
    let text = after_comments(text);
    text.strip_prefix(';').map_or(text, first_statement)
}

/// Returns the text from its first word on.
pub fn after_comments(text: &str) -> &str {
    let text = text.trim_start();
    if let Some(line) = text.strip_prefix("--") {
        return line.find(['\n', '\r']).map_or("", |end| after_comments(&line[end..]));
    }
    match text.strip_prefix("/*") {
        Some(comment) => end_of_comment(comment).map_or("", |end| after_comments(&comment[end..])),
        None => text,
    }
}

/// Finds the byte after the end of a comment that has begun.
fn end_of_comment(text: &str) -> Option<usize> {
    let (mut depth, mut at) = (1, 0);
    while depth > 0 {
        let next = at + text[at..].find(['/', '*'])?;
        (depth, at) = match &text.as_bytes()[next..] {
            [b'/', b'*', ..] => (depth + 1, next + 2),
            [b'*', b'/', ..] => (depth - 1, next + 2),
            _ => (depth, next + 1),
        };
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_stands_behind_comments() {
        for (text, word) in [
            ("select 1", "SELECT"),
            ("  -- a\n/* b /* c */ */ commit", "COMMIT"),
            ("/* *//**/--\rEnd;", "END"),
            ("/* commit", ""),
            ("-- commit", ""),
            ("/*/ */ rollback", "ROLLBACK"),
            (";BEGIN", "BEGIN"),
            ("\n;\n; /* ; */ ;commit", "COMMIT"),
            ("-- a\n;-- b\n;copy w to stdout", "COPY"),
            ("(select 1)", ""),
            ("", ""),
            ("é", ""),
        ] {
            assert_eq!(first_word(text), word, "{text}");
        }
    }

    #[test]
    fn a_text_says_something_and_has_no_nul() {
        assert!(must_be_whole(&Statement::new("SELECT 1", [])).is_ok());
        for text in ["SELECT 1\0; x", "", " ; ;", "-- a", "/* a */;"] {
            assert_eq!(must_be_whole(&Statement::new(text, [])).unwrap_err().kind, SqlErrorKind::Statement, "{text}");
        }
    }
}
