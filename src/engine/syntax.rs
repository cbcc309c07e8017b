//! From the compiler's errors to what an author can act on.

use rhai::{Engine, ParseError, ParseErrorType, Token};

use super::{class::MAX_FUNCTIONS, host::unavailable, place, words};
use crate::function::{Diagnostic, FilePath, LimitPolicy, Limits, Position, foreign};

/// Explains why a file does not compile.
pub fn explain(engine: &Engine, file: &FilePath, text: &str, error: &ParseError, limits: &Limits, policy: &LimitPolicy) -> Diagnostic {
    // A place past the end is where something is missing.
    let position = place::position(error.position()).unwrap_or_else(|| Position::of_offset(text, text.trim_end().len()));
    if let Some(merge) = foreign::unresolved_merge(file, text, position) {
        return merge;
    }
    let surroundings = Surroundings::of(text, position);
    let (message, hint) = special(error.err_type(), limits, policy)
        .or_else(|| surroundings.problem(engine))
        .unwrap_or_else(|| (words::lower_first(&error.err_type().to_string()), None));
    Diagnostic::error(file.clone(), message).at(text, position).maybe_hint(hint)
}

/// What there is to say about a kind of error.
fn special(kind: &ParseErrorType, limits: &Limits, policy: &LimitPolicy) -> Option<(String, Option<String>)> {
    Some(match kind {
        ParseErrorType::ExprTooDeep => {
            let limit = limits.expression_depth;
            let more = (2 * limit).min(policy.ceiling.expression_depth);
            let raise = format!(", or raise the limit in the front-matter: `limits.expression_depth = {more}`");
            let hint = format!("split it with `let`{}", if more > limit { raise } else { String::new() });
            (format!("the expression passes the limit `expression_depth` of {limit}"), Some(hint))
        }
        ParseErrorType::TooManyFunctions => (
            format!("the file has more than {MAX_FUNCTIONS} functions and closures"),
            Some("move some of them into a module: each file may have as many".into()),
        ),
        ParseErrorType::VariableUndefined(name) | ParseErrorType::Reserved(name) => {
            (format!("`{name}` is not available here"), Some(unavailable::variable(name)?.into()))
        }
        ParseErrorType::MismatchedType(wanted, given) if wanted == "an iterable value" => {
            (format!("`for` goes through an array, a string, a blob or a range, not {}", plain(given)), None)
        }
        ParseErrorType::MismatchedType(wanted, given) => (format!("this must be {}, not {}", plain(wanted), plain(given)), None),
        ParseErrorType::ModuleUndefined(name) => (format!("`{name}` is not available here"), Some(unavailable::module(name)?.into())),
        _ => return None,
    })
}

/// Returns what a message calls what the compiler calls so.
fn plain(kind: &str) -> &str {
    match kind {
        "an object map" => "a map",
        "a boolean expression" => "a boolean",
        "a floating-point number" => "a float",
        _ => kind,
    }
}

/// What stands around an error in its line.
struct Surroundings<'a> {
    before: &'a str,
    word: &'a str,
    /// What follows the word, or what stands there if it is none.
    after: &'a str,
}

impl<'a> Surroundings<'a> {
    fn of(text: &'a str, at: Position) -> Self {
        let line = text.split('\n').nth(at.line as usize - 1).unwrap_or_default();
        let start = line.char_indices().nth(at.column as usize - 1).map_or(line.len(), |(start, _)| start);
        let (before, rest) = line.split_at(start);
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        Self { before: before.trim_end(), word, after }
    }

    /// Finds out what is wrong from what stands there.
    fn problem(&self, engine: &Engine) -> Option<(String, Option<String>)> {
        let Self { before, word, after } = *self;
        if word.is_empty() {
            let odd = foreign::odd_character(after.chars().next()?)?;
            return Some((format!("unexpected {odd}"), Some("delete it, and type what is meant".into())));
        }
        if !is_word_of_language(engine, word) {
            return None;
        }
        let after = after.trim_start();
        let is_property = before.ends_with('.') && !before.ends_with("..");
        let is_key = after.starts_with(':') && !after.starts_with("::") && (before.is_empty() || before.ends_with(['{', ',']));
        let message = format!("`{word}` is a word of the language");
        match () {
            () if is_property && after.starts_with('(') => Some((message, Some("choose another name for the method".into()))),
            () if is_property => Some((message, Some(format!("write `[\"{word}\"]` instead of `.{word}`")))),
            () if is_key => Some((message, Some(format!("put the key into quotes: `\"{word}\"`")))),
            () => unavailable::function(word).map(|hint| (format!("`{word}` is not available here"), Some(hint.into()))),
        }
    }
}

/// Returns whether the compiler does not take a word as a name.
fn is_word_of_language(engine: &Engine, word: &str) -> bool {
    !matches!(engine.lex(&[word]).0.next(), Some((Token::Identifier(_), _)))
}
