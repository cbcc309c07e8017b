//! Where `ctx` is the request.

use rhai::{AST, ASTNode, Expr, ImmutableString, ScriptFuncDef, Shared, Stmt};

use super::expressions::pointed;
use crate::engine::context::CTX;

/// Returns the closures in which a captured `ctx` is the request: Rhai makes it a parameter, as if it were a variable. Where the file has a
/// variable of this name, none is.
pub fn captured(ast: &AST, definitions: &[&Shared<ScriptFuncDef>]) -> Vec<ImmutableString> {
    let has_parameter = |definition: &&&Shared<ScriptFuncDef>| definition.params.iter().any(|name| name == CTX);
    let having: Vec<_> = definitions.iter().filter(has_parameter).collect();
    let mut capturing = Vec::new();
    if having.is_empty() {
        return capturing;
    }
    let mut is_variable = false;
    ast.walk(&mut |path| {
        match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, _))) if call.name == "curry" => {
                let captures = |argument: &Expr| matches!(argument, Expr::Variable(variable, ..) if variable.1 == CTX);
                if let [closure, captured @ ..] = &call.args[..]
                    && captured.iter().any(captures)
                {
                    capturing.extend(pointed(closure));
                }
            }
            Some(ASTNode::Stmt(Stmt::Var(variable, ..))) => is_variable |= variable.0.name == CTX,
            Some(ASTNode::Stmt(Stmt::For(variables, _))) => {
                is_variable |= variables.0.name == CTX || variables.1.as_ref().is_some_and(|counter| counter.name == CTX);
            }
            Some(ASTNode::Stmt(Stmt::TryCatch(parts, _))) => {
                is_variable |= matches!(&parts.expr, Expr::Variable(variable, ..) if variable.1 == CTX);
            }
            _ => {}
        }
        !is_variable
    });
    // A parameter that captures nothing is a variable, too.
    if is_variable || having.iter().any(|definition| !capturing.contains(&definition.name)) {
        capturing.clear();
    }
    capturing
}
