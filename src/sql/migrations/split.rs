//! Splits a text into its statements as Postgres reads it.
//!
//! The server takes each piece as one statement or refuses it. So a piece that was cut wrongly is a mistake that is told, and nothing worse.

/// One statement of a text.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece<'t> {
    /// The byte where it begins, behind white space.
    pub begin: usize,
    /// Its text.
    pub text: &'t str,
}

/// Returns the statements of a text in order, without those that are empty.
pub fn split(text: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut begin, mut at) = (Vec::new(), 0, 0);
    let mut body = Body::default();
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(';') && !body.is_open() {
            pieces.extend(piece(text, begin, at));
            (begin, body, at) = (at + 1, Body::default(), at + 1);
            continue;
        }
        let step = skipped(rest);
        if step.is_none() {
            body.read(&text[begin..at], rest);
        }
        at += step.unwrap_or_else(|| word(rest));
    }
    pieces.extend(piece(text, begin, text.len()));
    pieces
}

/// Returns a statement, unless it has nothing but white space and comments.
fn piece(text: &str, begin: usize, end: usize) -> Option<Piece<'_>> {
    let begin = end - text[begin..end].trim_start().len();
    let own = text[begin..end].trim_end();
    let mut at = 0;
    while at < own.len() {
        match skipped(&own[at..]) {
            Some(length) if own[at..].starts_with(['-', '/']) => at += length,
            _ if own[at..].starts_with(char::is_whitespace) => at += word(&own[at..]),
            _ => return Some(Piece { begin, text: own }),
        }
    }
    None
}

/// Returns the length of a text, a name in quotes or a comment at the beginning.
fn skipped(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    Some(match bytes {
        [b'-', b'-', ..] => rest.find('\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => comment(bytes),
        [b'e' | b'E', b'\'', ..] => 1 + quoted(&bytes[1..], true),
        [b'\'' | b'"', ..] => quoted(bytes, false),
        [b'$', ..] => dollar_quoted(rest)?,
        _ => return None,
    })
}

fn comment(bytes: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(bytes: &[u8], has_escapes: bool) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if has_escapes => at += 2,
            byte if byte == bytes[0] && bytes.get(at + 1) == Some(&byte) => at += 2,
            byte if byte == bytes[0] => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// `$$ … $$` or `$tag$ … $tag$`; `$1` is none.
fn dollar_quoted(rest: &str) -> Option<usize> {
    let end = 1 + rest[1..].find(|c: char| !(c.is_alphanumeric() || c == '_'))?;
    let tag = rest.get(..=end).filter(|tag| tag.ends_with('$') && !tag[1..].starts_with(|c: char| c.is_ascii_digit()))?;
    Some(rest[tag.len()..].find(tag).map_or(rest.len(), |at| at + 2 * tag.len()))
}

/// Returns the length of the word or the character at the beginning.
fn word(rest: &str) -> usize {
    let length = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$'))).unwrap_or(rest.len());
    length.max(rest.chars().next().map_or(1, char::len_utf8))
}

/// The body of a function in SQL: `BEGIN ATOMIC …; END`, in which semicolons do not end the statement.
#[derive(Default)]
struct Body {
    depth: u32,
}

impl Body {
    fn is_open(&self) -> bool {
        self.depth > 0
    }

    fn read(&mut self, before: &str, rest: &str) {
        let next = &rest[..word(rest)];
        if next.eq_ignore_ascii_case("atomic") && before.trim_end().to_ascii_lowercase().ends_with("begin") {
            self.depth = 1;
        } else if self.is_open() && next.eq_ignore_ascii_case("case") {
            self.depth += 1;
        } else if self.is_open() && next.eq_ignore_ascii_case("end") {
            self.depth -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_split_where_its_statements_end() {
        for (text, expected) in [
            ("SELECT 1", &["SELECT 1"][..]),
            ("SELECT 1;\n\nSELECT 2;", &["SELECT 1", "SELECT 2"]),
            (" ; -- a;b\n ; /* c; */", &[]),
            ("SELECT ';', \";\" -- ;\n, 2; SELECT 3", &["SELECT ';', \";\" -- ;\n, 2", "SELECT 3"]),
            ("SELECT E'\\';'; SELECT 'it''s;'", &["SELECT E'\\';'", "SELECT 'it''s;'"]),
            ("DO $$ BEGIN; END $$; SELECT $1", &["DO $$ BEGIN; END $$", "SELECT $1"]),
            ("SELECT $a$ ; $$ ; $a$; x", &["SELECT $a$ ; $$ ; $a$", "x"]),
            ("/* /* ; */ ; */ SELECT 1; 2", &["/* /* ; */ ; */ SELECT 1", "2"]),
            (
                "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE 1 WHEN 1 THEN 2 END; SELECT 3; END; SELECT 4",
                &["CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE 1 WHEN 1 THEN 2 END; SELECT 3; END", "SELECT 4"],
            ),
            ("BEGIN; COMMIT", &["BEGIN", "COMMIT"]),
            ("SELECT 'é;' ; ü", &["SELECT 'é;'", "ü"]),
            ("SELECT 'open; ", &["SELECT 'open;"]),
            ("SELECT type_e'x;'; y", &["SELECT type_e'x;'", "y"]),
        ] {
            let pieces = split(text);
            assert_eq!(pieces.iter().map(|piece| piece.text).collect::<Vec<_>>(), expected, "{text}");
            assert!(pieces.iter().all(|piece| text[piece.begin..].starts_with(piece.text)), "{text}");
        }
    }
}
