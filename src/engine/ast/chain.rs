//! Chains of the syntax tree: `root.key[index].method(…)`.

use rhai::{ASTFlags, Expr};

/// A link of a chain.
pub struct Link<'a> {
    /// A property, a method call, or the expression between brackets.
    pub node: &'a Expr,
    /// Whether it stands between brackets.
    pub is_index: bool,
    /// Whether it is written `?.` or `?[`: the chain ends in `()` if there is nothing.
    pub optional: bool,
}

/// Takes a chain apart: where it begins, and its links.
pub fn take_apart(node: &Expr) -> Option<(&Expr, Vec<Link<'_>>)> {
    let (Expr::Dot(chain, ..) | Expr::Index(chain, ..)) = node else { return None };
    let mut links = Vec::new();
    let mut above = node;
    let mut rest = &chain.rhs;
    loop {
        let (Expr::Dot(_, flags, _) | Expr::Index(_, flags, _)) = above else { return None };
        // A chain goes on inside its right side, unless it is broken off there.
        let (node, next) = match rest {
            Expr::Dot(inner, ..) | Expr::Index(inner, ..) if !flags.contains(ASTFlags::BREAK) => (&inner.lhs, Some((rest, &inner.rhs))),
            last => (last, None),
        };
        links.push(Link { node, is_index: matches!(above, Expr::Index(..)), optional: flags.contains(ASTFlags::NEGATED) });
        match next {
            Some((inner, after)) => (above, rest) = (inner, after),
            None => return Some((&chain.lhs, links)),
        }
    }
}
