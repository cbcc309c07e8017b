//! Reads one segment of a route from the name of a folder or file, and writes it back.

use std::fmt;

use super::{
    Matcher, Segment,
    problem::{NameProblem, is_parameter_name},
};
use crate::function::unicode::composed;

/// Returns whether a character is written as `[x+5b]` in names: it means something in names or in URLs.
fn is_reserved(character: char) -> bool {
    matches!(character, '[' | ']' | '(' | ')' | '%' | '?' | '#' | '\\') || character.is_control()
}

/// Writes literal text as names do.
pub(super) fn write_literal(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for character in text.chars() {
        if is_reserved(character) || character == '/' {
            write!(f, "[x+{:02x}]", u32::from(character))?;
        } else {
            fmt::Write::write_char(f, character)?;
        }
    }
    Ok(())
}

/// A bracket that is a parameter.
struct Parameter<'t> {
    /// What stands inside.
    inner: &'t str,
    is_double: bool,
}

/// Parses the name of a folder, or of a file without its suffixes.
pub(super) fn parse(text: &str) -> Result<Segment, NameProblem> {
    let unbalanced = || NameProblem::Unbalanced { text: text.into() };
    let (mut before, mut after) = (String::new(), String::new());
    let mut parameters = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let literal = if parameters.is_empty() { &mut before } else { &mut after };
        if character == '[' {
            let is_double = rest.starts_with("[[");
            let (open, close) = if is_double { ("[[", "]]") } else { ("[", "]") };
            let (inner, behind) = rest[open.len()..].split_once(close).ok_or_else(unbalanced)?;
            if inner.contains(['[', ']']) {
                return Err(unbalanced());
            }
            match inner.strip_prefix("x+") {
                Some(code) if !is_double => literal.push(parse_escape(code)?),
                _ => parameters.push(Parameter { inner, is_double }),
            }
            rest = behind;
        } else if character == ']' {
            return Err(unbalanced());
        } else if character.is_control() {
            return Err(NameProblem::Control { character });
        } else if is_reserved(character) {
            return Err(NameProblem::Reserved { text: text.into(), character });
        } else {
            literal.push(character);
            rest = &rest[character.len_utf8()..];
        }
    }
    match parameters.as_slice() {
        [] if before.is_empty() => Err(NameProblem::EmptyName),
        [] if before == "." || before == ".." => Err(NameProblem::DotSegment { text: text.into() }),
        [] => Ok(Segment::Static(composed(&before).into_owned())),
        [parameter] => parse_parameter(text, parameter, composed(&before).into_owned(), composed(&after).into_owned()),
        _ => Err(NameProblem::SeveralParameters { text: text.into(), count: parameters.len() }),
    }
}

/// Parses the code of `[x+5b]`.
fn parse_escape(code: &str) -> Result<char, NameProblem> {
    let is_code = code.len() == 2 && code.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    u8::from_str_radix(code, 16)
        .ok()
        .filter(|byte| is_code && (0x20..=0x7e).contains(byte))
        .map(char::from)
        .ok_or_else(|| NameProblem::BadEscape { escape: format!("x+{code}") })
}

fn parse_parameter(text: &str, parameter: &Parameter<'_>, prefix: String, suffix: String) -> Result<Segment, NameProblem> {
    let (is_catch_all, inner) = match parameter.inner.strip_prefix("...") {
        Some(inner) => (true, inner),
        None => (false, parameter.inner),
    };
    let (name, matcher) = match inner.split_once('=') {
        Some((name, matcher)) => (name, Some(matcher)),
        None => (inner, None),
    };
    if name.is_empty() {
        return Err(NameProblem::NamelessParameter { text: text.into() });
    }
    if !is_parameter_name(name) {
        return Err(NameProblem::BadParameterName { name: name.into() });
    }
    if is_catch_all && matcher.is_some() {
        return Err(NameProblem::CatchAllMatcher { text: text.into() });
    }
    if (is_catch_all || parameter.is_double) && !(prefix.is_empty() && suffix.is_empty()) {
        return Err(NameProblem::NotAlone { text: text.into() });
    }
    let matcher = matcher.map(parse_matcher).transpose()?;
    let name = name.into();
    Ok(match (is_catch_all, parameter.is_double) {
        (false, false) => Segment::Param { name, prefix, suffix, matcher },
        (false, true) => Segment::Optional { name, matcher },
        (true, false) => Segment::CatchAll { name },
        (true, true) => Segment::OptionalCatchAll { name },
    })
}

fn parse_matcher(word: &str) -> Result<Matcher, NameProblem> {
    Matcher::ALL.into_iter().find(|matcher| matcher.as_str() == word).ok_or_else(|| NameProblem::UnknownMatcher { matcher: word.into() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_around_a_parameter_is_literal() {
        let param = |name: &str, prefix: &str, suffix: &str, matcher| {
            Ok(Segment::Param { name: name.into(), prefix: prefix.into(), suffix: suffix.into(), matcher })
        };
        assert_eq!(parse("[id]"), param("id", "", "", None));
        assert_eq!(parse("[id=int]"), param("id", "", "", Some(Matcher::Int)));
        assert_eq!(parse("v[major=int].json"), param("major", "v", ".json", Some(Matcher::Int)));
        assert_eq!(parse("[x+5b][id][x+5d]"), param("id", "[", "]", None));
        assert_eq!(parse("[_x2]é"), param("_x2", "", "é", None));
        assert_eq!(parse("[[lang=slug]]"), Ok(Segment::Optional { name: "lang".into(), matcher: Some(Matcher::Slug) }));
        assert_eq!(parse("[...path]"), Ok(Segment::CatchAll { name: "path".into() }));
        assert_eq!(parse("[[...path]]"), Ok(Segment::OptionalCatchAll { name: "path".into() }));
        assert_eq!(parse("a b[x+2f]c[x+3f]"), Ok(Segment::Static("a b/c?".into())));
    }

    proptest! {
        #[test]
        fn what_parses_is_written_back_and_parses_to_the_same(text in r"(\[\[?(\.\.\.)?[a-z]{0,2}(=(int|hex))?\]?\]|\[x\+[0-9a-f]{2}\]|[a-z.()%é]){0,4}") {
            if let Ok(segment) = parse(&text) {
                prop_assert_eq!(parse(&segment.to_string()), Ok(segment));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in r"([\[\].=x+é/]|\PC){0,12}") {
            let _ = parse(&text);
        }
    }
}
