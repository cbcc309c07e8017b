//! A script as a tree of what it does. Variables have places, and functions of the same file have numbers.
//!
//! `lower` makes it of Rhai's syntax tree, once for each script, and `code` makes closures of it. It holds nothing of a run, and threads share it.

use std::sync::Arc;

use rhai::{ImmutableString, Position};

pub use super::own::Op;

/// The place of a variable in the frame of its function.
pub type Slot = usize;
/// The number of a function in its [`Unit`].
pub type FunctionId = usize;
/// The number of an `import` statement in its [`Unit`]: its alias stands for the module that it last got there.
pub type ImportId = usize;

/// A node of Rhai's tree whose operands are variables: `$0`, `$1` and so on, in the order in which they are evaluated. Rhai evaluates it
/// where nothing here knows how, and so every error and its place are its own.
pub type Node = Arc<rhai::Expr>;

/// One file.
#[derive(Debug)]
pub struct Unit {
    /// Its functions and closures, then what stands outside of them.
    pub functions: Box<[Function]>,
    /// The last of them.
    pub main: FunctionId,
    /// How many `import` statements it has.
    pub imports: usize,
}

/// A function, a closure, or what stands outside of all functions.
#[derive(Debug)]
pub struct Function {
    /// As Rhai calls it: `anon$…` for a closure, nothing for the statements of the file.
    pub name: ImmutableString,
    /// Its parameters, which have the first places. Those that a closure captures come first.
    pub parameters: Box<[ImmutableString]>,
    /// The type of `this` that it is for: `fn int.double()`.
    pub this_type: Option<ImmutableString>,
    /// Whether other files cannot call it.
    pub is_private: bool,
    /// How many places its frame has.
    pub slots: usize,
    /// What it does.
    pub body: Block,
}

/// Statements, and the variables that end with them.
#[derive(Debug, Default)]
pub struct Block {
    /// The statements.
    pub statements: Box<[Statement]>,
    /// The places of the variables that it declares, from the first to behind the last.
    pub slots: std::ops::Range<Slot>,
    /// The operations that one pass through it counts: its own nodes without those of loops and functions inside of it, which count their
    /// own.
    pub cost: u32,
}

/// A statement.
#[derive(Debug)]
pub enum Statement {
    /// Nothing; gives `()`.
    Nothing,
    /// `let` and `const`.
    Let { slot: Slot, value: Expr, is_constant: bool },
    /// `x = value` and `x += value`.
    Assign(Box<Assign>),
    /// `a.b[c] = value`, `this = value`, and the same with an operator.
    AssignIn(Box<AssignIn>),
    /// An expression; the last one of a block is the block's value.
    Expr(Expr),
    /// `while`; without a condition, `loop`.
    While { condition: Option<Condition>, body: Block },
    /// `do … while` and `do … until`.
    Do { body: Block, condition: Condition, until: bool },
    /// `for`.
    For(Box<For>),
    /// `break`, with its value.
    Break(Option<Expr>),
    /// `continue`.
    Continue,
    /// `return`.
    Return(Option<Expr>),
    /// `throw`; the place is that of the statement.
    Throw(Option<Expr>, Position),
    /// `try … catch`, as a statement.
    Try(Box<Try>),
    /// `import`.
    Import { id: ImportId, path: Expr, position: Position },
    /// Variables that a closure is about to capture: each becomes shared, if it is not.
    Share(Box<[(Slot, ImmutableString, Position)]>),
}

/// An assignment to a variable.
#[derive(Debug)]
pub struct Assign {
    pub slot: Slot,
    /// Whether some closure captures it, so that its place may hold a shared value.
    pub is_shared: bool,
    pub name: ImmutableString,
    /// Where the variable stands.
    pub position: Position,
    pub op: Option<OpAssign>,
    pub value: Expr,
}

