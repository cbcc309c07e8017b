//! How many operations Rhai counts for what a plan does without it: one for each statement, each expression, each step along a chain. What
//! depends on the run (calls, branches, rounds of a loop) is counted as it happens.

use rhai::{Expr, FnCallExpr, Stmt};

use crate::engine::ast::chain;

/// Of a statement, without the blocks inside it.
pub fn of_statement(statement: &Stmt) -> u32 {
    1 + match statement {
        Stmt::Expr(expr) => of(expr),
        Stmt::FnCall(call, _) => of_call(call),
        Stmt::Var(variable, ..) => of(&variable.1),
        Stmt::Assignment(assignment) => {
            let sides = &assignment.1;
            of(&sides.rhs) + if let Expr::Variable(..) = sides.lhs { 1 } else { of_chain(&sides.lhs) }
        }
        Stmt::If(branches, _) => of(&branches.expr),
        Stmt::For(repeated, _) => of(&repeated.2.expr),
        Stmt::Return(Some(value), ..) => of(value),
        // The condition of a `while` counts anew with each round.
        _ => 0,
    }
}

/// Of an expression, without what may be left out: blocks inside it, and all sides but the first of `&&`, `||` and `??`.
pub fn of(expr: &Expr) -> u32 {
    1 + match expr {
        Expr::FnCall(call, _) => of_call(call),
        Expr::InterpolatedString(parts, _) => parts.iter().map(of).sum(),
        Expr::Array(items, _) => items.iter().map(of).sum(),
        Expr::Map(map, _) => map.0.iter().map(|(_, value)| of(value)).sum(),
        Expr::And(sides, _) | Expr::Or(sides, _) | Expr::Coalesce(sides, _) => sides.first().map_or(0, of),
        Expr::Dot(..) | Expr::Index(..) => of_chain(expr),
        _ => 0,
    }
}

/// What is plainly written out needs no evaluation.
fn is_literal(expr: &Expr) -> bool {
    expr.get_literal_value(None).is_some()
}

fn of_argument(expr: &Expr) -> u32 {
    if is_literal(expr) { 1 } else { of(expr) }
}

fn of_arguments(arguments: &[Expr]) -> u32 {
    arguments.iter().map(of_argument).sum()
}

/// The call itself counts when it happens.
fn of_call(call: &FnCallExpr) -> u32 {
    of_arguments(&call.args)
}

fn of_chain(expr: &Expr) -> u32 {
    let Some((root, links)) = chain::take_apart(expr) else { return 0 };
    let needs_nothing = |link: &chain::Link<'_>| match link.node {
        Expr::MethodCall(call, _) if !link.is_index => call.args.is_empty(),
        Expr::Property(..) if !link.is_index => true,
        index => is_literal(index),
    };
    // First what stands in brackets: each link is looked at for that, unless the only one has none.
    let brackets = match &links[..] {
        [only] if needs_nothing(only) => 0,
        links => links
            .iter()
            .map(|link| {
                1 + match link.node {
                    index if link.is_index => of(index),
                    Expr::MethodCall(call, _) => of_arguments(&call.args),
                    _ => 0,
                }
            })
            .sum(),
    };
    let root = if let Expr::Variable(..) = root { 1 } else { of(root) };
    brackets + root + links.iter().map(|link| u32::from(link.is_index || !matches!(link.node, Expr::MethodCall(..)))).sum::<u32>()
}
