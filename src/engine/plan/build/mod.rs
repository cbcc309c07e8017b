//! From Rhai's syntax tree to a plan. `None` means that there is something that a plan does not know.

mod chains;
mod expressions;

use rhai::{AST, ASTFlags, BinaryExpr, Expr as Node, ImmutableString, Stmt, Token};

use super::{
    effects::change,
    operations,
    operators::Operator,
    reads::{mentions, reads_of_body},
    steps::{Block, Expr, Link, LinkKind, Statement, Step},
};
use crate::engine::{class::MAX_VARIABLES, context::CTX};

/// Which part of a request's run a script is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStage {
    /// Others run after it.
    Guard,
    /// The last; what it reads of the request nobody reads after it.
    Function,
}

/// Makes the statements of a plan; the number is how many variables they have.
pub fn build(ast: &AST, stage: RunStage) -> Option<(Block, usize)> {
    if ast.has_functions() {
        return None;
    }
    let takes_body = stage == RunStage::Function && reads_of_body(ast) == 1;
    let mut builder = Builder { names: Vec::new(), places: 0, loops: 0, takes_body };
    let body = builder.steps(ast.statements())?;
    Some((body, builder.places))
}

struct Builder {
    /// What is declared, innermost last.
    names: Vec<Variable>,
    places: usize,
    loops: usize,
    takes_body: bool,
}

struct Variable {
    name: ImmutableString,
    place: usize,
    is_constant: bool,
}

impl Builder {
    /// Builds statements whose variables end with them.
    fn block(&mut self, statements: &[Stmt]) -> Option<Block> {
        let outer = self.names.len();
        let block = self.steps(statements);
        self.names.truncate(outer);
        block
    }

    fn repeated(&mut self, statements: &[Stmt]) -> Option<Block> {
        self.loops += 1;
        let block = self.block(statements);
        self.loops -= 1;
        block
    }

    fn steps(&mut self, statements: &[Stmt]) -> Option<Block> {
        let build = |statement: &Stmt| {
            Some(Statement { at: statement.position(), operations: operations::of_statement(statement), step: self.step(statement)? })
        };
        statements.iter().map(build).collect()
    }

    fn declare(&mut self, name: &ImmutableString, is_constant: bool) -> Option<usize> {
        // A variable of the request's name is hidden by the request, for Rhai only at times. Rhai says which variable is one too many.
        if name == CTX || self.names.len() >= MAX_VARIABLES {
            return None;
        }
        let place = self.places;
        self.places += 1;
        self.names.push(Variable { name: name.clone(), place, is_constant });
        Some(place)
    }

    fn find(&self, node: &Node) -> Option<&Variable> {
        let Node::Variable(variable, ..) = node else { return None };
        variable.2.is_empty().then_some(())?;
        self.names.iter().rev().find(|known| known.name == variable.1)
    }

    /// Finds a variable that may be changed where it is.
    fn changeable(&self, node: &Node) -> Option<usize> {
        self.find(node).filter(|variable| !variable.is_constant).map(|variable| variable.place)
    }

    fn step(&mut self, statement: &Stmt) -> Option<Step> {
        Some(match statement {
            Stmt::Noop(_) => Step::Give(Expr::Constant(().into())),
            Stmt::Expr(expr) => Step::Give(self.expr(expr)?),
            Stmt::FnCall(call, _) => Step::Give(self.call(call)?),
            Stmt::Block(block) => Step::Give(Expr::Block(self.block(block.statements())?)),
            Stmt::Var(variable, flags, _) if !flags.contains(ASTFlags::EXPORTED) => {
                let (name, value, _) = &**variable;
                let value = self.expr(value)?;
                Step::Let { place: self.declare(&name.name, flags.contains(ASTFlags::CONSTANT))?, value }
            }
            Stmt::Assignment(assignment) => {
                let (how, BinaryExpr { lhs, rhs }) = &**assignment;
                let operator = match how.get_op_assignment_info() {
                    Some((.., operator, _)) => Some(Operator::of(operator).filter(|operator| operator.assignment().is_some())?),
                    None => None,
                };
                let value = self.expr(rhs)?;
                if let Node::Variable(..) = lhs {
                    Step::Set { place: self.changeable(lhs)?, operator, value }
                } else {
                    let (root, links) = self.links(lhs)?;
                    // What is set through a method, or perhaps, is set nowhere.
                    let is_plain = |link: &Link| !link.optional && !matches!(link.kind, LinkKind::Method { .. });
                    if !links.iter().all(is_plain) {
                        return None;
                    }
                    Step::SetIn { place: self.changeable(root)?, links, operator, value }
                }
            }
            Stmt::If(branches, _) => Step::If {
                condition: self.expr(&branches.expr)?,
                then: self.block(branches.body.statements())?,
                otherwise: self.block(branches.branch.statements())?,
            },
            Stmt::While(repeated, _) => {
                let endless = matches!(repeated.expr, Node::Unit(_) | Node::BoolConstant(true, _));
                self.loops += 1;
                let condition = if endless { None } else { Some(self.part(&repeated.expr, false)?) };
                self.loops -= 1;
                Step::While { condition, body: self.repeated(repeated.body.statements())? }
            }
            Stmt::For(repeated, _) => {
                let (item, None, flow) = &**repeated else { return None };
                self.for_each(&item.name, &flow.expr, flow.body.statements())?
            }
            Stmt::BreakLoop(None, flags, _) if flags.contains(ASTFlags::BREAK) => Step::Break,
            Stmt::BreakLoop(None, _, _) => Step::Continue,
            Stmt::Return(value, flags, _) if !flags.contains(ASTFlags::BREAK) => Step::Return(match value {
                Some(value) => Some(self.expr(value)?),
                None => None,
            }),
            _ => return None,
        })
    }

    fn for_each(&mut self, item: &ImmutableString, over: &Node, statements: &[Stmt]) -> Option<Step> {
        let range = match over {
            Node::FnCall(call, _) => match call.op_token {
                Some(Token::ExclusiveRange) => Some((call, false)),
                Some(Token::InclusiveRange) => Some((call, true)),
                _ => None,
            },
            _ => None,
        };
        enum Over {
            Range(Box<(Expr, Expr)>, bool),
            Place(usize),
            Expr(Expr),
        }
        let over = match (range, over) {
            (Some((call, inclusive)), _) => {
                let [first, last] = &call.args[..] else { return None };
                Over::Range(Box::new((self.expr(first)?, self.expr(last)?)), inclusive)
            }
            (None, Node::Variable(variable, ..)) if !mentions(statements, &variable.1) => match self.changeable(over) {
                Some(place) => Over::Place(place),
                None => Over::Expr(self.expr(over)?),
            },
            (None, _) => Over::Expr(self.expr(over)?),
        };
        let outer = self.names.len();
        let place = self.declare(item, false)?;
        let body = self.repeated(statements);
        self.names.truncate(outer);
        let body = body?;
        Some(match over {
            Over::Range(bounds, inclusive) => Step::ForRange { item: place, bounds, inclusive, body },
            Over::Place(array) => Step::ForIn { item: place, place: array, lends: !change(&body, place), body },
            Over::Expr(over) => Step::For { item: place, over, body },
        })
    }
}
