//! What a script reads, by its syntax tree.

use rhai::{AST, ASTFlags, Expr as Node, ImmutableString, Stmt};

use crate::engine::ast::is_request;

/// Counts the places in a script that read the request's body. A use of `ctx` that does not name a property may read it, too.
pub fn reads_of_body(ast: &AST) -> usize {
    let (mut bodies, mut roots, mut properties) = (0, 0, 0);
    ast.walk(&mut |path| {
        match path.last() {
            Some(rhai::ASTNode::Expr(node)) if is_request(node) => roots += 1,
            Some(rhai::ASTNode::Expr(Node::Dot(chain, ..))) if is_request(&chain.lhs) => {
                let (names, _) = leading_names(&chain.rhs);
                properties += usize::from(!matches!(names[..], [] | ["request"]));
                bodies += usize::from(matches!(names[..], ["request", "body", ..]));
            }
            _ => {}
        }
        true
    });
    // Where some `ctx` is not followed by the name of a property, nobody can say what is read.
    if roots == properties { bodies } else { usize::MAX }
}

/// Returns the names that a chain begins with, and what follows them.
fn leading_names(mut node: &Node) -> (Vec<&str>, Option<&Node>) {
    let mut names = Vec::new();
    loop {
        match node {
            Node::Property(property, _) => {
                names.push(property.2.as_str());
                return (names, None);
            }
            Node::Dot(chain, flags, _) if !flags.contains(ASTFlags::NEGATED) => match &chain.lhs {
                Node::Property(property, _) => {
                    names.push(property.2.as_str());
                    node = &chain.rhs;
                }
                _ => return (names, Some(node)),
            },
            _ => return (names, Some(node)),
        }
    }
}

/// Returns whether statements name a variable.
pub fn mentions(statements: &[Stmt], name: &ImmutableString) -> bool {
    let mut found = false;
    for statement in statements {
        statement.walk(&mut Vec::new(), &mut |path| {
            found |= matches!(path.last(), Some(rhai::ASTNode::Expr(Node::Variable(variable, ..))) if variable.1 == *name);
            !found
        });
    }
    found
}
