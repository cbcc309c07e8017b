//! Expressions.

use std::sync::Arc;

use rhai::{Dynamic, Expr as Ast, FnPtr, ImmutableString, Stmt, StmtBlock};

use super::{Body, Lowered, Reason, all};
use crate::engine::{
    context::CTX,
    ir::{Block, Closure, Condition, Constant, Expr, FunctionId, Item, ModuleConstant, Request, Slot, Statement},
};

/// Returns the name of the function that a constant points to.
pub fn pointed(node: &Ast) -> Option<ImmutableString> {
    match node {
        Ast::DynamicConstant(value, _) => value.read_lock::<FnPtr>().map(|function| function.fn_name().into()),
        _ => None,
    }
}

impl Body<'_, '_> {
    /// Lowers an expression for who takes what it gives as it is.
    pub fn expr(&mut self, node: &Ast) -> Lowered<Expr> {
        self.cost += 1;
        Ok(match node {
            Ast::DynamicConstant(value, _) => Expr::Constant(self.dynamic(node, value)),
            Ast::BoolConstant(value, _) => Expr::Constant(Constant::Bool(*value)),
            Ast::IntegerConstant(value, _) => Expr::Constant(Constant::Int(*value)),
            Ast::FloatConstant(value, _) => Expr::Constant(Constant::Float(**value)),
            Ast::CharConstant(value, _) => Expr::Constant(Constant::Char(*value)),
            Ast::StringConstant(value, _) => Expr::Constant(Constant::Text(value.clone())),
            Ast::Unit(_) => Expr::Constant(Constant::Unit),
            Ast::InterpolatedString(parts, _) => Expr::Text(all(parts, |part| self.item(part))?),
            Ast::Array(items, _) => Expr::List(all(items, |item| self.item(item))?),
            Ast::Map(map, _) => Expr::Map(all(&map.0, |(key, value)| Ok((key.name.clone(), self.item(value)?)))?),
            Ast::Variable(..) => return self.named(node),
            Ast::ThisPtr(position) => Expr::This(*position),
            Ast::Stmt(block) => return self.block_value(block),
            Ast::FnCall(call, position) => return self.call(call, *position),
            Ast::Dot(..) | Ast::Index(..) => return self.chain(node),
            Ast::And(conditions, _) => Expr::And(all(&conditions[..], |condition| self.condition(condition))?),
            Ast::Or(conditions, _) => Expr::Or(all(&conditions[..], |condition| self.condition(condition))?),
            Ast::Coalesce(values, _) => Expr::Coalesce(all(&values[..], |value| self.expr(value))?),
            _ => return Err(Reason::Syntax),
        })
    }

    /// Lowers an expression for who flattens what it gives: a block that only names a variable is the variable.
    pub fn flat(&mut self, node: &Ast) -> Lowered<Expr> {
        Ok(match self.expr(node)? {
            Expr::Block(block) => match only_value(*block) {
                Ok(value) => value,
                Err(block) => Expr::Block(Box::new(block)),
            },
            other => other,
        })
    }

    pub fn condition(&mut self, node: &Ast) -> Lowered<Condition> {
        Ok(Condition { expr: self.flat(node)?, position: node.position() })
    }

    fn item(&mut self, node: &Ast) -> Lowered<Item> {
        Ok(Item { value: self.flat(node)?, position: node.position() })
    }

    fn dynamic(&self, node: &Ast, value: &Dynamic) -> Constant {
        let function = pointed(node).and_then(|name| self.file.pointed(&name));
        function.map_or_else(|| Constant::Other(Arc::new(value.clone())), Constant::Function)
    }

    /// Finds the variable of a name. A captured `ctx` is none, if it is the request.
    pub fn find(&self, name: &str) -> Option<Slot> {
        let slot = self.scope.find(name)?;
        let is_request = || self.id.is_some_and(|id| self.file.requests.contains(&self.file.definitions[id].name));
        (name != CTX || !is_request()).then_some(slot)
    }

    /// Whether this is the request.
    pub fn is_request(&self, node: &Ast) -> bool {
        matches!(node, Ast::Variable(variable, ..) if variable.2.is_empty() && variable.1 == CTX && self.find(CTX).is_none())
    }

    /// Lowers a name.
    fn named(&mut self, node: &Ast) -> Lowered<Expr> {
        if let Some(variable) = self.variable(node) {
            return Ok(Expr::Variable(variable));
        }
        let unknown = || Arc::new(node.clone());
        if self.is_request(node) {
            return Ok(Expr::Request(Box::new(Request { names: [].into(), node: unknown() })));
        }
        let Ast::Variable(variable, ..) = node else { return Err(Reason::Syntax) };
        Ok(match &variable.2.path[..] {
            [] => self
                .file
                .pointed(&variable.1)
                .map_or_else(|| Expr::Unknown(unknown()), |function| Expr::Constant(Constant::Function(function))),
            [root] => {
                let import = self.file.imports.find(&root.name)?;
                if import.is_none() && root.name != "global" {
                    return Ok(Expr::Unknown(unknown()));
                }
                Expr::ModuleConstant(Box::new(ModuleConstant { import, name: variable.1.clone(), node: unknown() }))
            }
            _ => Expr::Unknown(unknown()),
        })
    }

    /// Lowers a block that stands where a value is wanted. The one that makes a closure with captured variables is known by its form.
    fn block_value(&mut self, block: &StmtBlock) -> Lowered<Expr> {
        if let [Stmt::Share(_), Stmt::Expr(call)] = block.statements()
            && let Ast::FnCall(call, _) = &**call
            && let [closure, captured @ ..] = &call.args[..]
            && let Some(function) = pointed(closure).and_then(|name| self.file.pointed(&name))
        {
            return self.closure(function, captured);
        }
        let block = self.block(block.statements())?;
        self.cost += block.cost;
        Ok(match only_value(block) {
            // Alone it would give what is shared.
            Ok(value @ (Expr::Variable(_) | Expr::This(_) | Expr::Coalesce(_))) => copied(value),
            Ok(value) => value,
            Err(block) => Expr::Block(Box::new(block)),
        })
    }

    fn closure(&mut self, function: FunctionId, captured: &[Ast]) -> Lowered<Expr> {
        let captures = all(captured, |variable| self.expr(variable))?;
        for (parameter, capture) in captures.iter().enumerate() {
            if let Expr::Variable(variable) = capture {
                self.file.captures.add(function, parameter, self.id, variable.slot);
            }
        }
        Ok(Expr::Closure(Box::new(Closure { function, captures })))
    }
}

/// Puts a variable in a block, which gives a copy of it.
pub fn copied(value: Expr) -> Expr {
    Expr::Block(Box::new(Block { statements: [Statement::Expr(value)].into(), slots: 0..0, cost: 1 }))
}

/// Returns the value of a block that is nothing but one expression: it declares nothing itself.
fn only_value(block: Block) -> Result<Expr, Block> {
    if !matches!(&block.statements[..], [Statement::Expr(_)]) {
        return Err(block);
    }
    match block.statements.into_iter().next() {
        Some(Statement::Expr(value)) => Ok(value),
        _ => Ok(Expr::Constant(Constant::Unit)),
    }
}
