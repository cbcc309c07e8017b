//! What an error is about, in the words of the file: the values that a call, a property or a loop works on.

use rhai::{AST, ASTNode, Expr, Position, Stmt};

use crate::engine::{
    ast::chain,
    context::{
        CTX,
        properties::{BODY, REQUEST},
    },
};

/// Returns the text of the values that the call, property or loop at this place works on, in order. It is `None` for a value that is not
/// `name.key["key"][0]`. A call must have this name: `list.map("f")` stands where a call of `f` fails.
pub fn values_at(ast: &AST, at: Position, called: Option<&str>) -> Vec<Option<String>> {
    let mut found = None;
    ast.walk(&mut |path| {
        found = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, place)) | ASTNode::Stmt(Stmt::FnCall(call, place)))
                if *place == at && is_called(called, &call.name) =>
            {
                Some(call.args.iter().map(written).collect())
            }
            Some(ASTNode::Expr(node)) => values_of_link(node, at, called),
            Some(ASTNode::Stmt(Stmt::For(repeated, _))) if repeated.2.expr.start_position() == at => Some(vec![written(&repeated.2.expr)]),
            _ => None,
        };
        found.is_none()
    });
    found.unwrap_or_default()
}

/// Returns whether this text names the request's body or a part of it. If it begins with a variable, the only `let` of that name counts.
pub fn is_of_body(ast: &AST, value: &str) -> bool {
    let is_body = |text: &str| {
        text.strip_prefix(&format!("{CTX}.{REQUEST}.{BODY}")).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '?']))
    };
    if is_body(value) {
        return true;
    }
    let root = value.split(['.', '[', '?']).next().unwrap_or_default();
    let mut values = Vec::new();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Var(variable, ..))) = path.last()
            && variable.0.name == root
        {
            values.push(written(&variable.1));
        }
        values.len() < 2
    });
    matches!(&values[..], [Some(value)] if is_body(value))
}

fn is_called(called: Option<&str>, name: &str) -> bool {
    called.is_none_or(|called| called == name)
}

/// Returns what stands before a link of a chain, and what a method there is given.
fn values_of_link(node: &Expr, at: Position, called: Option<&str>) -> Option<Vec<Option<String>>> {
    let (root, links) = chain::take_apart(node)?;
    let number = links.iter().position(|link| link.node.start_position() == at)?;
    let arguments: &[Expr] = match links[number].node {
        Expr::MethodCall(call, _) if !is_called(called, &call.name) => return None,
        Expr::MethodCall(call, _) if !links[number].is_index => &call.args,
        _ => &[],
    };
    Some([chain_written(root, &links[..number])].into_iter().chain(arguments.iter().map(written)).collect())
}

/// Writes a variable, and chains of properties and plain indices from one.
fn written(node: &Expr) -> Option<String> {
    match chain::take_apart(node) {
        Some((root, links)) => chain_written(root, &links),
        None => chain_written(node, &[]),
    }
}

fn chain_written(root: &Expr, links: &[chain::Link<'_>]) -> Option<String> {
    let Expr::Variable(variable, ..) = root else { return None };
    let mut text = variable.2.is_empty().then(|| variable.1.to_string())?;
    for link in links {
        if link.optional {
            text.push('?');
        }
        match link.node {
            Expr::Property(property, _) if !link.is_index => text.extend([".", property.2.as_str()]),
            Expr::StringConstant(key, _) if link.is_index => text.push_str(&format!("[{key:?}]")),
            Expr::IntegerConstant(index, _) if link.is_index => text.push_str(&format!("[{index}]")),
            _ => return None,
        }
    }
    Some(text)
}
