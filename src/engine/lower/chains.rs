//! `root.property[index].method(…)`.

use std::sync::Arc;

use rhai::{ASTFlags, BinaryExpr, Expr as Ast, ImmutableString};

use super::{Body, LinkNode, Lowered, Reason, all, nodes};
use crate::engine::{
    context::properties::REQUEST,
    ir::{Chain, Expr, Link, LinkKind, Request, Root, Variable},
};

/// Takes a chain apart: where it begins, and its links.
pub fn take_apart(chain: &Ast) -> Lowered<(&Ast, Vec<LinkNode<'_>>)> {
    let mut links = Vec::new();
    let mut root = None;
    let mut above = chain;
    loop {
        let (Ast::Dot(parts, flags, position) | Ast::Index(parts, flags, position)) = above else { return Err(Reason::Syntax) };
        root = root.or(Some(&parts.lhs));
        // A chain goes on inside its right side, unless it is broken off there.
        let (node, next) = match &parts.rhs {
            next @ (Ast::Dot(inner, ..) | Ast::Index(inner, ..)) if !flags.contains(ASTFlags::BREAK) => (&inner.lhs, Some(next)),
            last => (last, None),
        };
        let is_index = matches!(above, Ast::Index(..));
        links.push(LinkNode { node, is_index, is_optional: flags.contains(ASTFlags::NEGATED), position: *position });
        match (next, root) {
            (Some(next), _) => above = next,
            (None, Some(root)) => return Ok((root, links)),
            (None, None) => return Err(Reason::Syntax),
        }
    }
}

impl Body<'_, '_> {
    /// Lowers a chain that is read.
    pub fn chain(&mut self, chain: &Ast) -> Lowered<Expr> {
        let (root, links) = take_apart(chain)?;
        if self.is_request(root) {
            let asked = names_of_request(&links);
            self.cost += asked as u32;
            let names = links[..asked].iter().filter_map(name_of).collect();
            let node = if asked == links.len() { chain.clone() } else { cut(chain, asked) };
            let request = Expr::Request(Box::new(Request { names, node: Arc::new(node) }));
            if asked == links.len() {
                return Ok(request);
            }
            let links = all(&links[asked..], |link| self.link(link))?;
            return Ok(Expr::Chain(Box::new(Chain { root: Root::Expr(request), links })));
        }
        let links = all(&links, |link| self.link(link))?;
        Ok(Expr::Chain(Box::new(Chain { root: self.root(root)?, links })))
    }

    /// Lowers where a chain begins.
    pub fn root(&mut self, root: &Ast) -> Lowered<Root> {
        Ok(match self.expr(root)? {
            Expr::Variable(variable) => Root::Variable(variable),
            Expr::This(position) => Root::This(position),
            other => Root::Expr(other),
        })
    }

    /// Lowers one link.
    pub fn link(&mut self, link: &LinkNode<'_>) -> Lowered<Link> {
        self.cost += 1;
        let kind = match link.node {
            index if link.is_index => LinkKind::Index(self.flat(index)?),
            Ast::Property(property, _) => LinkKind::Property(property.2.clone()),
            Ast::MethodCall(call, position) => {
                LinkKind::Method(call.name.clone(), all(&call.args, |argument| self.flat(argument))?, *position)
            }
            _ => return Err(Reason::Syntax),
        };
        Ok(Link { kind, is_optional: link.is_optional, node: Arc::new(nodes::link(link, 0)) })
    }

    /// Returns where a variable stands, if it has a place.
    pub fn variable(&self, node: &Ast) -> Option<Variable> {
        match node {
            Ast::Variable(variable, _, position) if variable.2.is_empty() => {
                Some(Variable { slot: self.find(&variable.1)?, position: *position })
            }
            _ => None,
        }
    }
}

/// Returns how many links at the beginning of a chain on `ctx` are names that are known to be there.
fn names_of_request(links: &[LinkNode<'_>]) -> usize {
    let name = |at: usize| links.get(at).and_then(name_of);
    let is_property = |at: usize| links.get(at).is_some_and(|link| !link.is_index);
    match (name(0), name(1)) {
        (Some(first), _) if is_property(0) && first != REQUEST => 1,
        (Some(_), Some(second)) if is_property(0) && is_property(1) => {
            let has_entries = matches!(second.as_str(), "query" | "headers" | "params");
            if has_entries && name(2).is_some() { 3 } else { 2 }
        }
        (Some(_), _) if is_property(0) => 1,
        _ => 0,
    }
}

/// Returns the name that a link asks for: `.name`, `["name"]`.
fn name_of(link: &LinkNode<'_>) -> Option<ImmutableString> {
    match link.node {
        _ if link.is_optional => None,
        Ast::Property(property, _) if !link.is_index => Some(property.2.clone()),
        Ast::StringConstant(name, _) if link.is_index => Some(name.clone()),
        _ => None,
    }
}

/// Returns a chain without the links after so many.
fn cut(chain: &Ast, links: usize) -> Ast {
    let (Ast::Dot(parts, ..) | Ast::Index(parts, ..)) = chain else { return chain.clone() };
    let rhs = match &parts.rhs {
        next if links > 1 => cut(next, links - 1),
        Ast::Dot(inner, ..) | Ast::Index(inner, ..) if links == 1 => inner.lhs.clone(),
        last if links == 1 => last.clone(),
        _ => return parts.lhs.clone(),
    };
    let both = Box::new(BinaryExpr { lhs: parts.lhs.clone(), rhs });
    match chain {
        Ast::Dot(_, flags, position) => Ast::Dot(both, *flags, *position),
        Ast::Index(_, flags, position) => Ast::Index(both, *flags, *position),
        other => other.clone(),
    }
}