/// An assignment to a part of something.
#[derive(Debug)]
pub struct AssignIn {
    pub chain: Chain,
    pub op: Option<OpAssign>,
    pub value: Expr,
    /// The assignment itself for Rhai: the value is `$0`, the operands of the chain come after it.
    pub node: Arc<rhai::Stmt>,
}

/// `+=` and its like.
#[derive(Debug, Clone)]
pub struct OpAssign {
    pub op: Op,
    /// Where the operator stands.
    pub position: Position,
    /// `$0 op= $1` for Rhai.
    pub node: Arc<rhai::Stmt>,
}

/// What decides, and where the error stands if it is no boolean.
#[derive(Debug)]
pub struct Condition {
    pub expr: Expr,
    pub position: Position,
}

/// A `for` loop.
#[derive(Debug)]
pub struct For {
    pub slot: Slot,
    /// The second variable, which counts.
    pub counter: Option<Slot>,
    /// Whether a closure in the body captures them.
    pub is_shared: bool,
    pub counter_is_shared: bool,
    pub over: Over,
    pub position: Position,
    pub body: Block,
}

/// What a `for` loop goes through.
#[derive(Debug)]
pub enum Over {
    /// `a..b`, `a..=b` written there.
    Range { from: Expr, to: Expr, is_inclusive: bool, node: Node },
    /// Any value.
    Value(Expr),
}

/// `try … catch`.
#[derive(Debug)]
pub struct Try {
    pub body: Block,
    /// The variable that gets what was thrown.
    pub caught: Option<Slot>,
    pub caught_is_shared: bool,
    pub handler: Block,
}

/// An expression.
#[derive(Debug)]
pub enum Expr {
    /// A value that is written there.
    Constant(Constant),
    /// A variable.
    Variable(Variable),
    /// `this`.
    This(Position),
    /// A constant of a module: `m::K`, or `global::K`.
    ModuleConstant(Box<ModuleConstant>),
    /// A part of the request: `ctx`, and what is asked of it without a detour.
    Request(Box<Request>),
    /// A text with values in it.
    Text(Box<[Expr]>, Position),
    /// `[…]`
    List(Box<[Expr]>, Position),
    /// `#{…}`, in the order written.
    Map(Box<[(ImmutableString, Expr)]>, Position),
    And(Box<[Condition]>),
    Or(Box<[Condition]>),
    Coalesce(Box<[Expr]>),
    /// `!x`, `-x`, `+x`.
    Unary(Box<Unary>),
    Binary(Box<Binary>),
    /// A function of this file.
    Call(Box<Call>),
    /// `m::f(…)`: a function of an imported module, of a host module such as `log`, or none.
    ModuleCall(Box<ModuleCall>),
    /// A function that is none of this file's: Rhai's own, or the host's.
    NativeCall(Box<NativeCall>),
    /// Words that look like functions: `Fn`, `call`, `curry`, `is_shared`, `is_def_fn`, `is_def_var`, `type_of`, `print`, `debug`.
    SpecialCall(Box<SpecialCall>),
    /// `root.a[b].c(…)`.
    Chain(Box<Chain>),
    /// A closure with what it captures.
    Closure(Box<Closure>),
    Block(Box<Block>),
    If(Box<If>),
    Switch(Box<Switch>),
    /// A loop or `try` that stands where a value is wanted.
    Statement(Box<Statement>),
}

/// A value that is written in the script.
#[derive(Debug, Clone)]
pub enum Constant {
    Unit,
    Bool(bool),
    Int(i64),
    Float(f64),
    Char(char),
    Text(ImmutableString),
    /// A pointer to a function of this file that captures nothing.
    Function(FunctionId),
    /// Any other.
    Other(Arc<rhai::Dynamic>),
}

/// A variable that is read.
#[derive(Debug, Clone)]
pub struct Variable {
    pub slot: Slot,
    pub name: ImmutableString,
    /// Whether some closure captures it, so that its place may hold a shared value.
    pub is_shared: bool,
    pub is_constant: bool,
    pub position: Position,
}

