//! Statements.

use rhai::{ASTFlags, BinaryExpr, Expr as Ast, FlowControl, Ident, OpAssignment, Stmt, SwitchCasesCollection, Token};

use super::{Body, Lowered, Reason, all, calls::op, chains::take_apart, nodes};
use crate::engine::ir::{
    Arm, Assign, AssignIn, AssignNowhere, Block, Chain, Expr, For, If, Import, Op, OpAssign, Over, Root, Statement, Switch, Try,
};

impl Body<'_, '_> {
    /// Lowers a statement.
    pub fn statement(&mut self, statement: &Stmt) -> Lowered<Statement> {
        self.cost += 1;
        Ok(match statement {
            Stmt::Noop(_) => Statement::Nothing,
            Stmt::Expr(value) => Statement::Expr(self.flat(value)?),
            Stmt::FnCall(call, position) => Statement::Expr(self.call(call, *position)?),
            Stmt::Block(block) => {
                let block = self.block(block.statements())?;
                self.cost += block.cost;
                Statement::Expr(Expr::Block(Box::new(block)))
            }
            Stmt::Var(variable, flags, _) => {
                let value = self.flat(&variable.1)?;
                let is_constant = flags.contains(ASTFlags::CONSTANT);
                let is_global = is_constant && self.id.is_none() && self.depth == 0 && !self.file.definitions.is_empty();
                Statement::Let { slot: self.scope.declare(&variable.0.name, is_constant)?, value, is_global }
            }
            Stmt::Assignment(assignment) => self.assignment(&assignment.0, &assignment.1)?,
            Stmt::If(parts, _) => Statement::Expr(self.branches(parts)?),
            Stmt::Switch(parts, _) => Statement::Expr(self.switch(&parts.0, &parts.1)?),
            Stmt::While(parts, _) => self.while_loop(parts)?,
            Stmt::Do(parts, flags, _) => {
                let (condition, body) = self.looped(&parts.expr, parts.body.statements())?;
                Statement::Do { body, condition, until: flags.contains(ASTFlags::NEGATED) }
            }
            Stmt::For(parts, _) => self.for_loop(&parts.0, parts.1.as_ref(), &parts.2)?,
            Stmt::BreakLoop(value, flags, _) if flags.contains(ASTFlags::BREAK) => Statement::Break(self.maybe(value)?),
            Stmt::BreakLoop(..) => Statement::Continue,
            Stmt::Return(value, flags, position) if flags.contains(ASTFlags::BREAK) => Statement::Throw(self.maybe(value)?, *position),
            Stmt::Return(value, ..) => Statement::Return(self.maybe(value)?),
            Stmt::TryCatch(parts, _) => self.try_catch(parts)?,
            Stmt::Import(import, position) => {
                let (Ast::StringConstant(path, path_position), alias) = &**import else { return Err(Reason::ImportPath) };
                let id = self.file.imports.declare(&alias.name);
                let alias = alias.name.clone();
                Statement::Import(Box::new(Import { id, alias, path: path.clone(), path_position: *path_position, position: *position }))
            }
            // It only matters to who imports the file, and that is made by Rhai.
            Stmt::Export(names, _) if self.scope.find(&names.0.name).is_some() => Statement::Nothing,
            _ => return Err(Reason::Syntax),
        })
    }

    fn maybe(&mut self, value: &Option<impl AsRef<Ast>>) -> Lowered<Option<Expr>> {
        value.as_ref().map(|value| self.flat(value.as_ref())).transpose()
    }

    fn assignment(&mut self, how: &OpAssignment, sides: &BinaryExpr) -> Lowered<Statement> {
        let BinaryExpr { lhs, rhs } = sides;
        let value = self.flat(rhs)?;
        self.cost += 1;
        if let Some(variable) = self.variable(lhs) {
            let op = op_assign(how, lhs)?;
            return Ok(Statement::Assign(Box::new(Assign { slot: variable.slot, position: variable.position, op, value })));
        }
        match lhs {
            Ast::Variable(variable, _, position) => {
                let target = self.expr(lhs)?;
                Ok(Statement::AssignNowhere(Box::new(AssignNowhere { value, target, name: variable.1.clone(), position: *position })))
            }
            Ast::ThisPtr(position) => {
                let chain = Chain { root: Root::This(*position), links: [].into() };
                let node = nodes::assign_in(how, None, *position);
                Ok(Statement::AssignIn(Box::new(AssignIn { chain, op: op_assign(how, lhs)?, value, node })))
            }
            _ => {
                let (root, links) = take_apart(lhs)?;
                let node = nodes::assign_in(how, links.last(), root.position());
                let op = op_assign(how, root)?;
                let links = all(&links, |link| self.link(link))?;
                Ok(Statement::AssignIn(Box::new(AssignIn { chain: Chain { root: self.root(root)?, links }, op, value, node })))
            }
        }
    }

