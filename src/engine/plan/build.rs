//! From Rhai's syntax tree to a plan. `None` means that there is something that a plan does not know.

use rhai::{AST, ASTFlags, BinaryExpr, Expr as Node, FnCallExpr, Identifier, ImmutableString, Stmt, Token};

use super::{Block, Expr, Link, LinkKind, Operator, Part, Role, Root, Statement, Step, operations};
use crate::engine::{
    MAX_VARIABLES,
    ast::{chain, changes, is_request},
    context::{CTX, properties::Property},
    host::{self, HostFunction, Kind, unavailable},
    lint::known::KEYWORDS,
};

/// Returns whether Rhai itself handles a function, with a scope or a function pointer in hand, or it is not there for scripts.
fn is_special(name: &str) -> bool {
    KEYWORDS.contains(&name) || unavailable::function(name).is_some() || name == "exit"
}

/// Makes the statements of a plan; the number is how many variables they have.
pub fn build(ast: &AST, role: Role) -> Option<(Block, usize)> {
    if ast.has_functions() {
        return None;
    }
    let takes_body = role == Role::Function && reads_of_body(ast) == 1;
    let mut builder = Builder { names: Vec::new(), places: 0, loops: 0, takes_body };
    let body = builder.steps(ast.statements())?;
    Some((body, builder.places))
}

/// Counts the places in a script where the request's body is read, or may be without being named: as a part of `ctx` that is kept.
fn reads_of_body(ast: &AST) -> usize {
    let (mut bodies, mut roots, mut properties) = (0, 0, 0);
    ast.walk(&mut |path| {
        match path.last() {
            Some(rhai::ASTNode::Expr(node)) if is_request(node) => roots += 1,
            Some(rhai::ASTNode::Expr(Node::Dot(chain, ..))) if is_request(&chain.lhs) => {
                let (names, _) = leading_names(&chain.rhs);
                properties += usize::from(!matches!(names[..], [] | ["request"]));
                bodies += usize::from(matches!(names[..], ["request", "body", ..]));
            }
            _ => {}
        }
        true
    });
    // Where some `ctx` is not followed by the name of a property, nobody can say what is read.
    if roots == properties { bodies } else { usize::MAX }
}

