//! What the steps of a plan may change.

use super::steps::{Expr, Link, LinkKind, Root, Statement, Step};

/// Returns whether these steps may change the variable at a place, or something in it.
pub fn change(steps: &[Statement], place: usize) -> bool {
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
