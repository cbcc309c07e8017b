//! Reads TOML that people write, so that front-matter and `picloud.toml` complain alike: place, reason, near miss.

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

use super::{Position, diagnostic::near_miss};

/// What is wrong with a TOML text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TomlProblem {
    /// Where, counted from the text's own first character.
    pub position: Position,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do, if we know.
    pub hint: Option<String>,
}

/// Parses TOML into `T`, whose `deny_unknown_fields` gives the hints their words.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, TomlProblem> {
    toml::from_str(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        let (message, hint) = explained(error.message());
        TomlProblem { position: Position::of_offset(text, offset), message, hint }
    })
}

/// Returns where the value of `section.key`, or of `list.0`, is, if the text has it.
pub fn position_of(text: &str, path: &str) -> Option<Position> {
    let table = DeTable::parse(text).ok()?.into_inner();
    let mut keys = path.split('.');
    let mut value = table.get(keys.next()?)?;
    for key in keys {
        value = match value.get_ref() {
            DeValue::Table(table) => table.get(key)?,
            DeValue::Array(items) => items.get(key.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(Position::of_offset(text, value.span().start))
}

/// Turns a reader's sentence into ours, and says what to do. `serde` words an unknown key as
/// "unknown field `x`, expected one of `a`, `b`" (or "expected `a`"), and an unknown word as "unknown variant".
pub fn explained(message: &str) -> (String, Option<String>) {
    // Types of ours that know what to do say it on a line of its own.
    if let Some((message, hint)) = message.split_once("\nhint: ") {
        return (message.into(), Some(hint.into()));
    }
    let mut message = message.trim().replace('\n', ", ");
    if let Some(value) = message.strip_prefix("invalid type: string ").and_then(|rest| rest.strip_suffix(", expected a sequence")) {
        return (format!("{value} is one value, and this is a list"), Some(format!("write `[{value}]`")));
    }
    if let Some(at) = message.find("expected struct ") {
        message.replace_range(at.., "expected a table");
    }
    if let Some((before, of_rust)) = message.rsplit_once("expected ")
        && ["u16", "u32", "u64", "usize", "i64"].contains(&of_rust)
    {
        message = format!("{before}expected a whole number");
    }
    if let Some(key) = message.strip_prefix("missing field ") {
        return (format!("the key {key} is missing"), None);
    }
    if let Some(rest) = message.strip_prefix("unknown variant `") {
        let (word, near, known) = words(rest);
        let hint = near.map_or_else(|| format!("write one of {known}"), |near| format!("did you mean `{near}`?"));
        return (format!("`{word}` is not known here"), Some(hint));
    }
    let Some(rest) = message.strip_prefix("unknown field `") else {
        return (message, None);
    };
    let (key, near, known) = words(rest);
    let hint = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "no keys are known here".into(),
        None => format!("the keys here are {known}"),
    };
    (format!("unknown key `{key}`"), Some(hint))
}

/// Splits "x`, expected one of `a`, `b`": the unknown word, the known one that is nearly the same, and the known ones.
fn words(rest: &str) -> (&str, Option<&str>, String) {
    let mut words = rest.split('`').step_by(2);
    let unknown = words.next().unwrap_or_default();
    let known: Vec<&str> = rest.split('`').skip(2).step_by(2).collect();
    let listed: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
    (unknown, near_miss(unknown, known), listed.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Example {
        #[expect(dead_code, reason = "read by nobody: the test is about what does not parse")]
        methods: Option<Vec<String>>,
        #[expect(dead_code, reason = "as above")]
        timeout: Option<String>,
    }

    #[test]
    fn a_value_has_its_place() {
        let text = "a = 1\n[b]\nc = [\n  \"x\", \"y\",\n]";
        let place = |path| position_of(text, path).map(|Position { line, column }| (line, column));
        assert_eq!([place("a"), place("b.c"), place("b.c.1")], [Some((1, 5)), Some((3, 5)), Some((4, 8))]);
        assert_eq!([place("b.c.2"), place("b.c.x"), place("a.0"), place("d")], [None; 4]);
    }

    #[test]
    fn every_mistake_says_where_and_what() {
        let cases = ["metods = []", "\ncolour = 1", "timeout = 3", "timeout = ", "timeout = \"a\"\ntimeout = \"b\"", "[x"];
        let found: Vec<String> = cases
            .iter()
            .map(|text| {
                let problem = parse::<Example>(text).unwrap_err();
                let Position { line, column } = problem.position;
                format!("{line}:{column}: {problem} ({})", problem.hint.as_deref().unwrap_or_default())
            })
            .collect();
        insta::assert_snapshot!(found.join("\n"));
    }
}