/// Returns the names that a chain begins with, and what follows them.
fn leading_names(mut node: &Node) -> (Vec<&str>, Option<&Node>) {
    let mut names = Vec::new();
    loop {
        match node {
            Node::Property(property, _) => {
                names.push(property.2.as_str());
                return (names, None);
            }
            Node::Dot(chain, flags, _) if !flags.contains(ASTFlags::NEGATED) => match &chain.lhs {
                Node::Property(property, _) => {
                    names.push(property.2.as_str());
                    node = &chain.rhs;
                }
                _ => return (names, Some(node)),
            },
            _ => return (names, Some(node)),
        }
    }
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

    fn exprs(&mut self, nodes: &[Node]) -> Option<Box<[Expr]>> {
        nodes.iter().map(|node| self.expr(node)).collect()
    }

    /// Builds what may be evaluated more or less often than what it is in. What is counted there already is not counted once more.
    fn part(&mut self, node: &Node, is_counted: bool) -> Option<Part> {
        Some(Part { operations: if is_counted { 0 } else { operations::of(node) }, expr: self.expr(node)? })
    }

    /// Builds sides of which the first is always evaluated.
    fn parts(&mut self, sides: &[Node]) -> Option<Box<[Part]>> {
        sides.iter().enumerate().map(|(number, side)| self.part(side, number == 0)).collect()
    }

    fn expr(&mut self, node: &Node) -> Option<Expr> {
        Some(match node {
            Node::BoolConstant(..)
            | Node::IntegerConstant(..)
            | Node::FloatConstant(..)
            | Node::CharConstant(..)
            | Node::StringConstant(..)
            | Node::Unit(..) => Expr::Constant(node.get_literal_value(None)?),
            Node::InterpolatedString(parts, _) => Expr::Text(self.exprs(parts)?),
            Node::Array(items, _) => Expr::Array(self.exprs(items)?),
            Node::Map(map, _) => {
                let (entries, template) = &**map;
                let entries = entries.iter().map(|(key, value)| Some((Identifier::from(key.as_str()), self.expr(value)?)));
                Expr::Map(entries.collect::<Option<_>>()?, Box::new(template.clone()))
            }
            Node::Variable(..) => Expr::Place(self.find(node)?.place),
            Node::And(sides, _) => Expr::And(self.parts(sides)?),
            Node::Or(sides, _) => Expr::Or(self.parts(sides)?),
            Node::Coalesce(sides, _) => Expr::Coalesce(self.parts(sides)?),
            Node::Stmt(block) => Expr::Block(self.block(block.statements())?),
            Node::FnCall(call, _) => self.call(call)?,
            Node::Dot(..) | Node::Index(..) => self.chain(node)?,
            _ => return None,
        })
    }

    fn call(&mut self, call: &FnCallExpr) -> Option<Expr> {
        if call.capture_parent_scope {
            return None;
        }
        if let Some(token) = &call.op_token {
            return Some(match (token, &call.args[..]) {
                (Token::Bang, [side]) => Expr::Not(Box::new(self.expr(side)?)),
                (token, [left, right]) => Expr::Binary(Operator::of(token)?, Box::new((self.expr(left)?, self.expr(right)?))),
                _ => return None,
            });
        }
        if !call.namespace.is_empty() {
            return Some(Expr::Host { function: host_function(call)?, arguments: self.exprs(&call.args)? });
        }
        if is_special(&call.name) {
            return None;
        }
        // A variable in the first place is changed by what changes its receiver: the same as a method.
        match call.args.split_first() {
            Some((first @ Node::Variable(..), rest)) => {
                let kind = self.method(&call.name, rest)?;
                self.chain_of(first, vec![Link { kind, optional: false }])
            }
            _ => Some(Expr::Call { name: call.name.clone(), arguments: self.exprs(&call.args)? }),
        }
    }

    fn method(&mut self, name: &ImmutableString, arguments: &[Node]) -> Option<LinkKind> {
        Some(LinkKind::Method { name: name.clone(), arguments: self.exprs(arguments)?, changes: changes::may_change(name) })
    }

    fn chain(&mut self, node: &Node) -> Option<Expr> {
        let (root, links) = self.links(node)?;
        self.chain_of(root, links.into_vec())
    }

    fn chain_of(&mut self, root: &Node, mut links: Vec<Link>) -> Option<Expr> {
        if is_request(root) {
            return self.ctx_chain(links);
        }
        let is_length = |link: &Link| {
            !link.optional && matches!(&link.kind, LinkKind::Method { name, arguments, .. } if name == "len" && arguments.is_empty())
        };
        if links.last().is_some_and(is_length) {
            links.pop();
            let of = if links.is_empty() { self.expr(root)? } else { self.chain_of(root, links)? };
            return Some(Expr::Length(Box::new(of)));
        }
        let root = match root {
            Node::Variable(..) => {
                let has_method = links.iter().any(|link| matches!(link.kind, LinkKind::Method { .. }));
                Root::Place(if has_method { self.changeable(root)? } else { self.find(root)?.place })
            }
            _ => Root::Expr(Box::new(self.expr(root)?)),
        };
        Some(Expr::Chain { root, links: links.into() })
    }

    /// Builds what is read of the request.
    fn ctx_chain(&mut self, links: Vec<Link>) -> Option<Expr> {
        let key = |at: usize| match links.get(at) {
            Some(Link { kind: LinkKind::Key(key), optional: false }) => Some(key.clone()),
            _ => None,
        };
        let first = key(0)?;
        let (property, rest) = if first == "request" {
            let second = key(1)?;
            let third = match links.get(2) {
                Some(Link { kind: LinkKind::Index(Expr::Constant(index)), optional: false }) => {
                    index.as_immutable_string_ref().ok().map(|key| key.clone())
                }
                _ => key(2),
            };
            if second == "body" {
                let method = links.iter().find(|link| matches!(link.kind, LinkKind::Method { .. }));
                // Rhai says that the request may not be changed.
                if matches!(method, Some(Link { kind: LinkKind::Method { changes: true, .. }, .. })) {
                    return None;
                }
                let takes = self.takes_body && self.loops == 0;
                return Some(Expr::Chain { root: Root::Body { takes }, links: links.into_iter().skip(2).collect() });
            }
            match third.and_then(|third| Property::of_entry(&second, &third)) {
                Some(entry) => (entry, 3),
                None => (Property::of_request(&second)?, 2),
            }
        } else {
            (Property::of_ctx(&first)?, 1)
        };
        let links: Box<[Link]> = links.into_iter().skip(rest).collect();
        let property = Expr::Property(property);
        Some(if links.is_empty() { property } else { Expr::Chain { root: Root::Expr(Box::new(property)), links } })
    }

    /// Takes a chain apart: where it begins, and its links.
    fn links<'a>(&mut self, node: &'a Node) -> Option<(&'a Node, Box<[Link]>)> {
        let (root, links) = chain::take_apart(node)?;
        let build = |link: chain::Link<'_>| {
            let kind = match link.node {
                index if link.is_index => LinkKind::Index(self.expr(index)?),
                Node::Property(property, _) => LinkKind::Key(property.2.clone()),
                Node::MethodCall(call, _) if !is_special(&call.name) => self.method(&call.name, &call.args)?,
                _ => return None,
            };
            Some(Link { kind, optional: link.optional })
        };
        Some((root, links.into_iter().map(build).collect::<Option<_>>()?))
    }
}

