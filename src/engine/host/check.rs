//! What is known of a call before it is made, and what can be wrong with it.

use rhai::{Expr, Position, Token};

use super::options::UnknownOption;
use crate::function::Tree;

/// Looks for a mistake in a call whose function this belongs to.
pub type Check = fn(&CheckedCall<'_>) -> Option<Mistake>;

/// A call of a host function, as the text of the script has it.
#[derive(Debug, Clone, Copy)]
pub struct CheckedCall<'a> {
    /// Its arguments. For a method its object is not among them.
    pub arguments: &'a [Argument],
    /// All files of the revision.
    pub tree: &'a Tree,
}

impl<'a> CheckedCall<'a> {
    /// Returns what is known of an argument; none if it was left out.
    pub fn literal(&self, number: usize) -> Option<&'a Literal> {
        self.arguments.get(number).map(|argument| &argument.literal)
    }

    /// Finds an option that is none of these, in an argument that is a map.
    pub fn unknown_option(&self, number: usize, names: &[&str]) -> Option<Mistake> {
        let Literal::Map(keys) = self.literal(number)? else { return None };
        let unknown = UnknownOption::find(keys.iter().map(String::as_str), names)?;
        Some(Mistake::at_argument(number, unknown.message()).hint(unknown.hint(names)))
    }
}

/// An argument of a call.
#[derive(Debug, Clone)]
pub struct Argument {
    /// What is known of it.
    pub literal: Literal,
    /// Where it begins.
    pub position: Position,
}

impl Argument {
    /// Reads an argument.
    pub fn of(argument: &Expr) -> Self {
        Self { literal: Literal::of(argument), position: argument.start_position() }
    }
}

/// What the text of a script says of an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// It is this string.
    Text(String),
    /// It is put together from texts and values, and begins so.
    Built(String),
    /// It is a number.
    Number,
    /// It is a map with these keys.
    Map(Vec<String>),
    /// It is worked out when the script runs.
    Unknown,
}

impl Literal {
    fn of(argument: &Expr) -> Self {
        match argument {
            Expr::StringConstant(text, _) => Self::Text(text.to_string()),
            Expr::IntegerConstant(..) | Expr::FloatConstant(..) => Self::Number,
            Expr::InterpolatedString(parts, _) => parts.iter().map(Self::of).fold(Self::Text(String::new()), Self::then),
            Expr::FnCall(call, _) if call.op_token == Some(Token::Plus) => match &call.args[..] {
                [left, right] => Self::of(left).plus(Self::of(right)),
                _ => Self::Unknown,
            },
            Expr::Map(map, _) => Self::Map(map.0.iter().map(|(key, _)| key.name.to_string()).collect()),
            _ => Self::Unknown,
        }
    }

    /// Returns what is known of two parts of one string.
    fn then(self, next: Self) -> Self {
        match (self, next) {
            (Self::Text(before), Self::Text(text)) => Self::Text(before + text.as_str()),
            (Self::Text(before), Self::Built(text)) => Self::Built(before + text.as_str()),
            (Self::Text(before), Self::Unknown | Self::Number | Self::Map(_)) | (Self::Built(before), _) => Self::Built(before),
            (Self::Unknown | Self::Number | Self::Map(_), _) => Self::Built(String::new()),
        }
    }

    /// The same of two values with `+` between them: numbers and secrets can be added, too.
    fn plus(self, right: Self) -> Self {
        let is_text = |part: &Self| matches!(part, Self::Text(_) | Self::Built(_));
        if is_text(&self) || is_text(&right) { self.then(right) } else { Self::Unknown }
    }
}

/// What is wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The argument that it is about; none: the call as a whole.
    pub argument: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// Whether the file may go live all the same.
    pub is_warning: bool,
}

impl Mistake {
    /// Says what is wrong with a call as a whole.
    pub fn new(message: impl Into<String>) -> Self {
        Self { argument: None, message: message.into(), hint: None, is_warning: false }
    }

    /// Says what is wrong with an argument.
    pub fn at_argument(argument: usize, message: impl Into<String>) -> Self {
        Self { argument: Some(argument), ..Self::new(message) }
    }

    /// Lets the file go live all the same.
    pub fn warning(self) -> Self {
        Self { is_warning: true, ..self }
    }

    /// Says what to do.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_an_argument_is_what_its_text_says() {
        let engine = rhai::Engine::new_raw();
        let literal = |argument: &str| {
            let mut found = Literal::Unknown;
            let ast = engine.compile(format!("let x = 1; f({argument});")).unwrap();
            ast.walk(&mut |path: &[rhai::ASTNode]| {
                if let Some(rhai::ASTNode::Stmt(rhai::Stmt::FnCall(call, _))) = path.last() {
                    found = Literal::of(&call.args[0]);
                }
                true
            });
            found
        };
        let (text, built) = (|text: &str| Literal::Text(text.into()), |text: &str| Literal::Built(text.into()));
        for (argument, known) in [
            (r#""a""#, text("a")),
            (r#""a" + "b""#, text("ab")),
            ("`a`", text("a")),
            ("`a${x}b`", built("a")),
            ("`${x}b`", built("")),
            (r#""a" + x"#, built("a")),
            (r#""a" + x + "b""#, built("a")),
            (r#"x + "b""#, built("")),
            (r#""a" + `b${x}`"#, built("ab")),
            (r#"("a" + "b") + (x + "c")"#, built("ab")),
            ("x + x", Literal::Unknown),
            ("x", Literal::Unknown),
            ("30", Literal::Number),
            ("0.5", Literal::Number),
            ("1 + x", Literal::Unknown),
            (r#""a" + 1"#, built("a")),
            ("x - x", Literal::Unknown),
            ("#{ b: x, a: 1 }", Literal::Map(vec!["b".into(), "a".into()])),
            ("#{} + #{}", Literal::Unknown),
        ] {
            assert_eq!(literal(argument), known, "{argument}");
        }
    }
}
