//! Reads the text of a `.env` file. Nothing in it is expanded: `$NAME` stays as it is written.

use crate::secret::Secret;

/// A variable and its value.
#[derive(Debug, PartialEq)]
pub struct Assignment {
    /// The line that it begins in, from 1.
    pub line: usize,
    /// What stands before the `=`.
    pub name: String,
    /// What stands behind it, without quotes.
    pub value: Secret,
}

/// Why a text is no `.env` file. It repeats nothing of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct DotEnvError {
    /// From 1.
    pub line: usize,
    what: &'static str,
}

/// Reads every assignment: `NAME=value`, `export NAME="two\nlines"`, `NAME='as it is'`. A `#` begins a comment.
pub fn parse(text: &str) -> Result<Vec<Assignment>, DotEnvError> {
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut assignments = Vec::new();
    while !rest.is_empty() {
        let line = text[..text.len() - rest.len()].matches('\n').count() + 1;
        let failed = |what| DotEnvError { line, what };
        let (head, next) = rest.split_once('\n').unwrap_or((rest, ""));
        if is_over(head) {
            rest = next;
            continue;
        }
        let at = head.find('=').ok_or_else(|| failed("there is no `=`"))?;
        let name = head[..at].trim();
        let name = name.strip_prefix("export ").map_or(name, str::trim_start);
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(failed("before the `=` there is no single name"));
        }
        let (value, after) = value(&rest[at + 1..]).map_err(failed)?;
        assignments.push(Assignment { line, name: name.into(), value: Secret::new(value) });
        rest = after;
    }
    Ok(assignments)
}

/// Returns whether nothing else follows in a line.
fn is_over(line: &str) -> bool {
    matches!(line.trim_start().chars().next(), None | Some('#'))
}

/// Takes the value from the beginning of a text, and returns what comes after its line.
fn value(text: &str) -> Result<(String, &str), &'static str> {
    let text = text.trim_start_matches([' ', '\t']);
    let (value, after) = match text.chars().next() {
        Some('\'') => text[1..].split_once('\'').map(|(value, after)| (value.to_owned(), after)).ok_or(OPEN)?,
        Some('"') => quoted(&text[1..]).ok_or(OPEN)?,
        _ => {
            let (line, after) = text.split_once('\n').unwrap_or((text, ""));
            let comment =
                line.match_indices('#').map(|(at, _)| at).find(|at| line[..*at].chars().next_back().is_none_or(char::is_whitespace));
            return Ok((line[..comment.unwrap_or(line.len())].trim_end().to_owned(), after));
        }
    };
    match after.split_once('\n').unwrap_or((after, "")) {
        (line, after) if is_over(line) => Ok((value, after)),
        _ => Err("something stands behind the closing quote"),
    }
}

const OPEN: &str = "the quote is not closed";

/// Takes a text up to its closing quote. None: there is none.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                escaped @ ('"' | '\\' | '$') => value.push(escaped),
                other => value.extend(['\\', other]),
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_what_people_mean() {
        let text = "\u{feff}# a comment\n\nA=1\r\n export B = two words # not this\nC=\"a\\n\\\"b\\\" \\$x \\d\" # nor this\nD='as\n$it \\n is'\nE=\n\
                    F=a#b=c\nG=\"\"\n  # H=1\nI=#\nJ=x";
        let found: Vec<(usize, String, String)> =
            (parse(text).unwrap().into_iter()).map(|Assignment { line, name, value }| (line, name, value.expose().to_owned())).collect();
        let expected = [
            (3, "A", "1"),
            (4, "B", "two words"),
            (5, "C", "a\n\"b\" $x \\d"),
            (6, "D", "as\n$it \\n is"),
            (8, "E", ""),
            (9, "F", "a#b=c"),
            (10, "G", ""),
            (12, "I", ""),
            (13, "J", "x"),
        ];
        assert_eq!(found, expected.map(|(line, name, value)| (line, name.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_mistake_is_told_by_its_line_and_without_its_value() {
        for (text, told) in [
            ("A=1\nsesame", "line 2: there is no `=`"),
            ("=sesame", "line 1: before the `=` there is no single name"),
            ("A B=sesame", "line 1: before the `=` there is no single name"),
            ("\nA=\"sesame\nB=1", "line 2: the quote is not closed"),
            ("A='sesame", "line 1: the quote is not closed"),
            ("A=\"sesame\\", "line 1: the quote is not closed"),
            ("A='x' sesame", "line 1: something stands behind the closing quote"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), told, "{text}");
        }
    }
}
