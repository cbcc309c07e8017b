//! A script as a tree of what it does. Variables have places, and functions of the same file have numbers.
//!
//! `lower` makes it of Rhai's syntax tree, once for each script, and `code` makes closures of it. It holds nothing of a run, and threads share it.

use std::sync::{Arc, LazyLock};

use rhai::{ImmutableString, Position, RangeCase};

pub use super::own::Op;

/// The place of a variable in the frame of its function.
pub type Slot = usize;
/// The number of a function in its [`Unit`].
pub type FunctionId = usize;
/// The number of an `import` statement in its [`Unit`]: its alias stands for the module that it last got there.
pub type ImportId = usize;

/// A node of Rhai's tree whose operands are the variables `$0`, `$1` and so on, at their own places in the file. Rhai evaluates it where
/// nothing here knows how, and so every error and its place are its own. It must search for variables and imports by name.
pub type Node = Arc<rhai::Expr>;

/// Returns what an operand is called: `$0`, `$1` and so on.
pub fn operand_name(number: usize) -> ImmutableString {
    static NAMES: LazyLock<[ImmutableString; 8]> = LazyLock::new(|| std::array::from_fn(|number| format!("${number}").into()));
    NAMES.get(number).cloned().unwrap_or_else(|| format!("${number}").into())
}

/// One file.
#[derive(Debug)]
pub struct Unit {
    /// Its closures in the order of the file, its functions by name and number of parameters, then what stands outside of them.
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
    /// The places of its frame: one for each variable that it declares, however deep in blocks.
    pub places: Box<[Place]>,
    /// What it does.
    pub body: Block,
}

/// A variable.
#[derive(Debug, Clone)]
pub struct Place {
    /// As the script calls it.
    pub name: ImmutableString,
    /// Whether some closure captures it, so that the place may hold a shared value.
    pub is_shared: bool,
    /// Whether it is a constant, or a closure's capture of one.
    pub is_constant: bool,
}

/// Statements, and the variables that end with them. The last one gives the block's value: an expression its own, a loop that of its `break`,
/// `try` that of its body, and all others `()`.
#[derive(Debug, Default)]
pub struct Block {
    /// The statements.
    pub statements: Box<[Statement]>,
    /// The places of the variables that it declares, from the first to behind the last.
    pub slots: std::ops::Range<Slot>,
    /// The operations that one pass through it counts: one for each statement and expression, of branches the costliest. The body of a loop
    /// has its own count, with the loop's condition.
    pub cost: u32,
}

/// A statement.
#[derive(Debug)]
pub enum Statement {
    /// Nothing; gives `()`.
    Nothing,
    /// `let` and `const`; `is_global` if functions find it as `global::…`.
    Let { slot: Slot, value: Expr, is_global: bool },
    /// `x = value` and `x += value`.
    Assign(Box<Assign>),
    /// `a.b[c] = value`, `this = value`, and the same with an operator.
    AssignIn(Box<AssignIn>),
    /// An assignment to what is no variable: the value is evaluated, then the target, and then it fails as one to a constant.
    AssignNowhere(Box<AssignNowhere>),
    /// An expression.
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
    Import(Box<Import>),
}

/// An `import` with a path that is written there.
#[derive(Debug)]
pub struct Import {
    pub id: ImportId,
    /// The name that the module gets; empty: none.
    pub alias: ImmutableString,
    pub path: ImmutableString,
    /// Where the path stands.
    pub path_position: Position,
    /// Where the statement stands.
    pub position: Position,
}

/// An assignment to a variable. The value comes first; then it fails if the variable is a constant.
#[derive(Debug)]
pub struct Assign {
    pub slot: Slot,
    /// Where the variable stands.
    pub position: Position,
    pub op: Option<OpAssign>,
    pub value: Expr,
}

/// An assignment to what is no variable: `m::K = 1`.
#[derive(Debug)]
pub struct AssignNowhere {
    pub value: Expr,
    pub target: Expr,
    pub name: ImmutableString,
    pub position: Position,
}

/// An assignment to a part of something, or to `this`, which is a chain without links. The value comes first, then the indexes, then the root.
#[derive(Debug)]
pub struct AssignIn {
    pub chain: Chain,
    pub op: Option<OpAssign>,
    pub value: Expr,
    /// The last link's assignment for Rhai: `$1.name op= $0`, `$1[$2] op= $0`; `$1 op= $0` where there is no link.
    pub node: Arc<rhai::Stmt>,
}

/// `+=` and its like.
#[derive(Debug, Clone)]
pub struct OpAssign {
    pub op: Op,
    /// `$0 op= $1` for Rhai.
    pub node: Arc<rhai::Stmt>,
}

/// What decides, and where the error stands if it is no boolean.
#[derive(Debug)]
pub struct Condition {
    pub expr: Expr,
    pub position: Position,
}

/// A `for` loop. Each turn writes to what the place holds: closures of all turns that capture the variable share one.
#[derive(Debug)]
pub struct For {
    pub slot: Slot,
    /// The second variable, which counts.
    pub counter: Option<Slot>,
    pub over: Over,
    /// Where what it goes through stands, for the error that nothing can.
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
    pub handler: Block,
}

