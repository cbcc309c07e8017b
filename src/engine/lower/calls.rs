//! Operators and calls.

use rhai::{Expr as Ast, FnCallExpr, Position, Token};

use super::{Body, Lowered, Reason, all, expressions::copied, nodes};
use crate::engine::ir::{Binary, Call, Constant, Expr, ModuleCall, NativeCall, Op, SpecialCall, Unary, UnaryOp};

/// Returns the operator of two operands that a token is.
pub fn op(token: &Token) -> Option<Op> {
    Some(match token {
        Token::Plus => Op::Add,
        Token::Minus => Op::Subtract,
        Token::Multiply => Op::Multiply,
        Token::Divide => Op::Divide,
        Token::Modulo => Op::Remainder,
        Token::PowerOf => Op::Power,
        Token::LeftShift => Op::ShiftLeft,
        Token::RightShift => Op::ShiftRight,
        Token::Ampersand => Op::And,
        Token::Pipe => Op::Or,
        Token::XOr => Op::Xor,
        Token::LessThan => Op::Less,
        Token::LessThanEqualsTo => Op::LessEqual,
        Token::GreaterThan => Op::Greater,
        Token::GreaterThanEqualsTo => Op::GreaterEqual,
        Token::EqualsTo => Op::Equal,
        Token::NotEqualsTo => Op::NotEqual,
        Token::ExclusiveRange => Op::Range,
        Token::InclusiveRange => Op::RangeInclusive,
        _ => return None,
    })
}

impl Body<'_, '_> {
    /// Lowers a call.
    pub fn call(&mut self, call: &FnCallExpr, position: Position) -> Lowered<Expr> {
        if call.capture_parent_scope {
            return Err(Reason::Scope);
        }
        // `x !in y` is a call of `contains` in Rhai's tree, like `x in y`, with `!` before it. But it takes its operands as operators do.
        match &call.op_token {
            Some(Token::NotIn) => return self.contains(call, position),
            Some(token) => return self.operator(token, call, position),
            None => {}
        }
        let name = || call.name.clone();
        if let Some(root) = call.namespace.path.first() {
            let path = call.namespace.path.iter().map(|part| part.name.clone()).collect();
            let import = self.file.imports.find(&root.name)?;
            let arguments = self.arguments(&call.args)?;
            let node = nodes::call(call, position);
            return Ok(Expr::ModuleCall(Box::new(ModuleCall { path, import, name: name(), arguments, position, node })));
        }
        match (call.name.as_str(), call.args.len()) {
            ("eval" | "is_def_var", 1) => return Err(Reason::Scope),
            (name @ ("call" | "curry"), 2..) | (name @ ("call" | "is_shared"), 1) => {
                let arguments = all(&call.args, |argument| self.expr(argument))?;
                if name != "is_shared" {
                    arguments.iter().skip(1).for_each(|argument| self.file.captures.pass(self.id, argument));
                }
                return Ok(special(call, arguments, position));
            }
            ("Fn" | "type_of", 1) | ("is_def_fn", 2 | 3) => {
                let arguments = self.arguments(&call.args)?;
                return Ok(special(call, arguments, position));
            }
            _ => {}
        }
        let arguments = self.arguments(&call.args)?;
        Ok(self.called(call, arguments, position))
    }

    /// Calls a function of the file, or one that is none of it.
    fn called(&self, call: &FnCallExpr, arguments: Box<[Expr]>, position: Position) -> Expr {
        let name = call.name.clone();
        match self.file.function(&name, arguments.len()) {
            Some(function) => Expr::Call(Box::new(Call { function, arguments, position })),
            None => Expr::NativeCall(Box::new(NativeCall { name, arguments, position, node: nodes::call(call, position) })),
        }
    }

    /// Lowers the call of `contains` for `!in`: a variable that stands first is read first.
    fn contains(&mut self, call: &FnCallExpr, position: Position) -> Lowered<Expr> {
        let mut arguments = self.arguments(&call.args)?;
        if let Some(first) = arguments.first_mut()
            && matches!(first, Expr::Variable(_) | Expr::This(_))
        {
            *first = copied(std::mem::replace(first, Expr::Constant(Constant::Unit)));
        }
        Ok(self.called(call, arguments, position))
    }

    fn arguments(&mut self, arguments: &[Ast]) -> Lowered<Box<[Expr]>> {
        let Some((first, rest)) = arguments.split_first() else { return Ok([].into()) };
        // A variable in a block is a copy of it: no function changes it.
        let first = [self.expr(first)?];
        let rest = all(rest, |argument| self.flat(argument))?;
        Ok(first.into_iter().chain(rest).collect())
    }

    fn operator(&mut self, token: &Token, call: &FnCallExpr, position: Position) -> Lowered<Expr> {
        let node = nodes::call(call, position);
        match &call.args[..] {
            [operand] => {
                let op = match token {
                    Token::Bang => UnaryOp::Not,
                    Token::Minus | Token::UnaryMinus => UnaryOp::Minus,
                    Token::Plus | Token::UnaryPlus => UnaryOp::Plus,
                    _ => return Err(Reason::Syntax),
                };
                Ok(Expr::Unary(Box::new(Unary { op, operand: self.flat(operand)?, node })))
            }
            [left, right] => {
                let op = op(token).ok_or(Reason::Syntax)?;
                let left = self.flat(left)?;
                Ok(Expr::Binary(Box::new(Binary { op, left, right: self.flat(right)?, node })))
            }
            _ => Err(Reason::Syntax),
        }
    }
}

fn special(call: &FnCallExpr, arguments: Box<[Expr]>, position: Position) -> Expr {
    Expr::SpecialCall(Box::new(SpecialCall { name: call.name.clone(), arguments, position, node: nodes::call(call, position) }))
}
