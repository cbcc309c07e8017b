//! What is known of a call before it is made, and what can be wrong with it.

use rhai::{Expr, Position};

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
    /// It is a string that begins so.
    Begins(String),
    /// It is worked out when the script runs.
    Unknown,
}

impl Literal {
    fn of(argument: &Expr) -> Self {
        match argument {
            Expr::StringConstant(text, _) => Self::Text(text.to_string()),
            Expr::InterpolatedString(parts, _) => match parts.first() {
                Some(Expr::StringConstant(text, _)) => Self::Begins(text.to_string()),
                _ => Self::Unknown,
            },
            _ => Self::Unknown,
        }
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

    /// Says what to do.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}
