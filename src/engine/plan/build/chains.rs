//! From Rhai's chains to those of a plan.

use rhai::Expr as Node;

use super::Builder;
use crate::engine::{
    ast::{chain, is_request},
    context::properties::Property,
    host::unavailable,
    lint::known::KEYWORDS,
    plan::steps::{Expr, Link, LinkKind, Root},
};

/// Returns whether Rhai itself handles a function, with a scope or a function pointer in hand, or it is not there for scripts.
pub(super) fn is_special(name: &str) -> bool {
    KEYWORDS.contains(&name) || unavailable::function(name).is_some() || name == "exit"
}

impl Builder {
    pub(super) fn chain(&mut self, node: &Node) -> Option<Expr> {
        let (root, links) = self.links(node)?;
        self.chain_of(root, links.into_vec())
    }

    pub(super) fn chain_of(&mut self, root: &Node, mut links: Vec<Link>) -> Option<Expr> {
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
    pub(super) fn links<'a>(&mut self, node: &'a Node) -> Option<(&'a Node, Box<[Link]>)> {
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