#[derive(Debug)]
pub struct ModuleConstant {
    /// The import that it is of; none: `global`.
    pub import: Option<ImportId>,
    pub name: ImmutableString,
    pub position: Position,
    /// The variable for Rhai.
    pub node: Node,
}

/// What is read of the request, as far as names tell.
#[derive(Debug)]
pub struct Request {
    /// The names after `ctx`, at most three: `request`, `query`, `name`. What follows them is a chain on it.
    pub names: Box<[ImmutableString]>,
    pub position: Position,
    /// The whole of it for Rhai.
    pub node: Node,
}

#[derive(Debug)]
pub struct Unary {
    pub op: UnaryOp,
    pub operand: Expr,
    pub position: Position,
    pub node: Node,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOp {
    Not,
    Minus,
    Plus,
}

#[derive(Debug)]
pub struct Binary {
    pub op: Op,
    pub left: Expr,
    pub right: Expr,
    pub position: Position,
    pub node: Node,
}

/// A call of a function of the same file.
#[derive(Debug)]
pub struct Call {
    pub function: FunctionId,
    pub arguments: Box<[Expr]>,
    pub position: Position,
}

#[derive(Debug)]
pub struct ModuleCall {
    /// The names before the function's.
    pub path: Box<[ImmutableString]>,
    /// The import that the first of them is, if it is one.
    pub import: Option<ImportId>,
    pub name: ImmutableString,
    pub arguments: Box<[Expr]>,
    pub position: Position,
    /// The call with its arguments as operands.
    pub node: Node,
}

#[derive(Debug)]
pub struct NativeCall {
    pub name: ImmutableString,
    /// If the first is a variable, the function may change it.
    pub arguments: Box<[Expr]>,
    pub position: Position,
    pub node: Node,
}

#[derive(Debug)]
pub struct SpecialCall {
    pub name: ImmutableString,
    pub arguments: Box<[Expr]>,
    pub position: Position,
    pub node: Node,
}

/// A root and what is asked of it, link by link.
#[derive(Debug)]
pub struct Chain {
    pub root: Root,
    pub links: Box<[Link]>,
    pub position: Position,
    /// The chain for Rhai: the root is `$0`, the indexes and arguments come after it in the order of their evaluation.
    pub node: Node,
}

#[derive(Debug)]
pub enum Root {
    Variable(Variable),
    This(Position),
    Expr(Expr),
}

#[derive(Debug)]
pub struct Link {
    pub kind: LinkKind,
    /// `?.` and `?[`: if what it is asked of is `()`, the chain is.
    pub is_optional: bool,
    pub position: Position,
}

#[derive(Debug)]
pub enum LinkKind {
    /// `.name`
    Property(ImmutableString),
    /// `[index]`
    Index(Expr),
    /// `.name(…)`; `node` is the call on `$0`, its arguments come after it.
    Method { name: ImmutableString, arguments: Box<[Expr]>, node: Node },
}

/// `|…| …`
#[derive(Debug)]
pub struct Closure {
    pub function: FunctionId,
    /// The variables that become its first arguments, shared.
    pub captures: Box<[Variable]>,
    pub position: Position,
}

#[derive(Debug)]
pub struct If {
    pub condition: Condition,
    pub then: Block,
    pub otherwise: Block,
}

#[derive(Debug)]
pub struct Switch {
    pub on: Expr,
    pub position: Position,
    /// Hashes of values, as Rhai computes them, each with its arms in order.
    pub cases: Box<[(u64, Box<[usize]>)]>,
    /// From, to (included), arm.
    pub ranges: Box<[(i64, i64, usize)]>,
    pub arms: Box<[Arm]>,
    pub default: Option<usize>,
}

#[derive(Debug)]
pub struct Arm {
    /// None: it always holds.
    pub condition: Option<Condition>,
    pub value: Expr,
}
