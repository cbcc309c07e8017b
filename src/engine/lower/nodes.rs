//! Nodes of Rhai's tree with variables in place of their operands.

use std::sync::Arc;

use rhai::{ASTFlags, BinaryExpr, Expr, FnCallExpr, Namespace, OpAssignment, Position, Stmt};

use super::LinkNode;
use crate::engine::ir::{Node, operand_name};

/// Makes the variable that stands for an operand.
pub fn operand(number: usize, position: Position) -> Expr {
    Expr::Variable(Box::new((None, operand_name(number), Namespace::NONE, 0)), None, position)
}

/// Makes a call on `$0`, `$1` and so on.
pub fn call(call: &FnCallExpr, position: Position) -> Node {
    Arc::new(Expr::FnCall(Box::new(on_operands(call, 0, Expr::start_position)), position))
}

/// An argument is told of where it begins in a call, and elsewhere in a method call.
fn on_operands(call: &FnCallExpr, first: usize, place: fn(&Expr) -> Position) -> FnCallExpr {
    FnCallExpr {
        namespace: call.namespace.clone(),
        name: call.name.clone(),
        hashes: call.hashes,
        args: call.args.iter().enumerate().map(|(number, argument)| operand(first + number, place(argument))).collect(),
        capture_parent_scope: false,
        op_token: call.op_token.clone(),
    }
}

/// Makes one link, on the operand of this number; an index or arguments are the operands after it.
pub fn link(link: &LinkNode<'_>, on: usize) -> Expr {
    let lhs = operand(on, link.position);
    let rhs = match link.node {
        node if link.is_index => operand(on + 1, node.start_position()),
        Expr::MethodCall(method, position) => Expr::MethodCall(Box::new(on_operands(method, on + 1, Expr::position)), *position),
        property => property.clone(),
    };
    let both = Box::new(BinaryExpr { lhs, rhs });
    if link.is_index { Expr::Index(both, ASTFlags::NONE, link.position) } else { Expr::Dot(both, ASTFlags::NONE, link.position) }
}

/// Makes an assignment of `$0` to the link of `$1`, or to `$1` itself, which stands there.
pub fn assign_in(op: &OpAssignment, last: Option<&LinkNode<'_>>, position: Position) -> Arc<Stmt> {
    let lhs = last.map_or_else(|| operand(1, position), |last| link(last, 1));
    Arc::new(Stmt::Assignment(Box::new((op.clone(), BinaryExpr { lhs, rhs: operand(0, position) }))))
}

/// Makes `$0 op= $1` with the place of what is changed.
pub fn assign(op: &OpAssignment, position: Position) -> Arc<Stmt> {
    Arc::new(Stmt::Assignment(Box::new((op.clone(), BinaryExpr { lhs: operand(0, position), rhs: operand(1, position) }))))
}
