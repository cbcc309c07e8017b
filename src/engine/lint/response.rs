//! What a file gets wrong about its response.

use rhai::{ASTNode, Expr, Ident, Position, Stmt};

/// Finds `#{ status: 404, body: … }`: it is sent as JSON, with 200. Returns the key that should be `statusCode`.
pub fn mistaken_status<'a>(entries: &'a [(Ident, Expr)], path: &[ASTNode]) -> Option<&'a str> {
    let is_status =
        |name: &str| matches!(name.replace('_', "").to_ascii_lowercase().as_str(), "status" | "statuscode") && name != "statusCode";
    let is_code = |value: &Expr| matches!(value, Expr::IntegerConstant(100..=599, _));
    let (key, _) = entries.iter().find(|(key, value)| is_status(&key.name) && is_code(value))?;
    let others = entries.iter().filter(|(key, _)| matches!(key.name.as_str(), "body" | "headers")).count();
    let is_inside = matches!(path, [.., ASTNode::Expr(Expr::Map(..) | Expr::Array(..)), _]);
    (entries.len() > 1 && others == entries.len() - 1 && !is_inside).then_some(key.name.as_str())
}

/// Finds a `catch` at the end of a script whose last value is lost: only the value of `try` is the script's. Returns where the value is.
pub fn lost_value(last: &Stmt) -> Option<Position> {
    let Stmt::TryCatch(block, _) = last else { return None };
    // A call may be there for what it does, such as a line in the log.
    let value = |statement: &Stmt| match statement {
        Stmt::Expr(expr) if !matches!(**expr, Expr::FnCall(..) | Expr::MethodCall(..) | Expr::Dot(..)) => Some(expr.start_position()),
        _ => None,
    };
    value(block.branch.statements().last()?)
}