/// An expression. Who takes its value flattens it, other than `??`, and `call`, `curry` and `is_shared` as functions.
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
    /// A name that is no variable of the file, as it stands: Rhai knows.
    Unknown(Node),
    /// A text with values in it.
    Text(Box<[Item]>),
    /// `[…]`
    List(Box<[Item]>),
    /// `#{…}`, in the order written; no key occurs twice.
    Map(Box<[(ImmutableString, Item)]>),
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
    /// Words that look like functions: `Fn`, `call`, `curry`, `is_shared`, `is_def_fn`, `type_of`.
    SpecialCall(Box<SpecialCall>),
    /// `root.a[b].c(…)`.
    Chain(Box<Chain>),
    /// A closure with what it captures.
    Closure(Box<Closure>),
    Block(Box<Block>),
    If(Box<If>),
    Switch(Box<Switch>),
}

/// A part of a text, a list or a map, and where it stands for the error that all together is too large.
#[derive(Debug)]
pub struct Item {
    pub value: Expr,
    pub position: Position,
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

/// A variable that is read. It gives what its place holds, shared or not.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    pub slot: Slot,
    pub position: Position,
}

/// `m::K`, `global::K`
#[derive(Debug)]
pub struct ModuleConstant {
    /// The import that it is of; none: `global`.
    pub import: Option<ImportId>,
    pub name: ImmutableString,
    /// The variable for Rhai.
    pub node: Node,
}

/// What is read of the request, as far as names tell.
#[derive(Debug)]
pub struct Request {
    /// The names after `ctx`, at most three: `request`, `query`, `name`. What follows them is a chain on it.
    pub names: Box<[ImmutableString]>,
    /// The whole of it for Rhai.
    pub node: Node,
}

/// An operator with one operand.
#[derive(Debug)]
pub struct Unary {
    pub op: UnaryOp,
    pub operand: Expr,
    pub node: Node,
}

/// `!`, `-`, `+`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOp {
    Not,
    Minus,
    Plus,
}

/// An operator with two operands, of which the left one comes first.
#[derive(Debug)]
pub struct Binary {
    pub op: Op,
    pub left: Expr,
    pub right: Expr,
    pub node: Node,
}

/// A call of a function of the same file. As with every call that is no method, a first argument that is a variable or `this` is read after
/// the others.
#[derive(Debug)]
pub struct Call {
    pub function: FunctionId,
    pub arguments: Box<[Expr]>,
    pub position: Position,
}

/// A call with names before the function's.
#[derive(Debug)]
pub struct ModuleCall {
    /// The names before the function's.
    pub path: Box<[ImmutableString]>,
    /// The import that the first of them is, if it is one.
    pub import: Option<ImportId>,
    pub name: ImmutableString,
    pub arguments: Box<[Expr]>,
    pub position: Position,
    /// The call on `$0`, `$1` and so on.
    pub node: Node,
}

/// A call of a function that is none of the file's.
#[derive(Debug)]
pub struct NativeCall {
    pub name: ImmutableString,
    /// If the first is a variable, the function may change it.
    pub arguments: Box<[Expr]>,
    pub position: Position,
    /// The call on `$0`, `$1` and so on.
    pub node: Node,
}

/// A word that looks like a function. Its arguments are evaluated in order.
#[derive(Debug)]
pub struct SpecialCall {
    pub name: ImmutableString,
    pub arguments: Box<[Expr]>,
    pub position: Position,
    pub node: Node,
}

/// A root and what is asked of it, link by link. All indexes and arguments are evaluated first, in order, then the root.
#[derive(Debug)]
pub struct Chain {
    pub root: Root,
    pub links: Box<[Link]>,
}

/// Where a chain begins.
#[derive(Debug)]
pub enum Root {
    Variable(Variable),
    This(Position),
    Expr(Expr),
}

/// What is asked next.
#[derive(Debug)]
pub struct Link {
    pub kind: LinkKind,
    /// `?.` and `?[`: if what it is asked of is `()`, the chain is.
    pub is_optional: bool,
    /// The link by itself: `$0.name`, `$0[$1]`, `$0.f($1, $2)`.
    pub node: Node,
}

/// The kinds of links.
#[derive(Debug)]
pub enum LinkKind {
    /// `.name`
    Property(ImmutableString),
    /// `[index]`
    Index(Expr),
    /// `.name(…)`, and where the name stands.
    Method(ImmutableString, Box<[Expr]>, Position),
}

/// `|…| …`
#[derive(Debug)]
pub struct Closure {
    pub function: FunctionId,
    /// Its first arguments: variables, each of which becomes shared if it is not, and `ctx`.
    pub captures: Box<[Expr]>,
}

/// `if`; without `else`, that block is empty.
#[derive(Debug)]
pub struct If {
    pub condition: Condition,
    pub then: Block,
    pub otherwise: Block,
}

/// `switch`: first the cases of the value's hash, then the ranges, each in order; then the default.
#[derive(Debug)]
pub struct Switch {
    pub on: Expr,
    /// Hashes of values, as Rhai computes them, each with its arms in order.
    pub cases: Box<[(u64, Box<[usize]>)]>,
    /// They hold numbers of both kinds, and each has the number of its arm.
    pub ranges: Box<[RangeCase]>,
    pub arms: Box<[Arm]>,
    pub default: Option<usize>,
}

/// What a `switch` may choose.
#[derive(Debug)]
pub struct Arm {
    /// None: it always holds.
    pub condition: Option<Condition>,
    /// The value, flattened.
    pub value: Expr,
}
