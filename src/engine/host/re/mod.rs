//! The module `re`: regular expressions.
//!
//! They need no more time than the length of the text, times the size of the pattern; both together are bounded. Rhai has no say between two
//! matches, so that time and memory are asked after here.

mod cache;

use std::ops::Range;

use self::cache::{Pattern, pattern};
use super::{
    Call, HostError, HostFunction, HostModule, HostResult, Parameter, Type,
    check::{CheckedCall, Literal, Mistake},
    text::{Writer, goes_on},
};
use crate::engine::{
    meter,
    value::plain::{Map, Value},
};

/// The module.
pub static MODULE: HostModule = HostModule {
    name: "re",
    about: "Searches texts with regular expressions, of the syntax of the crate `regex`.",
    functions: &[
        function("is_match", &[TEXT, PATTERN], "boolean", "Says whether the pattern is found in the text.", is_match),
        function("find", &[TEXT, PATTERN], "string", "Gives the first part of the text that matches, or `()`.", find),
        function("find_all", &[TEXT, PATTERN], "array", "Gives all parts of the text that match, from left to right.", find_all),
        function(
            "captures",
            &[TEXT, PATTERN],
            "map",
            "Gives the groups of the first match, or `()`: `\"0\"` is all of it, `\"1\"` the first group; those with names go by these, too.",
            captures,
        ),
        function(
            "replace",
            &[TEXT, PATTERN, Parameter::new("with", Type::Text)],
            "string",
            "Replaces every match. In `with`, `$1` and `${name}` are groups, `$$` is a dollar sign.",
            replace,
        ),
        function(
            "split",
            &[TEXT, PATTERN, Parameter::optional("parts", Type::Int)],
            "array",
            "Gives what stands between the matches, in at most so many parts.",
            split,
        ),
    ],
};

const TEXT: Parameter = Parameter::new("text", Type::Text);
const PATTERN: Parameter = Parameter::new("pattern", Type::Text);

const fn function(
    name: &'static str,
    parameters: &'static [Parameter],
    returns: &'static str,
    about: &'static str,
    call: fn(&mut Call<'_>) -> HostResult,
) -> HostFunction {
    HostFunction::pure(name, parameters, returns, about, call).checked(check)
}

/// Says at check what is wrong with a pattern that stands in the text of the script.
fn check(call: &CheckedCall<'_>) -> Option<Mistake> {
    let Some(Literal::Text(text)) = call.literal(1) else { return None };
    let wrong = pattern(text).err()?;
    Some(Mistake::at_argument(1, wrong.to_string()).hint(wrong.hint()))
}

/// Returns the pattern of a call, if its text may be searched with it.
fn pattern_of(call: &Call<'_>) -> Result<Pattern, HostError> {
    let pattern = meter::beside(|| pattern(call.text(1))).map_err(|wrong| wrong.to_string())?;
    pattern.may_search(call.text(0)).map_err(HostError::from)?;
    Ok(pattern)
}

fn is_match(call: &mut Call<'_>) -> HostResult {
    Ok(pattern_of(call)?.is_match(call.text(0)).into())
}

fn find(call: &mut Call<'_>) -> HostResult {
    let (pattern, text) = (pattern_of(call)?, call.text(0));
    Ok(pattern.find_at(text, 0).map(|found| &text[found]).into())
}

/// Does something with each match, from left to right.
fn each(pattern: &Pattern, text: &str, mut work: impl FnMut(Range<usize>) -> Result<bool, HostError>) -> Result<(), HostError> {
    let mut from = 0;
    let mut last_end = None;
    while let Some(found) = pattern.find_at(text, from) {
        from = found.end;
        if found.is_empty() {
            from = next_character(text, found.end);
            // An empty match right after another one is none.
            if last_end == Some(found.end) {
                if from > text.len() {
                    break;
                }
                goes_on()?;
                continue;
            }
        }
        last_end = Some(found.end);
        goes_on()?;
        if !work(found)? || from > text.len() {
            break;
        }
    }
    Ok(())
}

/// Returns where the next character begins; beyond the end of the text after the last one.
fn next_character(text: &str, at: usize) -> usize {
    at + text[at..].chars().next().map_or(1, char::len_utf8)
}

fn find_all(call: &mut Call<'_>) -> HostResult {
    let (pattern, text) = (pattern_of(call)?, call.text(0));
    let mut all = Vec::new();
    each(&pattern, text, |found| {
        all.push(Value::from(&text[found]));
        Ok(true)
    })?;
    Ok(all.into())
}

fn captures(call: &mut Call<'_>) -> HostResult {
    let (pattern, text) = (pattern_of(call)?, call.text(0));
    let Some(groups) = pattern.groups_at(text, 0) else { return Ok(Value::Unit) };
    let mut map = Map::new();
    for (number, name) in pattern.names().enumerate() {
        let group = Value::from(groups.get(number).cloned().flatten().map(|group| &text[group]));
        if let Some(name) = name {
            map.insert(name.into(), group.clone());
        }
        map.insert(number.to_string().as_str().into(), group);
        goes_on()?;
    }
    Ok(map.into())
}

fn replace(call: &mut Call<'_>) -> HostResult {
    let (pattern, text, with) = (pattern_of(call)?, call.text(0), call.text(2));
    let (mut written, mut end) = (Writer::default(), 0);
    each(&pattern, text, |found| {
        written.push(&text[end..found.start])?;
        end = found.end;
        if with.contains('$') {
            let groups = pattern.groups_at(text, found.start).unwrap_or_default();
            expand(&pattern, with, &groups, text, &mut written)?;
        } else {
            written.push(with)?;
        }
        Ok(true)
    })?;
    written.push(&text[end..])?;
    Ok(written.text()?.into())
}

/// Writes a replacement: `$1`, `$name` and `${name}` are groups, `$$` is a dollar sign. A group that is not there is empty.
fn expand(pattern: &Pattern, with: &str, groups: &[Option<Range<usize>>], text: &str, to: &mut Writer) -> Result<(), HostError> {
    let mut rest = with;
    while let Some(at) = rest.find('$') {
        to.push(&rest[..at])?;
        let after = &rest[at + 1..];
        let (name, length) = if let Some(after) = after.strip_prefix('$') {
            to.push("$")?;
            rest = after;
            continue;
        } else if let Some(inner) = after.strip_prefix('{')
            && let Some(end) = inner.find('}')
        {
            (&inner[..end], end + 2)
        } else {
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
            (&after[..end], end)
        };
        if name.is_empty() {
            to.push("$")?;
            rest = after;
            continue;
        }
        let number = name.parse().ok().or_else(|| pattern.names().position(|group| group == Some(name)));
        if let Some(group) = number.and_then(|number: usize| groups.get(number).cloned().flatten()) {
            to.push(&text[group])?;
        }
        rest = &after[length..];
    }
    to.push(rest)
}

fn split(call: &mut Call<'_>) -> HostResult {
    let most = call.int(2).map_or(usize::MAX, |parts| usize::try_from(parts).unwrap_or(0).max(1));
    let (pattern, text) = (pattern_of(call)?, call.text(0));
    let (mut parts, mut end) = (Vec::new(), 0);
    if most > 1 {
        each(&pattern, text, |found| {
            parts.push(Value::from(&text[end..found.start]));
            end = found.end;
            Ok(parts.len() + 1 < most)
        })?;
    }
    parts.push(Value::from(&text[end..]));
    Ok(parts.into())
}
