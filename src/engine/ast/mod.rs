//! Questions to Rhai's syntax tree.

pub mod chain;
pub mod changes;

use rhai::Expr;

use super::context::CTX;

/// Returns whether an expression is the constant `ctx`. A parameter or variable of that name has a place that the compiler knows.
pub fn is_request(node: &Expr) -> bool {
    matches!(node, Expr::Variable(variable, ..) if variable.1 == CTX && variable.0.is_none() && variable.2.is_empty())
}

/// Returns what stands next in a chain of which this is the right side.
pub fn first_link(rest: &Expr) -> &Expr {
    match rest {
        Expr::Dot(chain, ..) | Expr::Index(chain, ..) => &chain.lhs,
        last => last,
    }
}
