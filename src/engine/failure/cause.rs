//! The engine's errors in words that an author knows. The engine speaks of getters, iterable types and its own names of types.

use rhai::{EvalAltResult, Position};

use super::subject;
use crate::engine::{
    body,
    context::{self, CTX},
    script::Script,
    words::{lower_first, takes},
};

/// Says what went wrong at a place of a file, if this says it better than the engine does.
pub fn explain(error: &EvalAltResult, at: Position, script: Option<&Script>) -> Option<String> {
    use EvalAltResult as E;
    let called = match error {
        E::ErrorFunctionNotFound(signature, _) => signature.split(" (").next(),
        _ => None,
    };
    let values = Values::at(script, at, called);
    Some(match error {
        E::ErrorFunctionNotFound(signature, _) => not_taken(signature, script, &values)?,
        E::ErrorDotExpr(text, _) => no_property(text, &values)?,
        E::ErrorIndexingType(what, _) => {
            let (of, index) = what.split_once(" [")?;
            let index = index.split(']').next().unwrap_or_default();
            format!("`[…]` with {} does not work on {}", word(index), word(of)) + values.note(&[of]).as_str()
        }
        E::ErrorFor(_) => {
            let told = values.0.first().and_then(Option::as_ref).map_or("this".into(), |value| format!("`{value}`"));
            format!("`for` goes through an array, a string, a blob or a range, and {told} is none of them") + values.note_on_body().as_str()
        }
        E::ErrorMismatchDataType(wanted, given, _) => format!("this must be {}, not {}", word(wanted), word(given)),
        E::ErrorArrayBounds(length, index, _) => format!("there is no element {index}: the array has {length}"),
        E::ErrorStringBounds(length, index, _) => format!("there is no character {index}: the string has {length}"),
        E::ErrorBitFieldBounds(length, index, _) => format!("there is no bit {index}: a whole number has {length}"),
        E::ErrorArithmetic(text, _) => not_a_number(text).unwrap_or_else(|| lower_first(text)),
        E::ErrorVariableNotFound(name, _) => match name.split_once("::") {
            Some((module, name)) => format!("`{module}` has no constant `{name}`"),
            None => format!("there is no variable `{name}`"),
        },
        E::ErrorUnboundThis(_) => "`this` is what a method is called on, and here no method was called: write `value.f()`".into(),
        E::ErrorAssignmentToConstant(name, _) if name.is_empty() => "`this` is a constant here, and cannot be changed".into(),
        E::ErrorAssignmentToConstant(name, _) => format!("`{name}` is a constant, and cannot be changed"),
        E::ErrorModuleNotFound(name, _) => format!("there is no module `{name}`"),
        _ => return None,
    })
}

/// The values that an error is about, as the file writes them.
struct Values<'a>(Vec<Option<String>>, Option<&'a Script>);

impl<'a> Values<'a> {
    fn at(script: Option<&'a Script>, at: Position, called: Option<&str>) -> Self {
        Self(script.map_or(Vec::new(), |script| subject::values_at(script.tree(), at, called)), script)
    }

    /// Says which value is to blame, by the types of all: the only one, or the one that is nothing.
    fn note(&self, types: &[&str]) -> String {
        let blamed = if types.len() == 1 { Some(0) } else { types.iter().position(|of| *of == "()") };
        let value = blamed.and_then(|number| Some((number, self.0.get(number)?.as_ref()?)));
        value.map_or(String::new(), |(number, value)| format!(": `{value}` is {}", word(types[number]))) + self.note_on_body().as_str()
    }

    /// Says as what the body came, if one of the values is of it and it could have been JSON.
    fn note_on_body(&self) -> String {
        let is_of_body = |script: &Script| self.0.iter().flatten().any(|value| subject::is_of_body(script.tree(), value));
        if !self.1.is_some_and(is_of_body) {
            return String::new();
        }
        context::with(|run| body::Kind::of(&run.invocation.request.headers, &run.invocation.request.body).note())
            .flatten()
            .map_or(String::new(), |note| format!("; {note}"))
    }
}

/// Says which call does not work: the engine names it `len ((), i64)`.
fn not_taken(signature: &str, script: Option<&Script>, values: &Values<'_>) -> Option<String> {
    let (name, types) = signature.strip_suffix(')')?.split_once(" (")?;
    let types: Vec<&str> = if types.is_empty() { Vec::new() } else { types.split(", ").collect() };
    let words = types.iter().map(|of| word(of)).collect::<Vec<_>>();
    let listed = match &words[..] {
        [] => "no argument".into(),
        [only] => only.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    };
    let is_operator = !name.starts_with(|first: char| first.is_alphabetic() || first == '_');
    Some(match script.map(|script| script.parameters_of(name)) {
        _ if is_operator => format!("`{name}` does not work on {listed}") + values.note(&types).as_str(),
        // The first of the types is that of `this`, or there would have been such a function.
        Some(counts) if counts.contains(&types.len()) => {
            takes(name, &counts, types.len().saturating_sub(1)) + "; what it is called on is `this`, and no argument"
        }
        Some(counts) if !counts.is_empty() => takes(name, &counts, types.len()),
        _ => format!("no function `{name}` takes {listed}") + values.note(&types).as_str(),
    })
}

/// Says which property is not there, or cannot be set.
fn no_property(text: &str, values: &Values<'_>) -> Option<String> {
    let mut quoted = text.split('\'').skip(1).step_by(2);
    let (name, of) = (quoted.next()?, quoted.next()?);
    let is_request = of.starts_with(CTX);
    Some(match text.starts_with("No writable") {
        true if is_request => format!("`{name}` cannot be set: the request cannot be changed; copy what you need: `let copy = …;`"),
        true => format!("{} has no `{name}` to set", word(of)) + values.note(&[of]).as_str(),
        false if is_request => format!("`{of}` has no `{name}`"),
        false => format!("{} has no `{name}`", word(of)) + values.note(&[of]).as_str(),
    })
}

/// Says why a text is no number.
fn not_a_number(text: &str) -> Option<String> {
    let text = text.strip_prefix("Error parsing ")?;
    let kind = if text.starts_with("integer") { "a whole number" } else { "a number" };
    let (text, why) = text.split_once('\'')?.1.rsplit_once("': ")?;
    Some(match why {
        _ if why.contains("too large") || why.contains("too small") => format!("`{text}` is too large for {kind}"),
        _ if text.is_empty() => format!("an empty text is not {kind}"),
        _ => format!("`{text}` is not {kind}"),
    })
}

/// Returns a type by the words of messages.
fn word(of: &str) -> String {
    match of.trim() {
        "()" => "()".into(),
        "i64" => "a whole number".into(),
        "f64" => "a float".into(),
        "bool" => "a boolean".into(),
        "char" => "a character".into(),
        "array" => "an array".into(),
        "Fn" => "a function pointer".into(),
        text if text == "string" || text.contains("String") || text.contains("str") => "a string".into(),
        name => format!("a {}", name.rsplit("::").next().unwrap_or(name)),
    }
}
