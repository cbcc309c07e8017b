//! A second way to run a script, for what scripts do most: read the request, loop over it, put an answer together.
//!
//! Rhai's evaluator copies a value each time that a variable or a property is read: an array of maps several times before its first element
//! is looked at. A plan is made of the same syntax tree, with variables at known places, and reads values where they are.
//!
//! **A plan gives what Rhai would give, or it gives up**, and Rhai runs the script from its beginning. It gives up at everything unusual: an
//! error of any kind, a value near a limit, a type that it does not know, more than [`SLOW_TICKS`] steps. So errors and their places come from
//! one evaluator only, and a plan may leave out whatever it likes. What a script does outside of its own values (its log) is undone when its
//! plan gives up; what it took out of the request's body is read anew; the request itself it cannot change. A run that is stopped at one of its
//! limits is not begun again: that would take as long once more. What a plan does counts as the operations that Rhai would need for it.

mod build;
mod operations;
mod operators;
mod run;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicI32, Ordering};

use rhai::{AST, Dynamic, Engine, GlobalRuntimeState, Identifier, ImmutableString, Map, Position};

use self::operators::Operator;
use super::{
    context::{self, properties::Property},
    host::HostFunction,
    meter::{self, SLOW_TICKS},
};

/// A script whose every statement is known here.
#[derive(Debug)]
pub struct Plan {
    body: Block,
    /// How many variables it has, each at a place of its own.
    places: usize,
    /// Grows when the plan gives up and shrinks when it does not; past a level the plan is left out for a while.
    misses: AtomicI32,
}

/// What giving up once costs, in runs that go well.
const MISS: i32 = 8;
/// A plan that misses more than this is not tried.
const MAX_MISSES: i32 = 64;

impl Plan {
    /// Makes a plan; none if there is anything in the script that it does not know.
    pub(super) fn of(ast: &AST, role: Role) -> Option<Self> {
        let (body, places) = build::build(ast, role)?;
        Some(Self { body, places, misses: AtomicI32::new(0) })
    }

    /// Runs the script that stands on this thread.
    pub(super) fn run(&self, engine: &Engine, global: &GlobalRuntimeState) -> Planned {
        let misses = self.misses.load(Ordering::Relaxed);
        if misses > MAX_MISSES {
            self.misses.store(misses - 1, Ordering::Relaxed);
            return Planned::GaveUp;
        }
        let planned = context::with(|current| run::run(&self.body, self.places, engine, global, current)).unwrap_or(Planned::GaveUp);
        if matches!(planned, Planned::GaveUp) {
            self.misses.store(misses + MISS, Ordering::Relaxed);
        } else if misses > 0 {
            self.misses.store(misses - 1, Ordering::Relaxed);
        }
        planned
    }
}

/// Which part of a request's run a script is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Others run after it.
    Guard,
    /// The last; what it reads of the request nobody reads after it.
    Function,
}

/// Statements that share their variables.
type Block = Box<[Statement]>;

/// A statement, with its place in the file.
#[derive(Debug)]
struct Statement {
    at: Position,
    operations: u32,
    step: Step,
}

/// An expression that is not evaluated each time that its statement is.
#[derive(Debug)]
struct Part {
    operations: u32,
    expr: Expr,
}

/// What running a plan came to.
pub enum Planned {
    /// The script gave this.
    Done(Dynamic),
    /// It passed one of its limits, there.
    Stopped(Position),
    /// Rhai has to run it.
    GaveUp,
}

/// What a statement does.
#[derive(Debug)]
enum Step {
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
enum Expr {
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
        function: &'static HostFunction,
        arguments: Box<[Expr]>,
    },
    Block(Block),
}

/// Where a chain begins.
#[derive(Debug)]
enum Root {
    Place(usize),
    /// The request's body, which no method here changes. When nobody else reads it, what the chain leads to is taken out of it.
    Body {
        takes: bool,
    },
    Expr(Box<Expr>),
}

/// A link of a chain.
#[derive(Debug)]
struct Link {
    kind: LinkKind,
    /// `?.` and `?[`: the chain ends in `()` if there is nothing.
    optional: bool,
}

#[derive(Debug)]
enum LinkKind {
    Key(ImmutableString),
    Index(Expr),
    Method {
        name: ImmutableString,
        arguments: Box<[Expr]>,
        /// Whether it may change what it is called on.
        changes: bool,
    },
}
