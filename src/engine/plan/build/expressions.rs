//! From Rhai's expressions to those of a plan.

use rhai::{Expr as Node, FnCallExpr, Identifier, ImmutableString, Token};

use super::Builder;
use crate::engine::{
    ast::changes,
    host::{self, HostFunction, Kind},
    plan::{
        build::chains::is_special,
        operations,
        operators::Operator,
        steps::{Expr, Link, LinkKind, Part},
    },
};

impl Builder {
    pub(super) fn exprs(&mut self, nodes: &[Node]) -> Option<Box<[Expr]>> {
        nodes.iter().map(|node| self.expr(node)).collect()
    }

    /// Builds what may be evaluated more or less often than what it is in. What is counted there already is not counted once more.
    pub(super) fn part(&mut self, node: &Node, is_counted: bool) -> Option<Part> {
        Some(Part { operations: if is_counted { 0 } else { operations::of(node) }, expr: self.expr(node)? })
    }

    /// Builds sides of which the first is always evaluated.
    fn parts(&mut self, sides: &[Node]) -> Option<Box<[Part]>> {
        sides.iter().enumerate().map(|(number, side)| self.part(side, number == 0)).collect()
    }

    pub(super) fn expr(&mut self, node: &Node) -> Option<Expr> {
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

    pub(super) fn call(&mut self, call: &FnCallExpr) -> Option<Expr> {
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
        if !call.namespace.is_empty() || host::global(&call.name).is_some() {
            let (of, function) = host_function(call)?;
            return Some(Expr::Host { of, function, arguments: self.exprs(&call.args)? });
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

    pub(super) fn method(&mut self, name: &ImmutableString, arguments: &[Node]) -> Option<LinkKind> {
        // Rhai makes the call, while the plan has the run.
        if host::needs_run(name) {
            return None;
        }
        Some(LinkKind::Method { name: name.clone(), arguments: self.exprs(arguments)?, changes: changes::may_change(name) })
    }
}

/// Finds the host function of a call, if what it does can be undone when a plan gives up.
fn host_function(call: &FnCallExpr) -> Option<(&'static str, &'static HostFunction)> {
    let module = match &call.namespace.path[..] {
        [] => "",
        [module] => module.as_str(),
        _ => return None,
    };
    let module = host::module(module)?;
    let function = module.function(&call.name)?;
    match function.kind {
        Kind::Pure | Kind::Held => function.counts().contains(&call.args.len()).then_some((module.name, function)),
        // Nothing that has an effect is ever started again.
        Kind::Waits => None,
    }
}