    fn branches(&mut self, parts: &FlowControl) -> Lowered<Expr> {
        let condition = self.condition(&parts.expr)?;
        let then = self.block(parts.body.statements())?;
        let otherwise = self.block(parts.branch.statements())?;
        self.cost += then.cost.max(otherwise.cost);
        Ok(Expr::If(Box::new(If { condition, then, otherwise })))
    }

    fn switch(&mut self, on: &Ast, cases: &SwitchCasesCollection) -> Lowered<Expr> {
        let on = self.flat(on)?;
        let before = self.cost;
        let mut costliest = 0;
        let arms = all(&cases.expressions, |BinaryExpr { lhs, rhs }| {
            self.cost = 0;
            let condition = if matches!(lhs, Ast::BoolConstant(true, _)) { None } else { Some(self.condition(lhs)?) };
            let arm = Arm { condition, value: self.flat(rhs)? };
            costliest = self.cost.max(costliest);
            Ok(arm)
        })?;
        self.cost = before + costliest;
        let mut by_hash: Vec<(u64, Box<[usize]>)> = cases.cases.iter().map(|(hash, case)| (*hash, case.blocks[..].into())).collect();
        by_hash.sort_unstable();
        let ranges = cases.ranges[..].into();
        Ok(Expr::Switch(Box::new(Switch { on, cases: by_hash.into(), ranges, arms, default: cases.def_case })))
    }

    fn while_loop(&mut self, parts: &FlowControl) -> Lowered<Statement> {
        if matches!(parts.expr, Ast::Unit(_) | Ast::BoolConstant(true, _)) {
            return Ok(Statement::While { condition: None, body: self.turn(parts.body.statements())? });
        }
        let (condition, body) = self.looped(&parts.expr, parts.body.statements())?;
        Ok(Statement::While { condition: Some(condition), body })
    }

    /// Lowers a loop's condition, which its body counts, and the body.
    fn looped(&mut self, condition: &Ast, body: &[Stmt]) -> Lowered<(crate::engine::ir::Condition, Block)> {
        let before = self.cost;
        let condition = self.condition(condition)?;
        let cost = self.cost - before;
        self.cost = before;
        let mut body = self.turn(body)?;
        body.cost += cost;
        Ok((condition, body))
    }

    /// Lowers the body of a loop; a turn costs something in any case.
    fn turn(&mut self, body: &[Stmt]) -> Lowered<Block> {
        let mut body = self.block(body)?;
        body.cost += 1;
        Ok(body)
    }

    fn for_loop(&mut self, name: &Ident, counter: Option<&Ident>, parts: &FlowControl) -> Lowered<Statement> {
        let over = match &parts.expr {
            Ast::FnCall(call, position) if matches!(call.op_token, Some(Token::ExclusiveRange | Token::InclusiveRange)) => {
                let [from, to] = &call.args[..] else { return Err(Reason::Syntax) };
                let from = self.flat(from)?;
                let is_inclusive = call.op_token == Some(Token::InclusiveRange);
                Over::Range { from, to: self.flat(to)?, is_inclusive, node: nodes::call(call, *position) }
            }
            value => Over::Value(self.flat(value)?),
        };
        let declare = |body: &mut Self| {
            let counter = counter.map(|counter| body.scope.declare(&counter.name, false)).transpose()?;
            Ok((counter, body.scope.declare(&name.name, false)?))
        };
        let ((counter, slot), mut body) = self.block_with(declare, parts.body.statements())?;
        body.cost += 1;
        Ok(Statement::For(Box::new(For { slot, counter, over, position: parts.expr.start_position(), body })))
    }

    fn try_catch(&mut self, parts: &FlowControl) -> Lowered<Statement> {
        let body = self.block(parts.body.statements())?;
        let declare = |block: &mut Self| match &parts.expr {
            Ast::Variable(variable, ..) => block.scope.declare(&variable.1, false).map(Some),
            _ => Ok(None),
        };
        let (caught, handler) = self.block_with(declare, parts.branch.statements())?;
        self.cost += body.cost + handler.cost;
        Ok(Statement::Try(Box::new(Try { body, caught, handler })))
    }
}

/// Returns the operator of an assignment, if it has one, with the place of what it changes.
fn op_assign(how: &OpAssignment, changed: &Ast) -> Lowered<Option<OpAssign>> {
    let Some((.., token, _)) = how.get_op_assignment_info() else { return Ok(None) };
    let op: Op = op(token).ok_or(Reason::Syntax)?;
    Ok(Some(OpAssign { op, node: nodes::assign(how, changed.position()) }))
}