/// Finds the host function of a call, if what it does can be undone when a plan gives up.
fn host_function(call: &FnCallExpr) -> Option<&'static HostFunction> {
    let [module] = &call.namespace.path[..] else { return None };
    let function = host::module(module.as_str())?.function(&call.name)?;
    match function.kind {
        Kind::Held => (function.parameters.len() == call.args.len()).then_some(function),
    }
}

/// Returns whether statements name a variable.
fn mentions(statements: &[Stmt], name: &ImmutableString) -> bool {
    let mut found = false;
    for statement in statements {
        statement.walk(&mut Vec::new(), &mut |path| {
            found |= matches!(path.last(), Some(rhai::ASTNode::Expr(Node::Variable(variable, ..))) if variable.1 == *name);
            !found
        });
    }
    found
}

/// Returns whether these steps may change the variable at a place, or something in it.
fn change(steps: &[Statement], place: usize) -> bool {
    steps.iter().any(|statement| match &statement.step {
        Step::Let { value, .. } | Step::Give(value) => change_in(value, place),
        Step::Set { place: changed, value, .. } => *changed == place || change_in(value, place),
        Step::SetIn { place: changed, links, value, .. } => *changed == place || change_in_links(links, place) || change_in(value, place),
        Step::If { condition, then, otherwise } => change_in(condition, place) || change(then, place) || change(otherwise, place),
        Step::While { condition, body } => {
            condition.as_ref().is_some_and(|condition| change_in(&condition.expr, place)) || change(body, place)
        }
        Step::For { over, body, .. } => change_in(over, place) || change(body, place),
        // An array that is lent comes back as it was.
        Step::ForIn { body, .. } => change(body, place),
        Step::ForRange { bounds, body, .. } => change_in(&bounds.0, place) || change_in(&bounds.1, place) || change(body, place),
        Step::Return(value) => value.as_ref().is_some_and(|value| change_in(value, place)),
        Step::Break | Step::Continue => false,
    })
}

fn change_in(expr: &Expr, place: usize) -> bool {
    let any = |exprs: &[Expr]| exprs.iter().any(|expr| change_in(expr, place));
    match expr {
        Expr::Constant(_) | Expr::Place(_) | Expr::Property(_) => false,
        Expr::Text(exprs) | Expr::Array(exprs) => any(exprs),
        Expr::And(sides) | Expr::Or(sides) | Expr::Coalesce(sides) => sides.iter().any(|side| change_in(&side.expr, place)),
        Expr::Map(entries, _) => entries.iter().any(|(_, value)| change_in(value, place)),
        Expr::Not(side) | Expr::Length(side) => change_in(side, place),
        Expr::Binary(_, sides) => change_in(&sides.0, place) || change_in(&sides.1, place),
        Expr::Chain { root, links } => {
            let by_method = links.iter().any(|link| matches!(link.kind, LinkKind::Method { changes: true, .. }));
            let at_root = match root {
                Root::Place(root) => *root == place && by_method,
                Root::Body { .. } => false,
                Root::Expr(root) => change_in(root, place),
            };
            at_root || change_in_links(links, place)
        }
        Expr::Call { arguments, .. } | Expr::Host { arguments, .. } => any(arguments),
        Expr::Block(steps) => change(steps, place),
    }
}

fn change_in_links(links: &[Link], place: usize) -> bool {
    links.iter().any(|link| match &link.kind {
        LinkKind::Key(_) => false,
        LinkKind::Index(index) => change_in(index, place),
        LinkKind::Method { arguments, .. } => arguments.iter().any(|argument| change_in(argument, place)),
    })
}
