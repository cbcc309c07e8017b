//! What a plan is made of: statements, expressions and chains.

use rhai::{Dynamic, Identifier, ImmutableString, Map, Position};

use super::operators::Operator;
use crate::engine::{context::properties::Property, host::HostFunction};

/// Statements that share their variables.
pub type Block = Box<[Statement]>;

/// A statement, with its place in the file.
#[derive(Debug)]
pub struct Statement {
    pub at: Position,
    pub operations: u32,
    pub step: Step,
}

/// An expression that is not evaluated each time that its statement is.
#[derive(Debug)]
pub struct Part {
    pub operations: u32,
    pub expr: Expr,
}

/// What a statement does.
#[derive(Debug)]
pub enum Step {
    Let {
        place: usize,
        value: Expr,
    },
    Set {
        place: usize,
        operator: Option<Operator>,
        value: Expr,
    },
    /// `name.key[index] = value`
    SetIn {
        place: usize,
        links: Box<[Link]>,
        operator: Option<Operator>,
        value: Expr,
    },
    If {
        condition: Expr,
        then: Block,
        otherwise: Block,
    },
    /// Without a condition it is a `loop`.
    While {
        condition: Option<Part>,
        body: Block,
    },
    /// Over what an expression gives.
    For {
        item: usize,
        over: Expr,
        body: Block,
    },
    /// Over the array in a variable that the body does not mention. Its elements stand in for the item by turns, where the body does not
    /// change the item.
    ForIn {
        item: usize,
        place: usize,
        lends: bool,
        body: Block,
    },
    /// Over whole numbers.
    ForRange {
        item: usize,
        bounds: Box<(Expr, Expr)>,
        inclusive: bool,
        body: Block,
    },
    Break,
    Continue,
    Return(Option<Expr>),
    Give(Expr),
}

/// An expression.
#[derive(Debug)]
pub enum Expr {
    Constant(Dynamic),
    Place(usize),
    /// A property of `ctx` or of `ctx.request`.
    Property(Property),
    /// An interpolated string.
    Text(Box<[Expr]>),
    Array(Box<[Expr]>),
    /// Keys with their values, and the map with `()` for each.
    Map(Box<[(Identifier, Expr)]>, Box<Map>),
    And(Box<[Part]>),
    Or(Box<[Part]>),
    Coalesce(Box<[Part]>),
    Not(Box<Expr>),
    Binary(Operator, Box<(Expr, Expr)>),
    /// `root.key[index].method(…)`
    Chain {
        root: Root,
        links: Box<[Link]>,
    },
    /// `len()` of whatever it is.
    Length(Box<Expr>),
    Call {
        name: ImmutableString,
        arguments: Box<[Expr]>,
    },
    Host {
        /// The module.
        of: &'static str,
        function: &'static HostFunction,
        arguments: Box<[Expr]>,
    },
    Block(Block),
}

/// Where a chain begins.
#[derive(Debug)]
pub enum Root {
    Place(usize),
    /// The request's body, which no method here changes. When nobody else reads it, what the chain leads to is taken out of it.
    Body {
        takes: bool,
    },
    Expr(Box<Expr>),
}

/// A link of a chain.
#[derive(Debug)]
pub struct Link {
    pub kind: LinkKind,
    /// `?.` and `?[`: the chain ends in `()` if there is nothing.
    pub optional: bool,
}

#[derive(Debug)]
pub enum LinkKind {
    Key(ImmutableString),
    Index(Expr),
    Method {
        name: ImmutableString,
        arguments: Box<[Expr]>,
        /// Whether it may change what it is called on.
        changes: bool,
    },
}
