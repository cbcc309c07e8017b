//! Mistakes that the compiler accepts and that would fail in a run: unknown functions, unknown properties of `ctx`, imports with a computed
//! path.

pub mod findings;
pub mod known;
pub mod lists;
mod objects;
mod request;
mod response;
mod walk;

use std::collections::HashMap;

use rhai::{AST, ASTNode, FnAccess};

use self::{
    findings::{Findings, OpenMethod, References},
    known::KnownFunctions,
    walk::Walk,
};
use super::{ast::changes, host, place, words};
use crate::function::{Diagnostic, FilePath, diagnostic::near_miss};

/// Looks through a compiled file.
pub fn lint(ast: &AST, known: &KnownFunctions, file: &FilePath, text: &str) -> Findings {
    let mut own: HashMap<&str, Vec<usize>> = HashMap::new();
    let (mut closures, mut references) = (HashMap::new(), References::default());
    for function in ast.iter_functions() {
        own.entry(function.name).or_default().push(function.params.len());
        let is_closure = function.name.starts_with("anon$");
        closures.extend(function.params.last().filter(|_| is_closure).map(|parameter| (function.name, *parameter)));
        if function.access == FnAccess::Public && !is_closure {
            references.exported.push((function.name.to_owned(), function.params.len()));
        }
    }
    let mut walk = Walk::new(known, own, closures, file, text);
    let mut lost_value = None;
    walk.findings.references = references;
    ast.walk(&mut |path: &[ASTNode]| {
        match path.last() {
            Some(ASTNode::Stmt(statement)) => {
                if path.len() == 1 {
                    lost_value = response::lost_value(statement);
                }
                walk.statement(statement);
            }
            Some(ASTNode::Expr(expression)) => walk.expression(expression, path),
            _ => {}
        }
        walk.findings.references.changes_in_place |= path.last().is_some_and(changes::may_be_in_place);
        true
    });
    let mut findings = walk.finish();
    if let Some(at) = lost_value {
        let warning = Diagnostic::warning(file.clone(), "this value is not the answer: what `catch` gives is lost");
        findings.warnings.push(place::mark(warning, text, at).hint("write `return` before it"));
    }
    findings
}

/// Reports a method that no function and no closure explains. It is a warning where it may work all the same: where a computed name may be
/// this one, or after `?.`. Elsewhere it is an error.
pub fn unknown_method(known: &KnownFunctions, file: &FilePath, text: &str, method: &OpenMethod, names_are_known: bool) -> Diagnostic {
    let name = &method.name;
    let is_global = method.takes.is_empty() && host::global(name).is_some();
    let message = match &method.takes[..] {
        [] if is_global => format!("`{name}` is no method"),
        [] => format!("unknown method `{name}`"),
        takes => format!("as a method, {}", words::takes(name, takes, method.arguments)),
    };
    let diagnostic = match names_are_known && !method.optional {
        true => Diagnostic::error(file.clone(), message),
        false => Diagnostic::warning(file.clone(), message),
    };
    let hint = match (&method.takes[..], near_miss(name, known.names())) {
        ([], _) if is_global => format!("what stands before the dot is its first argument: `{name}(…)`"),
        ([], Some(near)) => format!("did you mean `{near}`?"),
        ([], None) => format!("a closure that a map holds under this name is called by `.{name}.call(…)`"),
        _ => "what stands before the dot is no argument; in a function of the file it is `this`".into(),
    };
    place::mark(diagnostic, text, method.position).hint(hint)
}
